package sources

import (
	"go/ast"
	"go/types"
	"reflect"
	"slices"
	"sort"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// A sites knows where the code of a package, without its tests, calls whom, and makes
// and fills values of which types. Most rules are about a few functions or one type; each
// of them would walk over the whole package for what is seldom there.
type sites struct {
	// names are the full names of the functions that are mentioned, without type arguments.
	names map[*types.Func]string
	calls map[string][]inspector.Cursor
	// values are the calls of functions that variables hold, or that other calls return.
	values []inspector.Cursor
	// made are the literals of a type, the variables of it without a value, and what new
	// makes of it; filled are the assignments to fields of it.
	made, filled map[*types.TypeName][]inspector.Cursor
}

var sitesOf = &analysis.Analyzer{
	Name:       "sites",
	Doc:        "where a package calls functions, and makes values",
	Requires:   []*analysis.Analyzer{inspect.Analyzer},
	ResultType: reflect.TypeFor[*sites](),
	Run: func(a *analysis.Pass) (any, error) {
		p := &pass{Pass: a, in: a.ResultOf[inspect.Analyzer].(*inspector.Inspector)}
		s := &sites{
			names: make(map[*types.Func]string), calls: make(map[string][]inspector.Cursor),
			made: make(map[*types.TypeName][]inspector.Cursor), filled: make(map[*types.TypeName][]inspector.Cursor),
		}
		for _, used := range p.TypesInfo.Uses {
			if fn, ok := used.(*types.Func); ok {
				if fn = fn.Origin(); s.names[fn] == "" {
					s.names[fn] = fn.FullName()
				}
			}
		}
		of := make(map[*types.Func][]inspector.Cursor)
		for _, file := range p.code() {
			for c := range file.Preorder((*ast.CallExpr)(nil), (*ast.CompositeLit)(nil), (*ast.ValueSpec)(nil), (*ast.AssignStmt)(nil)) {
				s.see(p, c, of)
			}
		}
		for fn, calls := range of {
			name := fn.FullName()
			s.calls[name] = append(s.calls[name], calls...)
		}
		return s, nil
	},
}

// see notes a node of the package.
func (s *sites) see(p *pass, c inspector.Cursor, of map[*types.Func][]inspector.Cursor) {
	add := func(to map[*types.TypeName][]inspector.Cursor, t types.Type) {
		n, ok := types.Unalias(t).(*types.Named)
		if !ok {
			return
		}
		if all := to[n.Obj()]; len(all) == 0 || all[len(all)-1] != c {
			to[n.Obj()] = append(all, c)
		}
	}
	switch n := c.Node().(type) {
	case *ast.CallExpr:
		switch fn := typeutil.Callee(p.TypesInfo, n).(type) {
		case *types.Func:
			of[fn.Origin()] = append(of[fn.Origin()], c)
		case *types.Builtin:
			if fn.Name() == "new" {
				add(s.made, p.TypesInfo.TypeOf(n.Args[0]))
			}
		case nil, *types.Var:
			if !p.TypesInfo.Types[n.Fun].IsType() {
				s.values = append(s.values, c)
			}
		}
	case *ast.CompositeLit:
		add(s.made, made(p.TypesInfo.TypeOf(n)))
	case *ast.ValueSpec:
		for _, id := range n.Names {
			if v := p.TypesInfo.Defs[id]; v != nil && len(n.Values) == 0 {
				add(s.made, v.Type())
			}
		}
	case *ast.AssignStmt:
		if len(n.Lhs) != len(n.Rhs) {
			return
		}
		for _, lhs := range n.Lhs {
			if sel, ok := ast.Unparen(lhs).(*ast.SelectorExpr); ok {
				add(s.filled, made(p.fieldOf(sel)))
			}
		}
	}
}

// callsOf are the calls of functions by their full names, such as net/http.SetCookie or
// (*net/http.Request).FormValue, in the order of the source.
func (p *pass) callsOf(names ...string) []inspector.Cursor {
	var all [][]inspector.Cursor
	for _, name := range names {
		all = append(all, p.sites.calls[name])
	}
	return merged(all)
}

// callsWhere are the calls of all functions whose full name is one that is asked for, in
// the order of the source.
func (p *pass) callsWhere(is func(name string) bool) []inspector.Cursor {
	var all [][]inspector.Cursor
	for name, calls := range p.sites.calls {
		if is(name) {
			all = append(all, calls)
		}
	}
	return merged(all)
}

// mentions tells that a function is called or used as a value whose full name is one
// that is asked for.
func (p *pass) mentions(is func(name string) bool) bool {
	for _, name := range p.sites.names {
		if is(name) {
			return true
		}
	}
	return false
}

// placesOf are the places of a type, in the order of the source.
func placesOf(in map[*types.TypeName][]inspector.Cursor, pkg, name string) []inspector.Cursor {
	var all [][]inspector.Cursor
	for t, places := range in {
		if t.Name() == name && t.Pkg() != nil && t.Pkg().Path() == pkg {
			all = append(all, places)
		}
	}
	return merged(all)
}

// merged puts lists of places into the order of the source.
func merged(lists [][]inspector.Cursor) []inspector.Cursor {
	all := slices.Concat(lists...)
	sort.Slice(all, func(i, j int) bool { return all[i].Index() < all[j].Index() })
	return all
}

// fullName is the full name of a function, such as net/http.SetCookie or
// (*net/http.Request).FormValue.
func (p *pass) fullName(fn *types.Func) string {
	if p.sites != nil {
		if name, ok := p.sites.names[fn]; ok {
			return name
		}
	}
	return fn.FullName()
}
