package engine

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The module in pipeline/module is a program of its own, which needs generated
// code to compile. So its source is read here: the functions that dagger shows are
// those that are exported.

const moduleDir = "../module"

// A moduleFunction is one that dagger shows, with what it says of its arguments.
type moduleFunction struct {
	*ast.FuncDecl
	arguments map[string]string
}

// moduleFunctions are the exported functions of the module, by "Type.Name", and
// New.
func moduleFunctions(t *testing.T) map[string]moduleFunction {
	t.Helper()
	entries, err := os.ReadDir(moduleDir)
	if err != nil {
		t.Fatal(err)
	}
	functions := make(map[string]moduleFunction)
	files := token.NewFileSet()
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || e.Name() == "dagger.gen.go" {
			continue
		}
		file, err := parser.ParseFile(files, filepath.Join(moduleDir, e.Name()), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() {
				continue
			}
			name := f.Name.Name
			if f.Recv != nil {
				name = strings.TrimPrefix(typeName(f.Recv.List[0].Type), "*") + "." + name
			}
			functions[name] = moduleFunction{f, argumentsOf(files, file, f)}
		}
	}
	return functions
}

// argumentsOf are the comments above arguments, where Go itself knows none.
func argumentsOf(files *token.FileSet, file *ast.File, f *ast.FuncDecl) map[string]string {
	above := make(map[int]string)
	for _, c := range file.Comments {
		above[files.Position(c.End()).Line+1] = c.Text()
	}
	arguments := make(map[string]string)
	for _, field := range f.Type.Params.List {
		if typeName(field.Type) != "context.Context" {
			arguments[field.Names[0].Name] = above[files.Position(field.Pos()).Line]
		}
	}
	return arguments
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return "*" + typeName(e.X)
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return typeName(e.X) + "." + e.Sel.Name
	}
	return ""
}

// What package engine can do, dagger call can: each of its methods that makes or
// answers something is called by a function of the module.
func TestModuleHasAllOfThePipeline(t *testing.T) {
	called := make(map[string]bool)
	for _, f := range moduleFunctions(t) {
		ast.Inspect(f.FuncDecl, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				called[s.Sel.Name] = true
			}
			return true
		})
	}
	// Report and ReportFile are one function, with a format, and so are Probe and
	// ProbeFile. The registry in memory lives as long as a session, and Volume is a
	// name.
	within := []string{"Report", "Probe", "RegistryService", "Volume"}
	pipeline := reflect.TypeFor[*Pipeline]()
	for i := range pipeline.NumMethod() {
		name := pipeline.Method(i).Name
		if !called[name] && !slices.Contains(within, name) {
			t.Errorf("no function of the module calls Pipeline.%s", name)
		}
	}
}

// What asks a registry or makes a secret is asked each time: an engine keeps a
// function's answer for days, and a stale "verified" is a lie.
func TestModuleKeepsNoAnswerThatGoesStale(t *testing.T) {
	functions := moduleFunctions(t)
	stale := func(f moduleFunction) bool {
		found := false
		ast.Inspect(f.FuncDecl, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains([]string{"Release", "Publish", "Verify", "Keygen", "ProbeFile"}, s.Sel.Name) {
				found = true
			}
			return true
		})
		return found
	}
	var want, got []string
	for name, f := range functions {
		if stale(f) {
			want = append(want, name)
		}
		if strings.Contains(f.Doc.Text(), `+cache="never"`) {
			got = append(got, name)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("functions that are never cached (-want +got):\n%s", diff)
	}
	if len(want) < 5 {
		t.Errorf("only %q ask a registry: the test looks for the wrong names", want)
	}
	// dagger check runs these without an argument.
	for _, name := range []string{"Temper.Check", "Temper.Probe"} {
		f, ok := functions[name]
		if !ok || !strings.Contains(f.Doc.Text(), "+check") || len(f.Type.Params.List) != 1 {
			t.Errorf("%s is no check that dagger check runs", name)
		}
	}
}

// Whoever types dagger call --help reads these: every function and every argument
// says what it is, in a line that is whole.
func TestModuleIsDocumented(t *testing.T) {
	for name, f := range moduleFunctions(t) {
		text := f.Doc.Text()
		if name != "New" && !whole(firstLine(text)) {
			t.Errorf("%s has no whole sentence as its first line: %q", name, firstLine(text))
		}
		for argument, says := range f.arguments {
			says, _, _ = strings.Cut(says, "\n+")
			if !whole(strings.TrimSpace(says)) {
				t.Errorf("%s says of %s: %q, want a whole sentence", name, argument, says)
			}
		}
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n\n")
	return strings.Join(strings.Fields(line), " ")
}

func whole(sentence string) bool {
	return sentence != "" && strings.ToUpper(sentence[:1]) == sentence[:1] && strings.HasSuffix(sentence, ".") && !strings.HasPrefix(sentence, "+")
}
