package sources

import (
	"go/ast"
	"go/types"
	"slices"

	"temper/checks/sources/flow"
)

// serves is the fact of a function that it serves, with a server that Without names
// what it lacks.
type serves struct{ Without string }

func (*serves) AFact()           {}
func (f *serves) String() string { return "serves without " + f.Without }

// returnsServer is the fact of a function that its result of that index is a server with
// these waits.
type returnsServer struct {
	Result int
	Waits  map[string]wait
}

func (*returnsServer) AFact()         {}
func (*returnsServer) String() string { return "returns a server" }

// setsServer is the fact of a function that it sets timeouts of the server that is its
// parameter of that index.
type setsServer struct {
	Param int
	Waits map[string]wait
}

func (*setsServer) AFact()         {}
func (*setsServer) String() string { return "sets the timeouts of a server" }

// state tells others of what functions do with servers.
func (s *serverSet) state() {
	for _, store := range s.Stores {
		if isServerField(store.Field) && isWait(store.Field.Name()) {
			s.stateSets(store)
		}
	}
	for _, srv := range s.servers {
		s.stateReturns(srv)
	}
	s.stateServes()
}

// stateSets notes a store into a parameter.
func (s *serverSet) stateSets(store flow.Store) {
	for key := range s.Keys(store) {
		o, ok := key.(*types.Var)
		if !ok {
			continue
		}
		fn, index, ok := s.Param(o)
		if !ok || index < 0 {
			continue
		}
		sets := setsServer{Param: index, Waits: make(map[string]wait)}
		var before setsServer
		if s.ImportObjectFact(fn, &before) && before.Param == index {
			sets.Waits = before.Waits
		}
		name := store.Field.Name()
		sets.Waits[name] = sets.Waits[name].or(s.waitOf(store.Value))
		s.ExportObjectFact(fn, &sets)
	}
}

// stateReturns notes the exported functions that return a server.
func (s *serverSet) stateReturns(srv *server) {
	for _, name := range s.Pkg.Scope().Names() {
		fn, ok := s.Pkg.Scope().Lookup(name).(*types.Func)
		if !ok || !fn.Exported() {
			continue
		}
		d := s.Decl(fn)
		for i := range fn.Signature().Results().Len() {
			if d == nil || !isServer(fn.Signature().Results().At(i).Type()) {
				continue
			}
			b := flow.Body{Func: fn, Type: d.Type, Block: d.Body}
			for _, r := range s.Returns(b, i) {
				if s.mayBe(r.Expr, srv.key) {
					s.ExportObjectFact(fn, &returnsServer{i, srv.waits})
				}
			}
		}
	}
}

// stateServes notes the functions that serve without timeouts, and those that call
// them.
func (s *serverSet) stateServes() {
	bad := make(map[any]string)
	for _, srv := range s.servers {
		if lack := srv.headerLack(); lack != "" && srv.escapes == "" {
			bad[srv.key] = lack
		}
	}
	if len(bad) == 0 && !s.importsServing() {
		return
	}
	for changed := true; changed; {
		changed = false
		for _, f := range s.Files {
			for _, d := range f.Decls {
				fn, body := s.declared(d)
				if fn == nil || s.bare[fn] != "" {
					continue
				}
				if lack := s.bareIn(body, bad); lack != "" {
					s.bare[fn], changed = lack, true
					s.ExportObjectFact(fn, &serves{lack})
				}
			}
		}
	}
}

func (s *serverSet) importsServing() bool {
	return slices.ContainsFunc(s.Calls, func(c *ast.CallExpr) bool { return s.Serves(c) != "" })
}

func (s *serverSet) declared(d ast.Decl) (*types.Func, *ast.BlockStmt) {
	f, ok := d.(*ast.FuncDecl)
	if !ok || f.Body == nil {
		return nil, nil
	}
	fn, _ := s.TypesInfo.Defs[f.Name].(*types.Func)
	return fn, f.Body
}

// bareIn says what the servers lack that a body starts.
func (s *serverSet) bareIn(body *ast.BlockStmt, bad map[any]string) (lack string) {
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || lack != "" {
			return lack == ""
		}
		fn := s.Callee(call)
		switch {
		case fn == nil:
		case bad[ast.Expr(call)] != "":
			lack = bad[ast.Expr(call)]
		case flow.Is(fn, netHTTP, serveMethods...):
			lack = s.servedBare(call, bad)
		case fn.Pkg() == s.Pkg:
			lack = s.bare[fn]
		default:
			lack = s.Serves(call)
		}
		return true
	})
	return lack
}

// servedBare says what the server lacks that a method of it is called on.
func (s *serverSet) servedBare(call *ast.CallExpr, bad map[any]string) string {
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	for _, o := range s.Origins(flow.Value{Expr: sel.X}) {
		if lack := bad[s.Key(o)]; lack != "" {
			return lack
		}
	}
	return ""
}

// Serves says what the server lacks that a function of another package starts, which is
// called here; empty if it starts none that is known of.
func (s *serverSet) Serves(call *ast.CallExpr) string {
	fn := s.Callee(call)
	if fn == nil || fn.Pkg() == nil || fn.Pkg() == s.Pkg {
		return ""
	}
	var fact serves
	s.ImportObjectFact(fn, &fact)
	return fact.Without
}
