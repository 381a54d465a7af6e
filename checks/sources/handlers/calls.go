package handlers

import (
	"go/ast"
	"go/types"

	"temper/checks/sources/flow"
)

// passed is the hole of a middleware: what it is put around.
type passed struct{}

// call follows a call that makes a handler, where one step back would not do: of other
// packages, and of functions that are values.
func (c *Chains) call(call *ast.CallExpr, j job) (Summary, bool) {
	if tv := c.TypesInfo.Types[call.Fun]; tv.IsType() || tv.IsBuiltin() {
		return Summary{}, false
	}
	fn := c.x.Callee(call)
	t := c.TypesInfo.TypeOf(call)
	if fn == nil {
		if _, literal := ast.Unparen(call.Fun).(*ast.FuncLit); literal {
			return Summary{}, false
		}
		return c.applied(call, j)
	}
	if c.x.Decl(fn) != nil {
		if isRouter(t) && c.derives(call) {
			return c.router(ast.Expr(call), t), true
		}
		return Summary{}, false
	}
	if isRouter(t) {
		made := c.made(call, fn, j.Frame)
		return c.router(ast.Expr(call), t).After(made.Mid).And(made), true
	}
	if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && len(call.Args) == 0 && isRouter(c.TypesInfo.TypeOf(sel.X)) && isHandler(t) {
		return c.handler(flow.Value{Expr: sel.X, Frame: j.Frame}), true // gin's Handler
	}
	if s, ok := c.chained(call, fn, j.Frame); ok {
		return s, true
	}
	return c.foreign(call, fn, j.Frame), true
}

// made is what another package has put into a router that it returns.
func (c *Chains) made(call *ast.CallExpr, fn *types.Func, in *flow.Frame) Summary {
	if f, ok := c.fact(fn); ok && f.Returns && routerPackage(fn.Pkg().Path()) == "" {
		return c.filled(f, call, in)
	}
	return leaf(exempt)
}

// applied follows a middleware that is a value. Those of a list in a loop are all put
// around the handler.
func (c *Chains) applied(call *ast.CallExpr, j job) (Summary, bool) {
	t := c.TypesInfo.TypeOf(call.Fun)
	sig, ok := signature(t)
	if !ok || !isMiddleware(t) || handlerParam(sig) >= len(call.Args) {
		return Summary{}, false
	}
	inner := c.handler(flow.Value{Expr: call.Args[handlerParam(sig)], Frame: j.Frame})
	return c.around(flow.Value{Expr: call.Fun, Frame: j.Frame}, inner), true
}

// around puts a middleware around a handler: all of them, if the value is any of a list.
func (c *Chains) around(mw flow.Value, inner Summary) Summary {
	list := c.elements(mw.Expr)
	var ways []Summary
	out := inner
	for _, m := range c.x.Origins(mw) {
		if o := c.variable(m.Expr); o != nil && (m.Open() || m.Elem()) && c.isParam(m.Expr) {
			out = out.After(all(Unknown, "nobody sees what "+o.Name()+" is given"))
			out.Under = map[any]bool{o: true}
			ways = append(ways, out)
			continue
		}
		if id, ok := m.Expr.(*ast.Ident); ok && m.Elem() && c.empty(id) {
			continue // a list that append starts from
		}
		w := c.middleware(m)
		if list {
			out = w.fill(passed{}, out)
		} else {
			ways = append(ways, w.fill(passed{}, inner))
		}
	}
	if list {
		return out
	}
	return either(ways)
}

// empty tells a list that is declared without a value.
func (c *Chains) empty(id *ast.Ident) bool {
	o, ok := c.TypesInfo.ObjectOf(id).(*types.Var)
	return ok && !c.isParam(id) && o.Pkg() == c.Pkg
}

// elements tells an expression that goes through a list.
func (c *Chains) elements(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.IndexExpr:
		_, constant := ast.Unparen(e.Index).(*ast.BasicLit)
		return !constant
	case *ast.Ident:
		o, ok := c.TypesInfo.ObjectOf(e).(*types.Var)
		return ok && c.x.Range(o) != nil
	}
	return false
}

