package sources

import (
	"cmp"
	"go/ast"
	"go/token"
	"go/types"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"

	"temper/checks/sources/flow"
)

// boundsHandlers is the fact of a function that it puts an end to the bodies which the
// handler reads that it is given, or returns; of a method, one that it goes on to. With is what does.
type boundsHandlers struct{ With string }

func (*boundsHandlers) AFact()         {}
func (*boundsHandlers) String() string { return "bounds the bodies that handlers read" }

// boundsBodies is the fact of a package that it puts an end to bodies for others, with what. Those
// that the handlers of packages read which it imports may be among them: of all those
// below where the package puts a handler around others, and else of those that it imports
// itself.
type boundsBodies struct {
	With   string
	Around bool
}

func (*boundsBodies) AFact()         {}
func (*boundsBodies) String() string { return "bounds bodies" }

// bodyBounds finds what a package bounds bodies with.
var bodyBounds = &analysis.Analyzer{
	Name:       "bodybounds",
	Doc:        "what a package bounds the bodies of requests with",
	Requires:   []*analysis.Analyzer{inspect.Analyzer},
	FactTypes:  []analysis.Fact{new(boundsHandlers), new(boundsBodies)},
	ResultType: reflect.TypeFor[*boundsBodies](),
	Run: func(a *analysis.Pass) (any, error) {
		b := &bounding{pass: &pass{Pass: a, in: a.ResultOf[inspect.Analyzer].(*inspector.Inspector)}}
		if !b.mentions() {
			return &b.boundsBodies, nil
		}
		each(b.pass, b.function)
		each(b.pass, func(spec *ast.ValueSpec) {
			if b.mentioned(spec) {
				b.look(spec)
			}
		})
		if b.Around || b.passes {
			a.ExportPackageFact(&b.boundsBodies)
		}
		return &b.boundsBodies, nil
	},
}

type bounding struct {
	*pass
	boundsBodies
	// passes tells that a function bounds what another handler reads, and not for itself.
	passes bool
	// at are the places where something is mentioned that puts an end to bodies, sorted.
	at []token.Pos
}

// mentions tells whether anything in a package puts an end to bodies, and finds where,
// before the package is read for it.
func (b *bounding) mentions() bool {
	ends := make(map[*types.Func]bool)
	for id, o := range b.TypesInfo.Uses {
		fn, ok := o.(*types.Func)
		if !ok {
			continue
		}
		if _, known := ends[fn]; !known {
			ends[fn] = fn.Name() == "MaxBytesReader" || fn.Name() == "LimitReader" || b.bounds(fn)
		}
		if ends[fn] {
			b.at = append(b.at, id.Pos())
		}
	}
	slices.Sort(b.at)
	return len(b.at) > 0
}

// mentioned tells that one of these places is in a node.
func (b *bounding) mentioned(in ast.Node) bool {
	i, _ := slices.BinarySearch(b.at, in.Pos())
	return i < len(b.at) && b.at[i] < in.End()
}

// bounds tells that a function of another package bounds what handlers read.
func (b *bounding) bounds(fn *types.Func) bool {
	if fn.Pkg() == nil || fn.Pkg() == b.Pkg {
		return false
	}
	path := fn.Pkg().Path()
	if strings.HasSuffix(path, "/middleware") && (fn.Name() == "RequestSize" || fn.Name() == "BodyLimit" || fn.Name() == "BodyLimitWithConfig") || flow.Is(fn, netHTTP, "MaxBytesHandler") {
		return true
	}
	return aboutHandlers(fn.Signature()) && b.ImportObjectFact(fn.Origin(), new(boundsHandlers))
}

// aboutHandlers tells functions that are given a handler, or return one.
func aboutHandlers(sig *types.Signature) bool {
	for _, list := range []*types.Tuple{sig.Params(), sig.Results()} {
		for v := range list.Variables() {
			t := v.Type()
			if s, ok := t.Underlying().(*types.Signature); ok && (takesWriter(s) || aboutHandlers(s)) {
				return true
			}
			if o, _, _ := types.LookupFieldOrMethod(t, false, nil, "ServeHTTP"); o != nil {
				return true
			}
		}
	}
	return false
}

