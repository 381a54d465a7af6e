package sources

import (
	"go/ast"
	"go/types"
	"slices"

	"temper/checks/sources/flow"
)

// serves is the fact of a function that it serves, with a server that Without names
// what it lacks. Field is the exported field that holds the server, in which others may
// set what it lacks; empty if they cannot reach it.
type serves struct{ Without, Field string }

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
		sets.Waits[name] = sets.Waits[name].or(waitOf(s.Index, store.Value))
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
				if fn == nil || s.bare[fn].Without != "" {
					continue
				}
				if fact := s.bareIn(body, bad); fact.Without != "" {
					s.bare[fn], changed = fact, true
					s.ExportObjectFact(fn, &fact)
				}
			}
		}
	}
}

func (s *serverSet) importsServing() bool {
	return slices.ContainsFunc(s.Calls, func(c *ast.CallExpr) bool { return s.Serves(c, "ReadHeaderTimeout") != "" })
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
func (s *serverSet) bareIn(body *ast.BlockStmt, bad map[any]string) (fact serves) {
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || fact.Without != "" {
			return fact.Without == ""
		}
		fn := s.Callee(call)
		switch {
		case fn == nil && !isBareType(s.TypesInfo.TypeOf(call.Fun)):
		case bad[ast.Expr(call)] != "":
			fact = serves{Without: bad[ast.Expr(call)]}
		case fn == nil:
		case flow.Is(fn, netHTTP, serveMethods...):
			fact = s.servedBare(call, bad)
		case fn.Pkg() == s.Pkg:
			fact = s.bare[fn]
		default:
			fact.Without = s.Serves(call, "ReadHeaderTimeout")
		}
		return true
	})
	return fact
}

// servedBare says what the server lacks that a method of it is called on.
func (s *serverSet) servedBare(call *ast.CallExpr, bad map[any]string) (fact serves) {
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return fact
	}
	for _, o := range s.Origins(flow.Value{Expr: sel.X}) {
		if lack := bad[s.Key(o)]; lack != "" {
			fact.Without = lack
		}
	}
	if held, ok := ast.Unparen(sel.X).(*ast.SelectorExpr); ok && held.Sel.IsExported() && s.TypesInfo.Selections[held] != nil {
		fact.Field = held.Sel.Name
	}
	return fact
}

// Serves says what the server lacks that a function of another package starts, which is
// called here; empty if it starts none that is known of, or if this package sets the wait
// of that field.
func (s *serverSet) Serves(call *ast.CallExpr, wait string) string {
	fn := s.Callee(call)
	if fn == nil || fn.Pkg() == nil || fn.Pkg() == s.Pkg {
		return ""
	}
	var fact serves
	if !s.ImportObjectFact(fn, &fact) || fact.Field != "" && s.setsHeld(fn.Pkg(), fact.Field, wait) {
		return ""
	}
	return fact.Without
}

// setsHeld tells whether a wait, or what stands in for it, is set of the server that a
// field of another package's type holds.
func (s *serverSet) setsHeld(pkg *types.Package, field, wait string) bool {
	for _, store := range s.Stores {
		if !isServerField(store.Field) || store.Field.Name() != wait && store.Field.Name() != "ReadTimeout" {
			continue
		}
		for key := range s.Keys(store) {
			if o, ok := key.(*types.Var); ok && o.IsField() && o.Pkg() == pkg && o.Name() == field {
				return true
			}
		}
	}
	return false
}
