package sources

import (
	"fmt"
	"go/ast"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/tools/go/types/typeutil"
	"golang.org/x/tools/txtar"

	"temper/checks"
)

// shouts is a fact about functions, and loud one about packages.
type (
	shouts struct{ How string }
	loud   struct{ Functions int }
)

func (*shouts) AFact() {}
func (*loud) AFact()   {}

// quiet is a rule for tests, which counts the packages that it looks at: a function that
// is called Shout, or calls one that shouts, shouts; and main may not call one.
type quiet struct {
	sync.Mutex
	looked []string
}

func (q *quiet) rule() *Code {
	c := code(checks.Rule{Name: "quiet", Severity: checks.Error, Doc: "nobody shouts"}, q.run)
	c.Analyzer.FactTypes = append(c.Analyzer.FactTypes, new(shouts), new(loud))
	return c
}

func (q *quiet) run(p *pass) {
	q.Lock()
	q.looked = append(q.looked, p.Pkg.Path())
	q.Unlock()
	var all loud
	for d := range eachIn[*ast.FuncDecl](p) {
		fact := shouts{"it is called " + d.Name.Name}
		found := d.Name.Name == "Shout"
		ast.Inspect(d.Body, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			callee, ok := typeutil.Callee(p.TypesInfo, call).(*types.Func)
			var of shouts
			if ok && p.ImportObjectFact(callee, &of) {
				found, fact = true, shouts{"it calls " + callee.FullName()}
				if p.Pkg.Name() == "main" {
					p.report(call, "", "%s shouts: %s", callee.FullName(), of.How)
				}
			}
			return true
		})
		if found {
			all.Functions++
			p.ExportObjectFact(p.TypesInfo.Defs[d.Name], &fact)
		}
	}
	p.ExportPackageFact(&all)
	for _, imported := range p.Pkg.Imports() {
		var of loud
		if p.Pkg.Name() == "main" && p.ImportPackageFact(imported, &of) {
			p.undecided(p.Files[0].Name, "package %s has %d functions that shout", imported.Path(), of.Functions)
		}
	}
}

func eachIn[N ast.Node](p *pass) func(func(N) bool) {
	return func(yield func(N) bool) { each(p, func(n N) { yield(n) }) }
}

const shouting = `
-- main.go --
package main

import (
	"example.com/case/b"
	"example.com/dep"
)

func main() {
	b.Call()
	new(b.Voice).Raise()
	dep.Shout()
	dep.Whisper()
}
-- b/b.go --
package b

import "example.com/case/c"

func Call() { c.Shout() }

type Voice struct{}

func (v *Voice) Raise() { c.Shout() }
-- c/c.go --
package c

func Shout() {}
-- deps/example.com/dep/dep.go --
package dep

func Shout() {}

func Whisper() {}
`

// What has not changed is not looked at again, what depends on what has is, and
// facts from memory are as good as those that were just stated.
func TestMemory(t *testing.T) {
	dir := t.TempDir()
	var want []Diagnostic
	for _, tc := range []struct {
		name   string
		change func(src string) string
		damage func(raw []byte) []byte
		looked string
	}{
		{"first", nil, nil, "example.com/case example.com/case/b example.com/case/c example.com/dep"},
		{"again", nil, nil, ""},
		{"main", func(s string) string { return strings.Replace(s, "package main", "package main // again", 1) }, nil, "example.com/case"},
		{"b", func(s string) string { return strings.Replace(s, "package b", "package b // again", 1) }, nil, "example.com/case example.com/case/b"},
		{"c", func(s string) string { return strings.Replace(s, "package c", "package c // again", 1) }, nil, "example.com/case example.com/case/b example.com/case/c"},
		{"dep", func(s string) string { return strings.Replace(s, "package dep", "package dep // again", 1) }, nil, "example.com/case example.com/dep"},
		{"as at first", nil, nil, ""},
		{"cut", nil, func(raw []byte) []byte { return raw[:len(raw)/2] }, "example.com/case example.com/case/b example.com/case/c example.com/dep"},
		{"changed", nil, func(raw []byte) []byte {
			return []byte(strings.Replace(string(raw), `"Line":9`, `"Line":8`, 1))
		}, "example.com/case"},
	} {
		src := shouting
		if tc.change != nil {
			src = tc.change(src)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if tc.damage == nil {
				break
			}
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, tc.damage(raw), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		memory, err := NewMemory(dir)
		if err != nil {
			t.Fatal(err)
		}
		q := new(quiet)
		found, err := programOf(t, txtar.Parse([]byte(src)).Files).analyze(t.Context(), []*Code{q.rule()}, memory)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = found
			if len(want) != 5 {
				t.Errorf("found %v, want three that shout and two packages", want)
			}
		}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("%s: found (-want +got):\n%s", tc.name, diff)
		}
		slices.Sort(q.looked)
		if diff := cmp.Diff(tc.looked, strings.Join(q.looked, " ")); diff != "" {
			t.Errorf("%s: looked at (-want +got):\n%s", tc.name, diff)
		}
	}
}