// middleware is what a middleware does, with the hole [passed].
func (c *Chains) middleware(m flow.Value) Summary {
	if c.steps--; c.steps < 0 {
		return unknown("the chain is too long to be followed").And(hole(passed{}))
	}
	if b, ok := c.x.Function(m); ok {
		c.x.OpenParams(b, b.Type.Params)
		return c.returned(b)
	}
	var s Summary
	if call, ok := m.Expr.(*ast.CallExpr); ok && c.x.Callee(call) != nil {
		s = c.madeMiddleware(call, m.Frame)
	} else if fn := c.function(m.Expr); fn != nil {
		s = c.foreignMiddleware(fn)
	} else {
		s = hole(passed{}).After(all(Unknown, "a middleware is not in sight"))
	}
	return s
}

// returned is what a middleware does whose parameters are open, by what it returns.
func (c *Chains) returned(b flow.Body) Summary {
	var list []Summary
	for _, r := range c.x.Returns(b, 0) {
		list = append(list, c.handler(r))
	}
	s := either(list)
	for _, f := range b.Type.Params.List {
		for _, id := range f.Names {
			if o := c.TypesInfo.Defs[id]; o != nil && isHandler(o.Type()) {
				s = s.fill(o, hole(passed{}))
			}
		}
	}
	return s
}

// prefix is what a middleware does before it hands a request on, whatever kind of
// middleware it is: a function of a handler, one with a next handler as its last
// parameter, or one that the router itself goes on from.
func (c *Chains) prefix(v flow.Value) Verdict {
	t := c.TypesInfo.TypeOf(v.Expr)
	if isMiddleware(t) {
		s := c.around(v, hole(passed{}))
		if h, ok := s.Holes[passed{}]; ok {
			return h
		}
		return s.Own
	}
	if n := len(c.x.Origins(v)); n == 0 {
		return all(Unknown, "a middleware is not in sight")
	}
	s := c.argument(v)
	for k, h := range s.Holes {
		if o, ok := k.(*types.Var); ok && isHandler(o.Type()) {
			return h // the next one of negroni
		}
	}
	return s.Mid
}

// chained follows the chains of alice: alice.New(a, b).Then(h).
func (c *Chains) chained(call *ast.CallExpr, fn *types.Func, in *flow.Frame) (Summary, bool) {
	if fn.Pkg() == nil || major(fn.Pkg().Path()) != "github.com/justinas/alice" || fn.Signature().Recv() == nil {
		return Summary{}, false
	}
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok || len(call.Args) != 1 {
		return Summary{}, false
	}
	inner := c.handler(flow.Value{Expr: call.Args[0], Frame: in})
	return inner.After(c.aliceChain(flow.Value{Expr: sel.X, Frame: in}, 0)), true
}

// aliceChain is what a chain does that is made of New, Append and Extend.
func (c *Chains) aliceChain(v flow.Value, deep int) Verdict {
	out := nothing
	for _, o := range c.x.Origins(v) {
		call, ok := o.Expr.(*ast.CallExpr)
		if !ok || deep > 10 {
			return all(Unknown, "a chain of middleware is not in sight")
		}
		if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && c.TypesInfo.Selections[sel] != nil {
			out = out.After(c.aliceChain(flow.Value{Expr: sel.X, Frame: o.Frame}, deep+1))
		}
		for _, a := range call.Args {
			v := flow.Value{Expr: a, Frame: o.Frame}
			if isOf(c.TypesInfo.TypeOf(a), "github.com/justinas/alice", "Chain") {
				out = out.After(c.aliceChain(v, deep+1))
			} else if call.Ellipsis.IsValid() {
				out = out.After(c.listed(v))
			} else {
				out = out.After(c.prefix(v))
			}
		}
	}
	return out
}

// listed is what all of a list of middleware do.
func (c *Chains) listed(list flow.Value) Verdict {
	out := nothing
	for _, o := range c.x.Origins(list) {
		lit, ok := o.Expr.(*ast.CompositeLit)
		if !ok {
			out = out.After(all(Unknown, "a list of middleware is not in sight"))
			continue
		}
		for _, e := range lit.Elts {
			out = out.After(c.prefix(flow.Value{Expr: e, Frame: o.Frame}))
		}
	}
	return out
}
