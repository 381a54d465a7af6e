package sources

import (
	"go/ast"
	"go/types"
	"slices"

	"temper/checks/sources/flow"
)

// asks is who decides where the requests go that the package sends with a client, and
// whether it sends any. A request or a URL that is handed to others with the client is one
// that they send, and a text may be.
func (s *clientSet) asks(c *client) (worst urlSource, sends bool) {
	for _, h := range c.handed {
		if h.call == nil {
			continue
		}
		for _, arg := range h.call.Args {
			switch t := s.TypesInfo.TypeOf(arg); {
			case flow.IsType(t, netHTTP, "Request"):
				worst, sends = max(worst, s.chosenFor(arg)), true
			case flow.IsType(t, "net/url", "URL"):
				worst, sends = max(worst, s.chosen(flow.Value{Expr: arg})), true
			case isText(t) && s.chosen(flow.Value{Expr: arg}) == byRequest:
				worst, sends = byRequest, true
			}
		}
	}
	for _, call := range s.sentWith(c) {
		sends = true
		switch {
		case len(call.Args) == 0:
			worst = max(worst, byAnybody)
		case s.Callee(call).Name() == "Do":
			worst = max(worst, s.chosenFor(call.Args[0]))
		default:
			worst = max(worst, s.chosen(flow.Value{Expr: call.Args[0]}))
		}
	}
	return worst, sends
}

// asksArguments is the fact of a function that a client which follows redirects to anywhere
// asks what its parameters of these indexes say.
type asksArguments struct{ Params []int }

func (*asksArguments) AFact()         {}
func (*asksArguments) String() string { return "asks what its arguments say" }

// stateAsks notes the functions that ask with a client which others have as well: of one
// that only the package has, it is told where it is made.
func (s *clientSet) stateAsks() {
	asked := make(map[*types.Func][]int)
	for _, c := range s.clients {
		if policy, _ := s.policy(c); policy != unchecked || c.escapes != "" {
			continue
		}
		s.callers = make(map[*types.Func][]int)
		if s.asks(c); len(s.callers) > 0 && s.others(c) != "" {
			for fn, params := range s.callers {
				asked[fn] = append(asked[fn], params...)
			}
		}
	}
	s.callers = nil
	for fn, params := range asked {
		slices.Sort(params)
		s.ExportObjectFact(fn, &asksArguments{slices.Compact(params)})
	}
}

// asked are the arguments of a call that a client of another package asks, and that a
// request has said.
func (s *clientSet) asked(call *ast.CallExpr) (args []ast.Expr) {
	fn := s.Callee(call)
	var asks asksArguments
	if fn == nil || fn.Pkg() == nil || fn.Pkg() == s.Pkg || !s.ImportObjectFact(fn, &asks) {
		return nil
	}
	for _, i := range asks.Params {
		if i < len(call.Args) && s.chosen(flow.Value{Expr: call.Args[i]}) == byRequest {
			args = append(args, call.Args[i])
		}
	}
	return args
}

// sentWith are the calls that send with a client. What is common to all is so by its
// uses alone: by the one that the client is, or where that only gives it another name, by
// all that send by such a name.
func (s *clientSet) sentWith(c *client) (calls []*ast.CallExpr) {
	var named []*ast.CallExpr
	for _, send := range s.sendings {
		switch {
		case !c.common:
			if slices.Contains(send.clients, c) {
				calls = append(calls, send.call)
			}
		case sendsBy(send.call, c.at):
			calls = append(calls, send.call)
		case s.byName(send.call) && slices.ContainsFunc(send.clients, func(of *client) bool { return of.key == c.key }):
			named = append(named, send.call)
		}
	}
	if len(calls) == 0 {
		return named
	}
	return calls
}

// sendsBy tells that a use of http.DefaultClient, or of http.Get and its like, is what a
// call sends with.
func sendsBy(call *ast.CallExpr, use ast.Node) bool {
	fun := ast.Unparen(call.Fun)
	sel, ok := fun.(*ast.SelectorExpr)
	return fun == use || ok && (ast.Node(sel.Sel) == use || sel.X == use)
}

// byName tells that a call sends with a client that is not called http.DefaultClient
// there.
func (s *clientSet) byName(call *ast.CallExpr) bool {
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	return ok && s.Key(flow.Value{Expr: sel.X}) != any(s.common) && s.TypesInfo.Selections[sel] != nil
}

// others names who else than the package may send with a client, for it is handed to
// them or they can see what holds it; empty if nobody does.
func (s *clientSet) others(c *client) string {
	for _, h := range c.handed {
		return h.by
	}
	if c.common {
		return s.takes(c.at)
	}
	mine := func(v flow.Value) bool {
		found, _ := s.keysOf(v.Expr)
		return slices.Contains(found, c)
	}
	visible := func(o types.Object) bool { return o.Exported() && s.Pkg.Name() != "main" }
	if o, ok := c.key.(*types.Var); ok && (o.IsField() || o.Parent() == s.Pkg.Scope()) && visible(o) {
		return "whoever has " + o.Name()
	}
	for _, name := range s.Pkg.Scope().Names() {
		if o, ok := s.Pkg.Scope().Lookup(name).(*types.Var); ok && visible(o) && slices.ContainsFunc(s.Given(o), mine) {
			return "whoever has " + name
		}
	}
	for _, store := range s.Stores {
		if o := store.Field; (o.Pkg() != s.Pkg || visible(o)) && sendsAs(o.Type()) && mine(store.Value) {
			return "whoever has the field " + o.Name()
		}
	}
	for _, f := range s.Files {
		for _, d := range f.Decls {
			d, ok := d.(*ast.FuncDecl)
			if !ok || d.Body == nil || !d.Name.IsExported() || s.Pkg.Name() == "main" {
				continue
			}
			fn, _ := s.TypesInfo.Defs[d.Name].(*types.Func)
			for i := range fn.Signature().Results().Len() {
				if t := fn.Signature().Results().At(i).Type(); sendsAs(t) && slices.ContainsFunc(s.Returns(flow.Body{Func: fn, Type: d.Type, Block: d.Body}, i), mine) {
					return "whoever calls " + fn.Name()
				}
			}
		}
	}
	return ""
}

// takes names the function of another package that takes an expression as an argument;
// empty if none does.
func (s *clientSet) takes(arg ast.Node) string {
	for _, call := range s.Calls {
		if fn := s.Callee(call); fn != nil && fn.Pkg() != nil && s.Decl(fn) == nil && slices.ContainsFunc(call.Args, func(e ast.Expr) bool { return ast.Node(e) == arg }) {
			return funcName(fn)
		}
	}
	return ""
}

// sendsAs tells the types of clients, and the interfaces that those send requests by.
func sendsAs(t types.Type) bool {
	if isClient(t) {
		return true
	}
	o, _, _ := types.LookupFieldOrMethod(t, false, nil, "Do")
	return types.IsInterface(t) && o != nil
}

// orCareful is the condition under which a function makes a client, and otherwise one that
// checks where it goes; nil if there is none.
func (p *pass) orCareful(s *clientSet, c *client) ast.Expr {
	at, ok := p.in.Root().FindNode(c.at)
	if !ok {
		return nil
	}
	f, ok := enclosingFunction(at).(*ast.FuncDecl)
	careful := func(o *client) bool {
		policy, _ := s.policy(o)
		return f.Pos() <= o.at.Pos() && o.at.Pos() < f.End() && (policy == checked || s.choosesAddresses(o))
	}
	if !ok || !slices.ContainsFunc(s.clients, careful) {
		return nil
	}
	return p.choice(at)
}
