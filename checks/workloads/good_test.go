package workloads

import (
	"os"
	"path/filepath"
	"testing"
)

// Good manifests are not shouted at.
func TestGoodManifests(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d good manifests, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var set Set
		if _, err := set.Read(file, data); err != nil {
			t.Fatal(err)
		}
		reports, err := set.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pods := 0
		for _, o := range set.Objects {
			pods += len(o.pods)
		}
		if pods != 1 {
			t.Errorf("%s: %d pods, want 1", file, pods)
		}
		for _, f := range findings(reports) {
			t.Errorf("%s %s: %s", f.Rule, f.Where(), f.Message)
		}
	}
}

// The examples' manifests are good as well; careless shows what each rule finds.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/deploy.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var set Set
		if _, err := set.Read(file, data); err != nil {
			t.Fatal(err)
		}
		reports, err := set.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found := make(map[string]bool)
		careless := filepath.Base(filepath.Dir(file)) == "careless"
		for _, f := range findings(reports) {
			found[f.Rule] = true
			if !careless {
				t.Errorf("%s %s: %s", f.Rule, f.Where(), f.Message)
			}
		}
		for _, r := range AllRules() {
			if careless && !found[r.Name] {
				t.Errorf("%s shows nothing of %s", file, r.Name)
			}
		}
	}
}