// Another rule, architecture or version of the language is another question.
func TestMemoryKeys(t *testing.T) {
	memory, err := NewMemory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	rules := []*Code{new(quiet).rule()}
	keys := make(map[string]string)
	for name, change := range map[string]func(*Program){
		"as it is":         func(*Program) {},
		"architecture":     func(p *Program) { p.Arch = "mips" },
		"language":         func(p *Program) { p.Packages[0].Go = "1.20" },
		"module":           func(p *Program) { p.Packages[0].Module += "x" },
		"path":             func(p *Program) { p.Packages[0].Path += "x" },
		"another's":        func(p *Program) { p.Packages[0].Own = false },
		"name of a file":   func(p *Program) { p.Packages[0].Files[0].Name += "x" },
		"content":          func(p *Program) { p.Packages[0].Files[0].Content = []byte("package main") },
		"what was meant":   func(p *Program) { p.Packages[0].Imports = map[string]string{"a": "b"} },
		"what is imported": func(p *Program) { p.Packages[0].Direct = append(p.Packages[0].Direct, "os") },
		"what was compiled": func(p *Program) {
			p.ID = func(string) string { return "another" }
		},
	} {
		p := programOf(t, txtar.Parse([]byte("-- main.go --\npackage main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println() }\n")).Files)
		change(p)
		r := &run{Program: p, rules: rules, memory: memory}
		key := r.keyOf(&seen{Package: p.Packages[0]})
		if was, ok := keys[key]; ok || key == "" {
			t.Errorf("%s and %s have the key %q", name, was, key)
		}
		keys[key] = name
	}
	p := programOf(t, txtar.Parse([]byte("-- main.go --\npackage main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println() }\n")).Files)
	p.ID = func(string) string { return "" }
	if key := (&run{Program: p, rules: rules, memory: memory}).keyOf(&seen{Package: p.Packages[0]}); key != "" {
		t.Errorf("what imports a package that nobody can name has the key %q", key)
	}
}

// Every case of every rule is found from memory as it was found at first, and so is a
// main package whose imports are remembered.
func TestCodeFromMemory(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if folder := filepath.Base(filepath.Dir(file)); folder != "good" && !slices.ContainsFunc(CodeRules, func(c *Code) bool { return c.Name == folder }) {
			continue
		}
		t.Run(file, func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := programOf(t, archive.Files)
			memory, err := NewMemory(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			var want []Diagnostic
			for _, how := range []string{"at first", "from memory", "with facts from memory"} {
				if how == "with facts from memory" {
					last := p.Packages[len(p.Packages)-1]
					last.Files[0].Content = append(slices.Clip(last.Files[0].Content), "\n// changed\n"...)
				}
				found, err := p.analyze(t.Context(), CodeRules, memory)
				if err != nil {
					t.Fatal(err)
				}
				if how == "at first" {
					want = found
				}
				// A file that has changed has another sum, and what is to be mended is the same.
				if diff := cmp.Diff(want, found, cmpopts.IgnoreFields(Fix{}, "Sum")); diff != "" {
					t.Errorf("%s (-want +got):\n%s", how, diff)
				}
			}
		})
	}
}

// Packages that import the same ones are looked at together: run with -race.
func TestTogether(t *testing.T) {
	var src strings.Builder
	for i := range 24 {
		fmt.Fprintf(&src, "-- p%d/p.go --\npackage p%[1]d\n\nimport (\n\t%q\n\t%q\n)\n\nvar _ = http.DefaultClient.Timeout\n\nvar _ %s\n", i, "net/http",
			[]string{"net/url", "crypto/tls", "context"}[i%3], []string{"url.URL", "tls.Config", "context.Context"}[i%3])
	}
	q := new(quiet)
	if _, err := programOf(t, txtar.Parse([]byte(src.String())).Files).analyze(t.Context(), []*Code{q.rule()}, nil); err != nil {
		t.Fatal(err)
	}
	if len(q.looked) != 24 {
		t.Errorf("looked at %d packages, want 24", len(q.looked))
	}
}