// function looks at a declared function, and says of it what it does.
func (b *bounding) function(d *ast.FuncDecl) {
	fn, ok := b.TypesInfo.Defs[d.Name].(*types.Func)
	if !ok || d.Body == nil || !b.mentioned(d.Body) {
		return
	}
	if with := b.look(d.Body); with != "" && aboutHandlers(fn.Signature()) {
		b.passes = true
		b.ExportObjectFact(fn, &boundsHandlers{with}) // which go vet wants to have a field
	}
}

// look is what puts an end to bodies in a node, empty if nothing does.
func (b *bounding) look(n ast.Node) (with string) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if fn, ok := typeutil.Callee(b.TypesInfo, n).(*types.Func); ok && b.bounds(fn) {
				with, b.Around = types.ExprString(n.Fun), true
			}
		case *ast.Ident: // a middleware that is used as a value
			if fn, ok := b.TypesInfo.Uses[n].(*types.Func); ok && b.bounds(fn) {
				with, b.Around = cmp.Or(with, fn.Pkg().Name()+"."+fn.Name()), true
			}
		case *ast.AssignStmt:
			for i, lhs := range n.Lhs {
				if len(n.Lhs) == len(n.Rhs) && b.isField(lhs, netHTTP, "Request", "Body") {
					if by := b.limiter(n.Rhs[i]); by != nil {
						with = types.ExprString(by.Fun)
					}
				}
			}
		}
		return true
	})
	b.With = cmp.Or(with, b.With)
	return with
}

// limiter is the call that makes a reader with an end in an expression, nil if none does.
func (p *pass) limiter(e ast.Expr) *ast.CallExpr {
	switch e := ast.Unparen(e).(type) {
	case *ast.CallExpr:
		switch p.callee(e) {
		case "net/http.MaxBytesReader", "io.LimitReader":
			return e
		case "io.NopCloser":
			return p.limiter(e.Args[0])
		}
	case *ast.UnaryExpr:
		return p.limiter(e.X)
	case *ast.CompositeLit: // a reader of the package's own around it
		for _, elt := range e.Elts {
			if kv, ok := elt.(*ast.KeyValueExpr); ok {
				elt = kv.Value
			}
			if by := p.limiter(elt); by != nil {
				return by
			}
		}
	}
	return nil
}

// boundElsewhere turns findings about bodies that are read whole into questions, where a
// package that imports theirs puts an end to some.
func (r *run) boundElsewhere() {
	with := make(map[string]string) // by package
	for _, pkg := range r.Packages {
		if s := r.seen[pkg.Path]; s.facts != nil && pkg.Own {
			if f, ok := s.facts.pkg[reflect.TypeFor[*boundsBodies]()].(*boundsBodies); ok {
				r.below(pkg.Path, f.Around, make(map[string]bool), func(path string) {
					with[path] = cmp.Or(with[path], f.With+" of package "+pkg.Path)
				})
			}
		}
	}
	for path, by := range with {
		found := r.seen[path].found
		for i, d := range found {
			if d.Rule == bodyLimit.Name && d.Category == "" {
				message, _, _ := strings.Cut(d.Message, "\n")
				found[i].Category, found[i].Message, found[i].Fixes = Undecided, "undecided: "+message+" here, and "+by+" bounds some", nil
			}
		}
	}
}

// below calls do for the packages of the repository that one imports, and for those that
// they import if all is true.
func (r *run) below(path string, all bool, seen map[string]bool, do func(path string)) {
	for _, to := range r.seen[path].Direct {
		s := r.seen[to]
		if s == nil || !s.Own || seen[to] {
			continue
		}
		seen[to] = true
		do(to)
		if all {
			r.below(to, all, seen, do)
		}
	}
}
