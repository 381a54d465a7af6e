package sources

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// importing returns the name by which code at a position can speak of a package of the
// standard library, and the edit that adds its import to the file; none where the file
// imports it and nothing nearer has its name.
func (p *pass) importing(at token.Pos, of string) (name string, edits []analysis.TextEdit) {
	file := p.fileOf(at)
	scope := p.TypesInfo.Scopes[file].Innermost(at)
	if scope == nil {
		scope = p.TypesInfo.Scopes[file]
	}
	for _, spec := range file.Imports {
		if to, err := strconv.Unquote(spec.Path.Value); err != nil || to != of {
			continue
		}
		if o := p.TypesInfo.PkgNameOf(spec); o != nil && o.Name() != "_" && o.Name() != "." {
			if _, found := scope.LookupParent(o.Name(), at); found == types.Object(o) {
				return o.Name(), nil
			}
		}
	}
	name = path.Base(of)
	for i := 2; ; i++ {
		// What is declared below in the same block is in the way as well.
		if _, taken := scope.LookupParent(name, token.NoPos); taken == nil {
			break
		}
		name = path.Base(of) + strconv.Itoa(i)
	}
	spec := strconv.Quote(of)
	if name != path.Base(of) {
		spec = name + " " + spec
	}
	pos, text := placeOf(file, spec)
	return name, []analysis.TextEdit{{Pos: pos, End: pos, NewText: []byte(text)}}
}

func (p *pass) fileOf(at token.Pos) *ast.File {
	for _, f := range p.Files {
		if f.FileStart <= at && at < f.FileEnd {
			return f
		}
	}
	panic(fmt.Sprintf("position %v is in no file of %s", p.Fset.Position(at), p.Pkg.Path()))
}

// placeOf says where an import goes and as what text: beside others of the standard
// library, whose order is gofmt's. The same import always gives the same text, and
// another one at the same place does no harm, so that many fixes go together.
func placeOf(file *ast.File, spec string) (token.Pos, string) {
	if len(file.Imports) == 0 {
		return file.Name.End(), "\n\nimport " + spec
	}
	decl := file.Decls[0].(*ast.GenDecl) // imports come first
	if !decl.Lparen.IsValid() {
		return start(decl, decl.Doc), "import " + spec + "\n"
	}
	for _, s := range decl.Specs {
		if s := s.(*ast.ImportSpec); isStandard(s.Path.Value) {
			return start(s, s.Doc), spec + "\n\t"
		}
	}
	return decl.Lparen + 1, "\n\t" + spec + "\n"
}

// start is where a node begins with what is said of it.
func start(n ast.Node, doc *ast.CommentGroup) token.Pos {
	if doc != nil {
		return doc.Pos()
	}
	return n.Pos()
}

// isStandard tells whether an import, in quotes, is one of the standard library: other
// paths begin with the name of a host.
func isStandard(quoted string) bool {
	to, err := strconv.Unquote(quoted)
	first, _, _ := strings.Cut(to, "/")
	return err == nil && to != "C" && !strings.Contains(first, ".")
}
