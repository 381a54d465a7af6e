package sources

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"temper/checks"
)

var update = flag.Bool("update", false, "rewrite the want sections of testdata")

// A case is a go.mod, the modules that are "linked" into the binary, and in
// "want" the findings of the rule that the folder is named for, and the notices. The
// go.mod is that of services/orders in a repository, which nobody knows the beginning of
// where there is a file "rootless"; "cpu" is the CPU limit.
func TestRules(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	outcomes := make(map[string]bool)
	for _, file := range files {
		rule := filepath.Base(filepath.Dir(file))
		t.Run(rule+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			content := make(map[string]string)
			for _, f := range archive.Files {
				content[f.Name] = string(f.Data)
			}
			root := t.TempDir()
			path := filepath.Join(root, "services", "orders", "go.mod")
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content["go.mod"]), 0o666); err != nil {
				t.Fatal(err)
			}
			if _, ok := content["rootless"]; ok {
				root = ""
			}
			m, err := Open(path, root, "go.mod", strings.Fields(content["linked"]))
			if err != nil {
				t.Fatal(err)
			}
			m.CPULimit = strings.TrimSpace(content["cpu"])
			r, err := checks.Run(t.Context(), checks.Subject{Name: "case"}, "", m, Rules)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, f := range r.Findings {
				if f.Rule == rule {
					fmt.Fprintf(&got, "%s: %s\n", f.Where(), f.Message)
				}
			}
			outcomes[fmt.Sprint(rule, got.Len() > 0)] = true
			for _, n := range r.Notices {
				if n.Rule == rule {
					fmt.Fprintf(&got, "undecided: %s\n", n.Message)
				}
			}
			if *update {
				for i := range archive.Files {
					if archive.Files[i].Name == "want" {
						archive.Files[i].Data = []byte(got.String())
					}
				}
				if err := os.WriteFile(file, txtar.Format(archive), 0o666); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(content["want"], got.String()); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
	for _, r := range Rules {
		for _, fails := range []bool{false, true} {
			if !outcomes[fmt.Sprint(r.Name, fails)] {
				t.Errorf("testdata/%s has no case where it fails=%v", r.Name, fails)
			}
		}
	}
}

// A go.mod that Go would not take is an error that names its line.
func TestOpenMalformed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "go.mod")
	if err := os.WriteFile(path, []byte("module example.com/a\n\nrequire x\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, "", "src/go.mod", nil); err == nil || !strings.Contains(err.Error(), "src/go.mod:3") {
		t.Errorf("error %v, want one about src/go.mod:3", err)
	}
}
