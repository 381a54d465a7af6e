package binary

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/pipeline/service"
)

// What Go said of several services before, and what it gave the linker for one of them, is
// what it says of that one when it is asked; only of the main package there is no Export.
func TestLinked(t *testing.T) {
	repo, one := write(t, folder(t), three+`
-- other/main.go --
package main

import "encoding/json"

func main() { println(json.Valid(nil)) }
`)
	toolchain, err := Select(t.Context(), repo, one)
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{Cache: t.TempDir()}
	c, err := opts.cacheDir(one, amd64, toolchain)
	if err != nil {
		t.Fatal(err)
	}
	env, err := opts.environment(one, amd64, toolchain, c)
	if err != nil {
		t.Fatal(err)
	}
	args, err := arguments(one, c.out(), opts)
	if err != nil {
		t.Fatal(err)
	}
	other := *one
	other.Name, other.Package = "other", "./other"
	all, err := opts.common(t.Context(), []*service.Service{&other, one}, amd64, toolchain, c)
	if err != nil || len(all) == 0 {
		t.Fatalf("Go lists %d packages, %v", len(all), err)
	}
	opts.Share = &Share{}
	opts.Share.note([]*service.Service{&other, one}, amd64, all)
	compile := func() (work string) {
		t.Helper()
		said, work, err := c.compile(t.Context(), one, toolchain, env, slices.Insert(slices.Clone(args), 1, "-work"))
		if err != nil || said != "" || work == "" {
			t.Fatalf("compiling in %q: %q, %v", work, said, err)
		}
		return work
	}
	work := compile()
	got := c.linked(one, amd64, opts.expected(one, amd64), work)
	if got == nil {
		t.Fatal("nothing comes of it")
	}
	want, err := Deps(t.Context(), one, amd64, toolchain, Options{Cache: opts.Cache})
	if err != nil {
		t.Fatal(err)
	}
	main := want.all[len(want.all)-1]
	main.Export, main.BuildID = "", ""
	byPath := func(all []*Package) map[string]*Package {
		by := make(map[string]*Package)
		for _, p := range all {
			by[p.ImportPath] = p
		}
		return by
	}
	if diff := cmp.Diff(byPath(want.all), byPath(got.all)); diff != "" {
		t.Errorf("packages (-asked +linked):\n%s", diff)
	}
	if last := got.all[len(got.all)-1]; got.main != want.main || last.ImportPath != want.main || got.listed != want.listed {
		t.Errorf("%s is main, want %s; %s is last; listed %q", got.main, want.main, last.ImportPath, got.listed)
	}
	for i, p := range got.all {
		for _, path := range p.Direct() {
			if at := slices.IndexFunc(got.all, func(p *Package) bool { return p.ImportPath == path }); at > i {
				t.Errorf("%s comes after %s, which imports it", path, p.ImportPath)
			}
		}
	}

	// Where the two do not fit, or there is only one of them, Go is to be asked.
	short := slices.DeleteFunc(slices.Clone(all), func(p *Package) bool { return p.ImportPath == "runtime" })
	broken := slices.Clone(all)
	broken[0] = &Package{ImportPath: all[0].ImportPath, Error: &PackageError{Err: "no"}}
	for what, all := range map[string][]*Package{"a package less": short, "a broken package": broken, "no packages": nil} {
		if c.linked(one, amd64, all, work) != nil {
			t.Errorf("%s: something comes of it", what)
		}
	}
	if c.linked(&other, amd64, all, work) != nil {
		t.Error("another service's binary is taken for this one's")
	}
	if err := os.WriteFile(filepath.Join(one.Dir, "default.pgo"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if opts.expected(one, amd64) != nil {
		t.Error("a profile changes nothing")
	}
	if err := os.Remove(filepath.Join(one.Dir, "default.pgo")); err != nil {
		t.Fatal(err)
	}
	if c.linked(one, amd64, all, compile()) != nil { // which links nothing
		t.Error("something comes of a build that has linked nothing")
	}
	if c.linked(one, amd64, all, "") != nil {
		t.Error("something comes of no folder")
	}
}

// Only a folder in the cache of the service is one that Go has worked in: it is removed.
func TestWorked(t *testing.T) {
	c := cacheDir(t.TempDir())
	inside := filepath.Join(c.tmp(), "go-build1")
	for said, want := range map[string]struct{ work, rest string }{
		"WORK=" + inside: {inside, ""},
		"WORK=" + inside + "\n# a\nno such thing": {inside, "# a\nno such thing"},
		"# a\nWORK=" + inside + "\nno":            {inside, "# a\nno"},
		"WORK=" + c.tmp():                         {"", ""},
		"WORK=" + string(c):                       {"", ""},
		"WORK=/":                                  {"", ""},
		"a word":                                  {"", "a word"},
	} {
		if work, rest := c.worked(said); work != want.work || rest != want.rest {
			t.Errorf("%q: %q and %q, want %q and %q", said, work, rest, want.work, want.rest)
		}
	}
}
