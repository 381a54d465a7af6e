package sources

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// Packages that do not type-check are an error that tells of all of them, with files
// and lines, and never a pass.
func TestBrokenPackages(t *testing.T) {
	p := programOf(t, txtar.Parse([]byte(`
-- main.go --
package main

import "fmt"

func main() { fmt.Println() }
-- b/b.go --
package b
-- c/c.go --
package c
`)).Files)
	for _, pkg := range p.Packages {
		switch pkg.Path {
		case "example.com/case/b":
			pkg.Files[0].Content = []byte("package b\n\nvar _ int = \"text\"\n\nfunc f() { g() }\n")
		case "example.com/case/c":
			pkg.Files[0].Content = []byte("package c\n\nfunc f( {\n")
		}
	}
	r, err := Check(t.Context(), "case", []*Code{new(quiet).rule()}, nil, p)
	var broken *TypeError
	if !errors.As(err, &broken) {
		t.Fatalf("report %v, error %v; want one of types", r, err)
	}
	for _, want := range []string{"example.com/case/b", "b/b.go:3:13", "b/b.go:5:12", "example.com/case/c", "c/c.go:3:9"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %s: %v", want, err)
		}
	}
}

// What the compiler wrote and this program cannot read is an error that says which
// compilers it knows, and so is a package that nobody said is imported.
func TestTypesThatCannotBeRead(t *testing.T) {
	const src = "-- main.go --\npackage main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println() }\n"
	rules := []*Code{new(quiet).rule()}
	p := programOf(t, txtar.Parse([]byte(src)).Files)
	p.Export = func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("go object of tomorrow")), nil
	}
	if _, err := Check(t.Context(), "case", rules, nil, p); err == nil || !strings.Contains(err.Error(), runtime.Version()) {
		t.Errorf("error %v, want one that says %s", err, runtime.Version())
	}
	p = programOf(t, txtar.Parse([]byte(src)).Files)
	p.Packages[0].Direct = nil
	if _, err := Check(t.Context(), "case", rules, nil, p); err == nil || !strings.Contains(err.Error(), "package fmt is not among those") {
		t.Errorf("error %v, want one about package fmt", err)
	}
}
