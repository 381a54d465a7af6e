package handlers

import (
	"go/ast"
	"go/types"

	"temper/checks/sources/flow"
)

// foreign is what a function of another package makes of the handlers it is given.
func (c *Chains) foreign(call *ast.CallExpr, fn *types.Func, in *flow.Frame) Summary {
	if v, ok := c.knownSetter(call, fn, in); ok {
		return c.given(call, in, v)
	}
	if s, ok := c.knownHandler(call, fn, in); ok {
		return s
	}
	if transparent(fn) && c.handlerArgs(call) {
		return c.given(call, in, nothing)
	}
	f, ok := c.fact(fn)
	if ok && f.Returns {
		return c.filled(f, call, in)
	}
	t := c.TypesInfo.TypeOf(call)
	if serve := serveMethod(t); serve != nil && !types.IsInterface(t) {
		if served, ok := c.fact(serve); ok {
			return c.filled(served, nil, in)
		}
	}
	return c.given(call, in, all(Unknown, "what "+called(fn)+" does with requests is not in sight"))
}

// given are the handlers among the arguments of a call, behind something that does v.
func (c *Chains) given(call *ast.CallExpr, in *flow.Frame, v Verdict) Summary {
	if !c.handlerArgs(call) {
		return leaf(v)
	}
	s := leaf(exempt)
	for _, a := range call.Args {
		if isHandler(c.TypesInfo.TypeOf(a)) {
			s = s.And(c.argument(flow.Value{Expr: a, Frame: in}).After(v))
		}
	}
	return s
}

func (c *Chains) handlerArgs(call *ast.CallExpr) bool {
	for _, a := range call.Args {
		if isHandler(c.TypesInfo.TypeOf(a)) {
			return true
		}
	}
	return false
}

// argument follows a value that is a handler or a function that answers.
func (c *Chains) argument(v flow.Value) Summary {
	if _, isFunc := signature(c.TypesInfo.TypeOf(v.Expr)); isFunc {
		return c.callee(v)
	}
	return c.handler(v)
}

// filled is what the fact of a function comes to with the arguments of a call; without a
// call its holes are not in sight.
func (c *Chains) filled(f handling, call *ast.CallExpr, in *flow.Frame) Summary {
	s := Summary{Own: f.Own, Mid: f.Mid, Paths: set(f.Paths)}
	for i, before := range f.Holes {
		switch arg := argumentOf(call, i); {
		case i == around:
			s.hole(passed{}, before)
		case arg == nil:
			s = s.And(unknown("what it hands requests on to is not in sight").After(before))
		default:
			s = s.And(c.argument(flow.Value{Expr: arg, Frame: in}).After(before))
		}
	}
	if call == nil {
		return s
	}
	for _, i := range f.Under {
		for j := i; j >= 0 && j < len(call.Args); j++ {
			v := flow.Value{Expr: call.Args[j], Frame: in}
			if _, list := c.TypesInfo.TypeOf(call.Args[j]).Underlying().(*types.Slice); list {
				s = s.After(c.listed(v))
			} else if isMiddleware(c.TypesInfo.TypeOf(call.Args[j])) {
				s = s.After(c.prefix(v))
			}
		}
	}
	return s
}

func set(list []string) map[string]bool {
	out := make(map[string]bool)
	for _, s := range list {
		out[s] = true
	}
	return out
}

func argumentOf(call *ast.CallExpr, i int) ast.Expr {
	switch {
	case call == nil:
		return nil
	case i == receiver:
		if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
			return sel.X
		}
		return nil
	case i < 0 || i >= len(call.Args):
		return nil
	}
	return call.Args[i]
}

// foreignFunc is what a function of another package does that answers requests.
func (c *Chains) foreignFunc(fn *types.Func) Summary {
	if harmless(fn) {
		return leaf(exempt)
	}
	if f, ok := c.fact(fn); ok && f.Answers {
		return c.filled(f, nil, nil)
	}
	return unknown("what " + called(fn) + " answers is not in sight")
}

// foreignValue is a handler of which only the type is known.
func (c *Chains) foreignValue(e ast.Expr, t types.Type) Summary {
	if isOf(t, "net/http/httputil", "ReverseProxy") {
		return leaf(proxied)
	}
	if serve := serveMethod(t); serve != nil && !types.IsInterface(t) {
		if f, ok := c.fact(serve); ok {
			return c.filled(f, nil, nil)
		}
	}
	return unknown("the handler " + types.ExprString(brief(e)) + " is not in sight")
}

// brief is an expression without the bodies of functions and literals in it.
func brief(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.FuncLit, *ast.CompositeLit:
		return &ast.Ident{Name: "here"}
	case *ast.CallExpr:
		return &ast.CallExpr{Fun: brief(e.Fun)}
	}
	return e
}

// madeMiddleware is a middleware that a function of another package returns.
func (c *Chains) madeMiddleware(call *ast.CallExpr, in *flow.Frame) Summary {
	fn := c.x.Callee(call)
	if v, ok := c.knownSetter(call, fn, in); ok {
		return hole(passed{}).After(v)
	}
	if transparent(fn) {
		return hole(passed{})
	}
	if f, ok := c.fact(fn); ok && f.Middleware {
		return c.filled(f, call, in)
	}
	return hole(passed{}).After(all(Unknown, "what the middleware of "+called(fn)+" does is not in sight"))
}

// foreignMiddleware is a function of another package that is a middleware by itself.
func (c *Chains) foreignMiddleware(fn *types.Func) Summary {
	f, ok := c.fact(fn)
	switch {
	case transparent(fn):
		return hole(passed{})
	case ok && f.Returns:
		s := Summary{Own: f.Own, Mid: f.Mid, Paths: set(f.Paths)}
		for i, before := range f.Holes {
			if i == handlerParam(fn.Signature()) {
				s.hole(passed{}, before)
			} else {
				s = s.And(unknown("what it hands requests on to is not in sight").After(before))
			}
		}
		return s
	}
	return hole(passed{}).After(all(Unknown, "what "+called(fn)+" does with requests is not in sight"))
}

func (c *Chains) fact(fn *types.Func) (handling, bool) {
	var f handling
	if fn == nil || fn.Pkg() == nil || fn.Pkg() == c.Pkg {
		return f, false
	}
	ok := c.ImportObjectFact(fn.Origin(), &f)
	return f, ok
}
