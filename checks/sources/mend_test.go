package sources

import (
	"go/ast"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/txtar"

	"temper/checks"
)

// sleeping is a rule for tests: println() is to be time.Sleep(0), and so is what encloses
// it if it is called print.
func sleeping() *Code {
	return code(checks.Rule{Name: "sleeping", Severity: checks.Error, Doc: "nothing is printed"}, func(p *pass) {
		each(p, func(call *ast.CallExpr) {
			id, ok := call.Fun.(*ast.Ident)
			if !ok || id.Name != "println" && id.Name != "print" {
				return
			}
			name, edits := p.importing(call.Pos(), "time")
			edits = append(edits, analysis.TextEdit{Pos: call.Pos(), End: call.End(), NewText: []byte(name + ".Sleep(0)")})
			p.mend(call, "sleep", edits, "it prints")
		})
	})
}

// checkout writes files to a folder and returns it with what the rule says of them.
func checkout(t *testing.T, src string) (dir string, found []Diagnostic) {
	t.Helper()
	dir = t.TempDir()
	files := txtar.Parse([]byte(src)).Files
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, f.Name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	found, err := programOf(t, files).analyze(t.Context(), []*Code{sleeping()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return dir, found
}

// tree is all files of a folder.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			return err // a link to a folder
		}
		raw, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		all[filepath.ToSlash(rel)] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Fixes are in the files that they are about, formatted where the file was, with one
// import for all; what overlaps waits, and what the source accepts stays.
func TestMend(t *testing.T) {
	dir, found := checkout(t, `
-- main.go --
package main

import "example.com/case/b"

func main() {
	println()
	println() //temper:ignore sleeping it is meant so
	_ = func() { println(); println() }
	print(func() int { println(); return 1 }())
	b.F()
}
-- b/b.go --
package b

func F()   { println( ) }
-- c/c.go --
package c
`)
	if err := os.Chmod(filepath.Join(dir, "main.go"), 0o640); err != nil {
		t.Fatal(err)
	}
	mended, err := Mend(dir, found)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"main.go": `package main

import "time"
import "example.com/case/b"

func main() {
	time.Sleep(0)
	println() //temper:ignore sleeping it is meant so
	_ = func() { time.Sleep(0); time.Sleep(0) }
	time.Sleep(0)
	b.F()
}
`,
		"b/b.go": "package b\n\nimport \"time\"\n\nfunc F()   { time.Sleep(0) }\n",
		"c/c.go": "package c\n",
	}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"b/b.go", "main.go"}, mended.Files); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if len(mended.Done) != 5 || len(mended.Skipped) != 1 || mended.Skipped[0].Column != 21 {
		t.Errorf("done %d, skipped %v; want five, and the one inside of another skipped", len(mended.Done), mended.Skipped)
	}
	if info, err := os.Stat(filepath.Join(dir, "main.go")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("main.go is %v, error %v; want mode 640", info.Mode(), err)
	}
}

// A file that is not what was looked at, and one that is elsewhere, keep all from being
// changed.
func TestMendRefuses(t *testing.T) {
	const src = "-- main.go --\npackage main\n\nimport _ \"example.com/case/b\"\n\nfunc main() { println() }\n-- b/b.go --\npackage b\n\nfunc F() { println() }\n"
	outside := filepath.Join(t.TempDir(), "outside.go")
	for name, tc := range map[string]struct {
		change func(dir string, found []Diagnostic) error
		want   string
	}{
		"changed": {func(dir string, _ []Diagnostic) error {
			return os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { println() ; }\n"), 0o666)
		}, "main.go: it has changed since it was looked at"},
		"removed": {func(dir string, _ []Diagnostic) error { return os.Remove(filepath.Join(dir, "main.go")) }, "no such file"},
		"linked": {func(dir string, _ []Diagnostic) error {
			file := filepath.Join(dir, "main.go")
			if err := os.Rename(file, outside); err != nil {
				return err
			}
			return os.Symlink(outside, file)
		}, "no regular file"},
		"folder linked": {func(dir string, _ []Diagnostic) error {
			at := filepath.Join(t.TempDir(), "b")
			if err := os.Rename(filepath.Join(dir, "b"), at); err != nil {
				return err
			}
			return os.Symlink(at, filepath.Join(dir, "b"))
		}, "path escapes"},
		"outside": {func(dir string, found []Diagnostic) error {
			found[0].Fixes[0].File = "../" + filepath.Base(dir) + "/main.go"
			return nil
		}, "path escapes"},
		"broken": {func(_ string, found []Diagnostic) error {
			found[len(found)-1].Fixes[1].New = "}"
			return nil
		}, "do not go together"},
		"beyond its end": {func(_ string, found []Diagnostic) error {
			found[len(found)-1].Fixes[1].End = 1 << 20
			return nil
		}, "does not fit"},
		"left over": {func(dir string, _ []Diagnostic) error {
			return os.WriteFile(filepath.Join(dir, ".main.go.mended"), nil, 0o666)
		}, "remove it"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, found := checkout(t, src)
			if len(found) != 2 {
				t.Fatalf("found %v, want two", found)
			}
			if err := tc.change(dir, found); err != nil {
				t.Fatal(err)
			}
			before := tree(t, dir)
			mended, err := Mend(dir, found)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("mended %v, error %v; want one that says %q", mended, err, tc.want)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("files (-before +after):\n%s", diff)
			}
		})
	}
}

// A file keeps its line ends, and a generated one is left to its generator.
func TestMendKeeps(t *testing.T) {
	dos := "package main\r\n\r\nfunc main() {\r\n\tprintln()\r\n}\r\n"
	made := "// Code generated by hand. DO NOT EDIT.\n\npackage b\n\nfunc F() { println() }\n"
	dir, found := checkout(t, "-- main.go --\n"+dos+"-- b/b.go --\n"+made)
	if len(found) != 2 {
		t.Fatalf("%d findings, want 2", len(found))
	}
	if _, err := Mend(dir, found); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"main.go": strings.NewReplacer("println()", "time.Sleep(0)", "\r\nfunc", "\r\nimport \"time\"\r\n\r\nfunc").Replace(dos),
		"b/b.go":  made,
	}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
