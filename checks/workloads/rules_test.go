package workloads

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	slashpath "path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"temper/checks"
)

var update = flag.Bool("update", false, "rewrite the want sections of testdata")

// A case is the manifests that are looked at together, and in "want" the findings
// of the rule that the folder is named for. In "image.json" is what is known of the
// image orders, if the rule is about that.
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
			var image *Image
			for _, f := range archive.Files {
				if f.Name == "want" {
					want = string(f.Data)
				} else if f.Name == "image.json" {
					image = parseImage(t, f.Data)
				} else if n, err := set.Read(f.Name, f.Data); err != nil || n == 0 {
					t.Fatalf("%d objects in %s: %v", n, f.Name, err)
				}
			}
			reports, err := set.Check(t.Context())
			if image != nil {
				reports, err = set.CheckAgainst(t.Context(), func(reference string) *Image {
					if reference == "orders" {
						return image
					}
					return nil
				})
			}
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
	for _, r := range slices.Concat(AllRules(), AllImageRules()) {
		for _, fails := range []bool{false, true} {
			if !outcomes[fmt.Sprint(r.Name, fails)] {
				t.Errorf("testdata/%s has no case where it fails=%v", r.Name, fails)
			}
		}
	}
}

// parseImage reads what is known of an image. Its files are "MODE UID GID" by
// their paths; folders are 0755 and root's unless they are there too.
func parseImage(t *testing.T, data []byte) *Image {
	t.Helper()
	var raw struct {
		Image
		Look  any // which no JSON can say
		Files map[string]string
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	img := raw.Image
	img.Name = "orders"
	files := map[string]File{"/": {Mode: fs.ModeDir | 0o755}}
	for name, text := range raw.Files {
		var f File
		if _, err := fmt.Sscanf(text, "%o %d %d", &f.Mode, &f.UID, &f.GID); err != nil {
			t.Fatal(err)
		}
		files[name] = f
		for dir := slashpath.Dir(name); dir != "/"; dir = slashpath.Dir(dir) {
			if _, ok := files[dir]; !ok && raw.Files[dir] == "" {
				files[dir] = File{Mode: fs.ModeDir | 0o755}
			}
		}
	}
	img.Look = func(name string) (File, bool) {
		f, ok := files[name]
		return f, ok
	}
	return &img
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
	for _, r := range slices.Concat(AllRules(), AllImageRules()) {
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
