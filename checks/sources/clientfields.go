package sources

import (
	"go/ast"
	"go/types"
	"slices"

	"temper/checks/sources/flow"
)

// keysOf are the clients and transports that an expression may be, and whether those are
// all.
func (s *clientSet) keysOf(e ast.Expr) (found []*client, all bool) {
	keys := make(map[any]bool)
	for _, o := range s.Origins(flow.Value{Expr: e}) {
		keys[s.Key(o)] = true
	}
	return s.known(e, keys)
}

// known finds clients by their keys. A copy is known by the name that it has, and not by
// what it was copied from.
func (s *clientSet) known(e ast.Expr, keys map[any]bool) (found []*client, all bool) {
	if c := s.by[s.Key(flow.Value{Expr: bare(e)})]; c != nil {
		return []*client{c}, true
	}
	all = len(keys) > 0
	for k := range keys {
		v, _ := k.(*types.Var)
		switch {
		case s.by[k] != nil:
			found = append(found, s.by[k])
		case v != nil && s.stands[v] != nil:
			found = append(found, s.stands[v]...)
		default:
			all = false
		}
	}
	return found, all
}

// bare is an expression without what takes its address or follows it.
func bare(e ast.Expr) ast.Expr {
	switch x := ast.Unparen(e).(type) {
	case *ast.UnaryExpr:
		return bare(x.X)
	case *ast.StarExpr:
		return bare(x.X)
	default:
		return x
	}
}

// calledOn are the clients that a method is called on, and whether those are all.
func (s *clientSet) calledOn(call *ast.CallExpr) (found []*client, all bool) {
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return nil, false
	}
	return s.known(sel.X, s.On(call))
}

// follow goes where clients are handed to: to function literals, whose parameters then
// stand for them, and to code that nobody sees, which may set their fields.
func (s *clientSet) follow() {
	for _, call := range s.Calls {
		if tv := s.TypesInfo.Types[call.Fun]; tv.IsType() || tv.IsBuiltin() {
			continue
		}
		for i, arg := range call.Args {
			t := s.TypesInfo.TypeOf(arg)
			if _, pointer := t.(*types.Pointer); !pointer || !isClient(t) && !flow.IsType(t, netHTTP, "Transport") {
				continue
			}
			if to, _ := s.keysOf(arg); len(to) > 0 {
				s.hand(call, i, to)
			}
		}
	}
	for _, store := range s.Stores {
		if pkg := store.Field.Pkg(); pkg == nil || pkg == s.Pkg || pkg.Path() == netHTTP || !isClient(store.Field.Type()) {
			continue
		} else {
			to, _ := s.keysOf(store.Value.Expr)
			for _, c := range to {
				c.handed = append(c.handed, handing{by: fieldName(store), pkg: pkg})
			}
			if s.mayFill(pkg) {
				s.escape(to, "package "+pkg.Name())
			}
		}
	}
}

// fieldName names a field as people of other packages do.
func fieldName(store flow.Store) string {
	return store.Field.Pkg().Name() + "'s " + store.Field.Name()
}

func (s *clientSet) escape(to []*client, by string) {
	for _, c := range to {
		c.escapes = by
	}
}

// hand notes what a call may do with clients that are its argument of that index.
func (s *clientSet) hand(call *ast.CallExpr, arg int, to []*client) {
	fn := s.Callee(call)
	if fn == nil {
		bodies, all := s.Enter(call, nil)
		for _, b := range bodies {
			if o := s.parameter(b, arg); o != nil && b.Func == nil {
				s.stands[o] = append(s.stands[o], to...)
			}
		}
		if !all {
			s.escape(to, "a function that is a value")
		}
		return
	}
	if s.Decl(fn) != nil {
		return
	}
	if fn.Pkg() == nil {
		return
	}
	for _, c := range to {
		c.handed = append(c.handed, handing{funcName(fn), fn.Pkg(), call})
	}
	if takesMethods(fn, arg) {
		return
	}
	var sets setsClient
	if s.ImportObjectFact(fn, &sets) && sets.Param == arg {
		for _, c := range to {
			for _, name := range sets.Fields {
				c.set[name] = true
			}
		}
		return
	}
	if s.mayFill(fn.Pkg()) {
		s.escape(to, funcName(fn))
	}
}

// mayFill tells whether a package may set fields of a client that it is handed: those of
// the standard library do not, and of those that were looked at it is known.
func (s *clientSet) mayFill(pkg *types.Package) bool {
	if pkg == s.Pkg {
		return true // a method of an interface, which may be anybody's
	}
	var fields clientFields
	if s.ImportPackageFact(pkg, &fields) {
		return len(fields.Set) > 0
	}
	return !isStandard("\"" + pkg.Path() + "\"")
}

// takesMethods tells that a parameter is an interface with methods: who has a client as
// one does not see its fields.
func takesMethods(fn *types.Func, arg int) bool {
	params := fn.Signature().Params()
	if arg >= params.Len() {
		return false
	}
	i, ok := params.At(arg).Type().Underlying().(*types.Interface)
	return ok && i.NumMethods() > 0
}

// parameter is the parameter of a body of that index, nil where it has no name.
func (s *clientSet) parameter(b flow.Body, index int) *types.Var {
	i := 0
	for _, f := range b.Type.Params.List {
		for _, id := range f.Names {
			if i == index {
				o, _ := s.TypesInfo.Defs[id].(*types.Var)
				return o
			}
			i++
		}
		if len(f.Names) == 0 {
			i++
		}
	}
	return nil
}

// fill works out the fields of clients and transports from all that is stored in them.
func (s *clientSet) fill() {
	for _, store := range s.Stores {
		if !s.isField(store) {
			continue
		}
		found, _ := s.known(store.Base, s.Keys(store))
		for _, c := range found {
			name := store.Field.Name()
			c.given[name] = append(c.given[name], store.Value)
		}
	}
	for _, c := range s.clients { // in the order of the source
		if c.copied != nil {
			s.inherit(c)
		}
	}
}

// isField tells whether a store is into a field of a client or transport.
func (s *clientSet) isField(store flow.Store) bool {
	if store.Field.Pkg() == nil || store.Field.Pkg().Path() != netHTTP {
		return false
	}
	t := s.TypesInfo.TypeOf(store.Base)
	if store.Through != nil {
		t = store.Through.Type()
	}
	return isClient(t) || flow.IsType(t, netHTTP, "Transport")
}

// A sending is a call that sends a request with clients of the package.
type sending struct {
	call    *ast.CallExpr
	method  string
	clients []*client
	// all tells that no other client comes into question.
	all bool
}

// methods are what sends a request, by how they are called.
var methods = []string{"Do", "Get", "Head", "Post", "PostForm"}

// send finds the calls that send requests, in the order of the source.
func (s *clientSet) send() []sending {
	var out []sending
	for _, call := range s.Calls {
		fn := s.Callee(call)
		if fn == nil || !slices.Contains(methods, fn.Name()) {
			continue
		}
		if flow.Is(fn, netHTTP, fn.Name()) {
			if c := s.by[s.common]; c != nil {
				out = append(out, sending{call, fn.Name(), []*client{c}, true})
			}
			continue
		}
		if fn.Signature().Recv() == nil {
			continue
		}
		if found, all := s.calledOn(call); len(found) > 0 {
			out = append(out, sending{call, fn.Name(), found, all})
		}
	}
	return out
}
