package sources

import (
	"go/ast"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/go/analysis"
)

// Code that a fix writes can name a package, whatever the file imports and whatever
// has its name. Where "here" is called, time is asked for.
func TestImporting(t *testing.T) {
	for name, tc := range map[string]struct{ src, name, want string }{
		"there": {
			"package a\n\nimport \"time\"\n\nvar _ time.Time\n\nfunc f() { here() }",
			"time", "import \"time\"",
		},
		"there by another name": {
			"package a\n\nimport clock \"time\"\n\nvar _ clock.Time\n\nfunc f() { here() }",
			"clock", "import clock \"time\"",
		},
		"for its effects only": {
			"package a\n\nimport _ \"time\"\n\nfunc f() { here() }",
			"time", "import \"time\"\nimport _ \"time\"",
		},
		"none": {
			"package a // of a\n\nfunc f() { here() }",
			"time", "import \"time\" // of a",
		},
		"one": {
			"package a\n\n// to print\nimport \"fmt\"\n\nfunc f() { here(); fmt.Println() }",
			"time", "import \"time\"\n\n// to print\nimport \"fmt\"",
		},
		"many": {
			"package a\n\nimport (\n\t\"fmt\" // prints\n\t// and the system\n\t\"os\"\n)\n\nfunc f() { here(); fmt.Println(os.Args) }",
			"time", "import (\n\t\"fmt\" // prints\n\t\"time\"\n\t// and the system\n\t\"os\"\n)",
		},
		"shadowed": {
			"package a\n\nimport \"time\"\n\nvar _ time.Time\n\nfunc f(time int) { here() }",
			"time2", "import time2 \"time\"\nimport \"time\"",
		},
		"a variable of the package": {
			"package a\n\nvar time, time2 int\n\nfunc f() { here() }",
			"time3", "import time3 \"time\"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, file := passOver(t, tc.src)
			var at token.Pos
			ast.Inspect(file, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && id.Name == "here" && !at.IsValid() {
					at = id.Pos()
				}
				return true
			})
			got, edits := p.importing(at, "time")
			if got != tc.name {
				t.Errorf("time is called %s, want %s", got, tc.name)
			}
			src := tc.src
			for _, e := range edits {
				offset := p.Fset.Position(e.Pos).Offset
				src = src[:offset] + string(e.NewText) + src[offset:]
			}
			src = strings.Replace(src, "here()", got+".Sleep(0)", 1)
			formatted, err := format.Source([]byte(src))
			if err != nil {
				t.Fatalf("%v\n%s", err, src)
			}
			_, imports, _ := strings.Cut(string(formatted), "package a\n\n")
			imports, _, _ = strings.Cut(strings.TrimPrefix(imports, "package a\n\n"), "\n\nfunc")
			imports, _, _ = strings.Cut(imports, "\n\nvar")
			if diff := cmp.Diff(tc.want, imports); diff != "" {
				t.Errorf("imports (-want +got):\n%s", diff)
			}
			passOver(t, string(formatted)) // it type-checks
		})
	}
}

// passOver type-checks a file as an analyzer would see it; "here" is declared beside it.
func passOver(t *testing.T, src string) (*pass, *ast.File) {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for name, text := range map[string]string{"a.go": src, "here.go": "package a\n\nfunc here() {}\n"} {
		f, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		files = append(files, f)
	}
	info := &types.Info{Scopes: make(map[ast.Node]*types.Scope), Defs: make(map[*ast.Ident]types.Object), Implicits: make(map[ast.Node]types.Object)}
	std, err := exports()
	if err != nil {
		t.Fatal(err)
	}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(std[path]) })}
	pkg, err := config.Check("a", fset, files, info)
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	p := &pass{Pass: &analysis.Pass{Fset: fset, Files: files, Pkg: pkg, TypesInfo: info}}
	for _, f := range files {
		if fset.File(f.Pos()).Name() == "a.go" {
			return p, f
		}
	}
	return nil, nil
}
