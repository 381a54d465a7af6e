package pattern_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"temper/checks/pattern"
)

func TestNew(t *testing.T) {
	word := pattern.New(`^[a-z]+$`)
	first := word()
	if !first.MatchString("abc") || first.MatchString("a1") || word() != first {
		t.Error("it is not the one expression that was given")
	}
	defer func() {
		if recover() == nil {
			t.Error("a malformed expression is taken")
		}
	}()
	pattern.New(`(`)()
}

// Every expression of the program is well-formed, and none is compiled before
// somebody asks for it.
func TestProgram(t *testing.T) {
	count := 0
	for _, dir := range []string{"../../checks", "../../pipeline"} {
		err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.Name() == "testdata" {
				return fs.SkipDir
			}
			if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return nil
			}
			tokens := token.NewFileSet()
			tree, err := parser.ParseFile(tokens, file, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, d := range tree.Decls {
				_, runs := d.(*ast.FuncDecl)
				ast.Inspect(d, func(n ast.Node) bool {
					if _, ok := n.(*ast.FuncLit); ok {
						runs = true // or may: what is in it is not of the start
					}
					call, ok := n.(*ast.CallExpr)
					if !ok {
						return true
					}
					switch at := tokens.Position(call.Pos()); called(call) {
					case "regexp.MustCompile":
						if !runs {
							t.Errorf("%s: regexp.MustCompile at the start of every command, want pattern.New", at)
						}
					case "pattern.New":
						text, ok := constant(t, call.Args[0])
						if !ok {
							return true // such as of credentials, whose own test compiles them
						}
						if _, err := regexp.Compile(text); err != nil {
							t.Errorf("%s: %v", at, err)
						}
						count++
					}
					return true
				})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if count < 50 {
		t.Errorf("%d expressions were found: these are not all", count)
	}
}

// constant is the text of a string that is written out, of several parts perhaps.
func constant(t *testing.T, e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		if err != nil {
			t.Fatal(err)
		}
		return text, true
	case *ast.BinaryExpr:
		left, ok := constant(t, e.X)
		right, also := constant(t, e.Y)
		return left + right, ok && also && e.Op == token.ADD
	}
	return "", false
}

// called is the function of another package that is called, empty if it is none.
func called(call *ast.CallExpr) string {
	if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
		if of, ok := sel.X.(*ast.Ident); ok {
			return of.Name + "." + sel.Sel.Name
		}
	}
	return ""
}
