package binary

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/checks/executables"
	"temper/pipeline/service"
)

// Code that links lead to, be it a file or a package, is from outside of the
// repository if its end is.
func TestOutsideFollowsLinks(t *testing.T) {
	tmp, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(tmp, "root")
	for name, content := range map[string]string{
		"root/go.mod":        "module example.com/shop\n\ngo 1.26\n",
		"root/main.go":       "package main\n\nimport (\n\t_ \"example.com/shop/lent\"\n\t_ \"example.com/shop/own\"\n)\n",
		"root/inner/a.go":    "package inner\n",
		"root/unused/doc.go": "package unused\n",
		"outside/file.go":    "package main\n",
		"outside/lent/b.go":  "package lent\n",
		"outside/readme.txt": "",
	} {
		path := filepath.Join(tmp, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, name string) {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("inner", "own")
	link("nowhere", ".#main.go") // an editor's lock, which Go passes over
	link("../../outside/file.go", "unused/file.go")
	link("../outside", "data") // a folder that is no package of the service
	svc := &service.Service{Root: root, Dir: root, Module: root, Package: "."}
	bin := &Binary{Facts: &executables.Facts{}}
	is := func(when string, want ...string) {
		t.Helper()
		got, err := Outside(svc, bin)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	is("what nothing compiles")
	link("../outside/lent", "lent")
	is("a package", filepath.Join(tmp, "outside", "lent"))
	link(filepath.Join(tmp, "outside", "file.go"), "file.go")
	is("a package and a file", filepath.Join(tmp, "outside", "file.go"), filepath.Join(tmp, "outside", "lent"))
}
