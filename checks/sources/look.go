package sources

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"runtime"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/inspector"
)

// look analyzes one package, when those that it imports have been.
func (r *run) look(s *seen) error {
	pkg := s.Package
	fset := token.NewFileSet()
	var files []*ast.File
	wrong := &TypeError{Package: pkg.Path}
	mode := parser.SkipObjectResolution
	if pkg.Own {
		mode |= parser.ParseComments
	}
	for _, f := range pkg.Files {
		parsed, err := parser.ParseFile(fset, f.Name, f.Content, mode)
		if err != nil {
			wrong.Errors = append(wrong.Errors, err)
			continue
		}
		files = append(files, parsed)
	}
	info := &types.Info{
		Types: make(map[ast.Expr]types.TypeAndValue), Instances: make(map[*ast.Ident]types.Instance),
		Defs: make(map[*ast.Ident]types.Object), Uses: make(map[*ast.Ident]types.Object),
		Implicits: make(map[ast.Node]types.Object), Selections: make(map[*ast.SelectorExpr]*types.Selection),
		Scopes: make(map[ast.Node]*types.Scope), FileVersions: make(map[*ast.File]string),
	}
	config := &types.Config{
		Importer: mapped{r, pkg},
		Sizes:    types.SizesFor("gc", cmp.Or(r.Arch, runtime.GOARCH)),
		Error:    func(err error) { wrong.Errors = append(wrong.Errors, err) },
	}
	if pkg.Go != "" {
		config.GoVersion = "go" + pkg.Go
	}
	var typed *types.Package
	walked := make(chan *inspector.Inspector, 1) // which wants no types
	if len(wrong.Errors) == 0 {
		go func() { walked <- inspector.New(files) }()
		typed, _ = config.Check(pkg.Path, fset, files, info) // which tells of every error
	}
	if len(wrong.Errors) > 0 {
		return wrong
	}
	if s.Fresh {
		s.typed = typed
	}
	s.facts = newPackageFacts()
	w := &work{
		seen: s, rules: r.rules, fset: fset, files: files, typed: typed, info: info, sizes: config.Sizes,
		walked: walked, parts: make(map[*analysis.Analyzer]*part),
	}
	if err := w.do(); err != nil {
		return err
	}
	if pkg.Own {
		ignores, err := ignoresOf(fset, files, pkg.content)
		if err != nil {
			return err
		}
		s.found = mark(pkg.Path, r.rules, ignores, s.found)
	}
	return r.remember(s)
}

// content returns what is in a file of the package.
func (pkg *Package) content(name string) ([]byte, error) {
	for _, f := range pkg.Files {
		if f.Name == name {
			return bytes.Clone(f.Content), nil
		}
	}
	return nil, fmt.Errorf("%s is not of package %s", name, pkg.Path)
}

// told is a diagnostic without the syntax that it is about.
func (pkg *Package) told(rule *Code, d analysis.Diagnostic, fset *token.FileSet, files []*ast.File) Diagnostic {
	at := fset.PositionFor(d.Pos, false) // and not where a line directive says
	out := Diagnostic{
		Rule: rule.Name, Category: d.Category, Message: d.Message, In: pkg.Path,
		File: at.Filename, Line: at.Line, Column: at.Column,
	}
	for _, f := range files {
		if f.FileStart <= d.Pos && d.Pos < f.FileEnd {
			out.In += enclosing(f, d.Pos)
			out.Generated = ast.IsGenerated(f)
		}
	}
	if len(d.SuggestedFixes) > 0 && !out.Generated { // whose generator is to be mended
		for _, e := range d.SuggestedFixes[0].TextEdits {
			end := e.End
			if !end.IsValid() {
				end = e.Pos
			}
			file := fset.File(e.Pos)
			content, _ := pkg.content(file.Name()) // which has been parsed
			out.Fixes = append(out.Fixes, Fix{file.Name(), file.Offset(e.Pos), file.Offset(end), string(e.NewText), sumOf(content)})
		}
	}
	return out
}

// enclosing is the name of the function that a position is in, with a dot, or empty.
func enclosing(f *ast.File, pos token.Pos) string {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || pos < fn.Pos() || fn.End() <= pos {
			continue
		}
		if fn.Recv != nil && len(fn.Recv.List) == 1 {
			on := fn.Recv.List[0].Type
			if star, ok := on.(*ast.StarExpr); ok {
				on = star.X
			}
			switch generic := on.(type) {
			case *ast.IndexExpr:
				on = generic.X
			case *ast.IndexListExpr:
				on = generic.X
			}
			if id, ok := on.(*ast.Ident); ok {
				return "." + id.Name + "." + fn.Name.Name
			}
		}
		return "." + fn.Name.Name
	}
	return ""
}
