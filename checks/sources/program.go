package sources

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/tools/go/analysis"

	"temper/checks"
)

// A Program is Go code that is looked at together: the packages of a repository, and
// those of its dependencies that the rules want to know about.
type Program struct {
	// Packages come after those that they import.
	Packages []*Package
	// Export opens what the compiler wrote about a package, by its path.
	Export func(path string) (io.ReadCloser, error)
	// Arch is the GOARCH that the program is for.
	Arch string
}

// A Package is one package of a program.
type Package struct {
	// Path is its import path, and Go the language version of its module, such as
	// "1.26"; empty for the newest. Module is the path of the module.
	Path, Go, Module string
	Files            []File
	// Imports holds the paths of the packages that an import means where that is not
	// what it says, as in a vendored program.
	Imports map[string]string
	// Own tells that it is of the repository. Of the others only what the rules need to
	// know is worked out.
	Own bool
}

// A File is one Go file as the compiler sees it.
type File struct {
	// Name is what findings call it: its path in the repository, with slashes.
	Name    string
	Content []byte
}

// A TypeError says what keeps a package from being looked at.
type TypeError struct {
	Package string
	Errors  []error
}

func (e *TypeError) Error() string {
	const most = 10
	var b strings.Builder
	fmt.Fprintf(&b, "package %s does not type-check, so nobody has looked at it:", e.Package)
	for i, err := range e.Errors {
		if i == most {
			fmt.Fprintf(&b, "\n%d more", len(e.Errors)-most)
			break
		}
		fmt.Fprintf(&b, "\n%v", err)
	}
	return b.String()
}

// Check looks at the program by the rules. The name is what the report calls it.
func (p *Program) Check(ctx context.Context, name string, rules []*Code) (*checks.Report, error) {
	found, err := p.analyze(ctx, rules)
	if err != nil {
		return nil, err
	}
	var set []*checks.Check[[]Diagnostic]
	for _, rule := range rules {
		set = append(set, &checks.Check[[]Diagnostic]{Rule: rule.Rule, Run: rule.tell})
	}
	return checks.Run(ctx, checks.Subject{Name: name}, "", found, set)
}

// A Diagnostic is what an analyzer says about a place in a program.
type Diagnostic struct {
	Rule, Category, Message string
	// In is the function that it stands in, with its package, or the package alone.
	In           string
	File         string
	Line, Column int
	Fixes        []Fix `json:",omitempty"`
}

// A Fix replaces the bytes from Start to End of a file, which count from 0.
type Fix struct {
	File       string
	Start, End int
	New        string
}

// tell reports the diagnostics of a rule.
func (c *Code) tell(all []Diagnostic, p *checks.Pass) error {
	for _, d := range all {
		if d.Rule != c.Name {
			continue
		}
		message, fix, _ := strings.Cut(d.Message, "\n")
		if d.Category == Undecided {
			p.Undecidedf(fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Column), "%s; temper probe asks the running server", message)
			continue
		}
		p.Reportf(d.In, "%s", message)
		p.At(d.File, d.Line, d.Column)
		if fix != "" {
			p.Fixf("%s", fix)
		}
	}
	return nil
}

// A run is one look at a program.
type run struct {
	*Program
	rules     []*Code
	mu        sync.Mutex // of the importer
	compiled  types.Importer
	facts     map[string]*packageFacts // by path
	ready     map[string]chan struct{}
	factsLock sync.Mutex
}

func (p *Program) analyze(ctx context.Context, rules []*Code) ([]Diagnostic, error) {
	r := &run{Program: p, rules: rules, facts: make(map[string]*packageFacts), ready: make(map[string]chan struct{})}
	r.compiled = importer.ForCompiler(token.NewFileSet(), "gc", p.Export)
	for _, pkg := range p.Packages {
		r.ready[pkg.Path] = make(chan struct{})
	}
	found := make([][]Diagnostic, len(p.Packages))
	wrong := make([]error, len(p.Packages))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0)) // none waits for a later one
	for i, pkg := range p.Packages {
		g.Go(func() error {
			defer close(r.ready[pkg.Path])
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			found[i], err = r.look(ctx, pkg)
			if broken := (*TypeError)(nil); errors.As(err, &broken) {
				wrong[i] = err
				return nil // and tell of the others as well
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	all := slices.Concat(found...)
	slices.SortStableFunc(all, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column, cmp.Compare(a.Message, b.Message))
	})
	return all, nil
}

// Import gives the types of a package to those that import it, from what the compiler
// wrote. It is of the same types for all of them.
func (r *run) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.compiled.Import(path)
}

