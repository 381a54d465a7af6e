package workloads

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

// A case is the manifests that are looked at together, and in "want" the findings
// of the rule that the folder is named for.
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
			var want string
			var set Set
			for _, f := range archive.Files {
				if f.Name == "want" {
					want = string(f.Data)
				} else if n, err := set.Read(f.Name, f.Data); err != nil || n == 0 {
					t.Fatalf("%d objects in %s: %v", n, f.Name, err)
				}
			}
			reports, err := set.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, f := range findings(reports) {
				if f.Rule == rule {
					fmt.Fprintf(&got, "%s:%d:%d %s: %s\n", f.File, f.Line, f.Column, f.Place, f.Message)
					if f.Fix != "" {
						fmt.Fprintf(&got, "\tfix: %s\n", f.Fix)
					}
				}
			}
			outcomes[fmt.Sprint(rule, got.Len() > 0)] = true
			if *update {
				for i := range archive.Files {
					if archive.Files[i].Name == "want" {
						archive.Files[i].Data = []byte(got.String())
					}
				}
				if err := os.WriteFile(file, txtar.Format(archive), 0o666); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(want, got.String()); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
	for _, r := range AllRules() {
		for _, fails := range []bool{false, true} {
			if !outcomes[fmt.Sprint(r.Name, fails)] {
				t.Errorf("testdata/%s has no case where it fails=%v", r.Name, fails)
			}
		}
	}
}

func findings(reports []*checks.Report) []checks.Finding {
	var all []checks.Finding
	for _, r := range reports {
		all = append(all, r.Findings...)
	}
	return all
}

// What every rule has to say of itself.
func TestRulesExplainThemselves(t *testing.T) {
	names := make(map[string]bool)
	for _, r := range AllRules() {
		paragraphs := strings.Split(r.Doc, "\n\n")
		switch {
		case names[r.Name]:
			t.Errorf("two rules are named %s", r.Name)
		case len(paragraphs) < 3:
			t.Errorf("%s: the doc does not say what, why and how", r.Name)
		case strings.HasSuffix(r.Title(), "."):
			t.Errorf("%s: the title ends in a period", r.Name)
		case !strings.HasPrefix(r.Source, "https://"):
			t.Errorf("%s: the source %q is no link", r.Name, r.Source)
		case r.Good == "" || r.Bad == "":
			t.Errorf("%s: it has no example, a case pass and a case fail", r.Name)
		case r.Severity != checks.Error && r.Severity != checks.Warning:
			t.Errorf("%s: severity %q", r.Name, r.Severity)
		}
		names[r.Name] = true
	}
}