// mapped imports as one package does.
type mapped struct {
	*run
	of *Package
}

func (m mapped) Import(path string) (*types.Package, error) {
	if to, ok := m.of.Imports[path]; ok {
		path = to
	}
	return m.run.Import(path)
}

// look analyzes one package, when those that it imports have been.
func (r *run) look(ctx context.Context, pkg *Package) ([]Diagnostic, error) {
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
	if len(wrong.Errors) == 0 {
		typed, _ = config.Check(pkg.Path, fset, files, info) // which tells of every error
	}
	if len(wrong.Errors) > 0 {
		return nil, wrong
	}
	if err := r.await(ctx, typed); err != nil {
		return nil, err
	}
	return r.apply(pkg, fset, files, typed, info, config.Sizes)
}

// await returns when the facts of all that a package imports are there.
func (r *run) await(ctx context.Context, typed *types.Package) error {
	for _, imported := range typed.Imports() {
		ready, ok := r.ready[imported.Path()]
		if !ok {
			continue
		}
		select {
		case <-ready:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// apply runs the analyzers on a package that is typed.
func (r *run) apply(pkg *Package, fset *token.FileSet, files []*ast.File, typed *types.Package, info *types.Info, sizes types.Sizes) ([]Diagnostic, error) {
	own := newPackageFacts()
	results := make(map[*analysis.Analyzer]any)
	var found []Diagnostic
	var do func(a *analysis.Analyzer, report func(analysis.Diagnostic)) error
	do = func(a *analysis.Analyzer, report func(analysis.Diagnostic)) error {
		if _, done := results[a]; done {
			return nil
		}
		of := make(map[*analysis.Analyzer]any)
		for _, need := range a.Requires {
			if err := do(need, func(analysis.Diagnostic) {}); err != nil {
				return err
			}
			of[need] = results[need]
		}
		p := &analysis.Pass{
			Analyzer: a, Fset: fset, Files: files, Pkg: typed, TypesInfo: info, TypesSizes: sizes, ResultOf: of,
			Report: report, Module: &analysis.Module{Path: pkg.Module, GoVersion: pkg.Go},
			ReadFile: func(name string) ([]byte, error) {
				for _, f := range pkg.Files {
					if f.Name == name {
						return bytes.Clone(f.Content), nil
					}
				}
				return nil, fmt.Errorf("%s is not of package %s", name, pkg.Path)
			},
		}
		r.give(p, own)
		result, err := a.Run(p)
		if err != nil {
			return fmt.Errorf("%s of package %s: %w", a.Name, pkg.Path, err)
		}
		results[a] = result
		return nil
	}
	for _, rule := range r.rules {
		if !pkg.Own && !hasFacts(rule.Analyzer) {
			continue
		}
		report := func(d analysis.Diagnostic) {
			if pkg.Own {
				found = append(found, told(rule, d, fset, files, typed))
			}
		}
		if err := do(rule.Analyzer, report); err != nil {
			return nil, err
		}
	}
	r.factsLock.Lock()
	r.facts[pkg.Path] = own
	r.factsLock.Unlock()
	return found, nil
}

// hasFacts tells whether an analyzer, or one that it needs, says something about a
// package to those that import it.
func hasFacts(a *analysis.Analyzer) bool {
	return len(a.FactTypes) > 0 || slices.ContainsFunc(a.Requires, hasFacts)
}

// told is a diagnostic without the syntax that it is about.
func told(rule *Code, d analysis.Diagnostic, fset *token.FileSet, files []*ast.File, typed *types.Package) Diagnostic {
	at := fset.Position(d.Pos)
	out := Diagnostic{
		Rule: rule.Name, Category: d.Category, Message: d.Message, In: typed.Path(),
		File: at.Filename, Line: at.Line, Column: at.Column,
	}
	for _, f := range files {
		if f.FileStart <= d.Pos && d.Pos < f.FileEnd {
			out.In += enclosing(f, d.Pos)
		}
	}
	if len(d.SuggestedFixes) > 0 {
		for _, e := range d.SuggestedFixes[0].TextEdits {
			end := e.End
			if !end.IsValid() {
				end = e.Pos
			}
			file := fset.File(e.Pos)
			out.Fixes = append(out.Fixes, Fix{file.Name(), file.Offset(e.Pos), file.Offset(end), string(e.NewText)})
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
