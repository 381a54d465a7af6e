package handlers

import (
	"go/ast"
	"go/types"

	"temper/checks/sources/flow"
)

// handler follows what answers by its ServeHTTP.
func (c *Chains) handler(v flow.Value) Summary { return c.follow(job{v, false}) }

// callee follows what answers by being called.
func (c *Chains) callee(v flow.Value) Summary { return c.follow(job{v, true}) }

func (c *Chains) follow(j job) Summary {
	j.Expr = ast.Unparen(j.Expr)
	if c.steps--; c.steps < 0 {
		return unknown("the chain is too long to be followed")
	}
	return c.once(c.place(j), func() Summary { return c.look(j) })
}

// once looks at a place if it is not being looked at.
func (c *Chains) once(at place, look func() Summary) Summary {
	if s, ok := c.memo[at]; ok {
		return s
	}
	if c.busy[at] {
		return hole(selfHole(at))
	}
	c.busy[at] = true
	s := look().fill(selfHole(at), leaf(exempt))
	delete(c.busy, at)
	for k := range s.Holes {
		if _, open := k.(selfHole); open {
			return s // it is part of the answer to another question
		}
	}
	if c.steps >= 0 {
		c.memo[at] = s
	}
	return s
}

func (c *Chains) place(j job) place {
	if o := c.variable(j.Expr); o != nil && !j.Open() && !j.Elem() && (o.IsField() || o.Parent() == c.Pkg.Scope()) && !isServerHandler(o) {
		return place{shared: o, called: j.called}
	}
	return place{value: j.Value, called: j.called}
}

// look takes the first step of a job.
func (c *Chains) look(j job) Summary {
	t := c.TypesInfo.TypeOf(j.Expr)
	if o := c.variable(j.Expr); j.Open() && o != nil {
		return c.router(o, t).And(hole(o))
	}
	if isOf(t, "google.golang.org/grpc", "Server") {
		return leaf(exempt)
	}
	if !j.called {
		if s, ok := c.method(j.Value, t); ok {
			return s
		}
	}
	if sel, ok := j.Expr.(*ast.SelectorExpr); ok && isServerHandler(c.variable(sel)) {
		return c.serverHandlers(flow.Value{Expr: sel.X, Frame: j.Frame})
	}
	if call, ok := j.Expr.(*ast.CallExpr); ok && !j.Elem() {
		if s, ok := c.call(call, j); ok {
			return s
		}
	}
	next, end := c.x.Step(j.Value)
	s := c.alternatives(c.place(j), next, j.called, c.isParam(j.Expr) || c.x.Bound(c.variable(j.Expr)))
	if !end {
		return s
	}
	if len(next) == 0 {
		return c.end(j, t)
	}
	return s.And(c.end(j, t))
}

// alternatives are one of several values; all are reached if those are what callers give.
// Those that lead back to the place are wrapped around the others.
func (c *Chains) alternatives(at place, next []flow.Value, called, reached bool) Summary {
	var bases, wraps []Summary
	for _, n := range next {
		call, ok := n.Expr.(*ast.CallExpr)
		if ok && c.x.Callee(call) == nil && c.elements(call.Fun) && !c.busy[c.place(job{n, called})] {
			return c.follow(job{n, called}) // a loop around what it was before
		}
	}
	for _, n := range next {
		s := c.follow(job{n, called})
		if _, self := s.Holes[selfHole(at)]; self {
			wraps = append(wraps, s)
		} else {
			bases = append(bases, s)
		}
	}
	s := either(bases)
	if reached {
		s = leaf(exempt)
		for _, b := range bases {
			s = s.And(b)
		}
	}
	if len(wraps) > 0 {
		return either(wraps).fill(selfHole(at), s)
	}
	return s
}

// variable is what an identifier or a field is.
func (c *Chains) variable(e ast.Expr) *types.Var {
	o, _ := c.x.Key(flow.Value{Expr: e}).(*types.Var)
	return o
}

func (c *Chains) isParam(e ast.Expr) bool {
	o := c.variable(e)
	if o == nil {
		return false
	}
	_, _, ok := c.x.Param(o)
	return ok
}

// method follows the ServeHTTP of a type of the package.
func (c *Chains) method(v flow.Value, t types.Type) (Summary, bool) {
	named := namedOf(t)
	if named == nil || types.IsInterface(named) {
		return Summary{}, false
	}
	o, path, _ := types.LookupFieldOrMethod(t, true, c.Pkg, "ServeHTTP")
	fn, ok := o.(*types.Func)
	if !ok || isRouter(t) {
		return Summary{}, false
	}
	if len(path) > 1 && named.Obj().Pkg() == c.Pkg { // of an embedded field
		st, ok := named.Underlying().(*types.Struct)
		if !ok {
			return Summary{}, false
		}
		field := st.Field(path[0]).Origin()
		if isRouter(field.Type()) && len(c.x.Given(field)) == 0 {
			return c.router(field, field.Type()), true
		}
		var list []Summary
		for _, g := range c.x.Given(field) {
			list = append(list, c.handler(g))
		}
		if len(list) == 0 {
			return unknown("nothing is stored in the embedded field " + field.Name()), true
		}
		return either(list), true
	}
	if fn.Pkg() != c.Pkg {
		return Summary{}, false
	}
	b, ok := c.x.Method(v, "ServeHTTP")
	if !ok {
		return Summary{}, false
	}
	return c.body(b, nil).summary(), true
}

// isServerHandler tells the field Handler of http.Server.
func isServerHandler(o *types.Var) bool {
	return o != nil && o.IsField() && o.Name() == "Handler" && o.Pkg() != nil && o.Pkg().Path() == netHTTP
}

// serverHandlers is what the handlers of the servers do that a value may be: not those
// of all servers.
func (c *Chains) serverHandlers(v flow.Value) Summary {
	var list []Summary
	for _, o := range c.x.Origins(v) {
		list = append(list, c.serverHandler(c.x.Key(o)))
	}
	return either(list)
}

func (c *Chains) serverHandler(server any) Summary {
	at := place{shared: server}
	return c.once(at, func() Summary {
		values := c.stored(server)
		if len(values) == 1 && c.TypesInfo.Types[values[0].Expr].IsNil() {
			return c.defaultMux()
		}
		return c.alternatives(at, values, false, false)
	})
}

// stored are the values of the handler of a server.
func (c *Chains) stored(server any) (values []flow.Value) {
	for _, s := range c.x.Stores {
		if isServerHandler(s.Field) && c.x.Keys(s)[server] {
			values = append(values, s.Value)
		}
	}
	return values
}

// end is what a value does that leads no further.
func (c *Chains) end(j job, t types.Type) Summary {
	e := j.Expr
	if tv := c.TypesInfo.Types[e]; tv.IsNil() {
		return leaf(exempt) // beside an error, or where nothing is served
	}
	o := c.variable(e)
	if isRouter(t) {
		if any(o) == c.defaultKey() {
			return c.defaultMux()
		}
		s := c.router(c.x.Key(j.Value), t)
		if o != nil && c.isParam(e) {
			return s.And(hole(o))
		}
		return s
	}
	if b, ok := c.x.Function(j.Value); ok && isHandlerFunc(t) {
		return c.body(b, nil).summary()
	}
	if fn := c.function(e); fn != nil && isHandlerFunc(t) {
		return c.foreignFunc(fn)
	}
	if o != nil && isHandler(t) && !o.IsField() && o.Parent() != c.Pkg.Scope() && (o.Pkg() == c.Pkg || o.Pkg() == nil) {
		return hole(o)
	}
	return c.foreignValue(e, t)
}

// function is the declared function or method that an expression names, nil if it is a
// value.
func (c *Chains) function(e ast.Expr) *types.Func {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		fn, _ := c.TypesInfo.Uses[e].(*types.Func)
		return fn
	case *ast.SelectorExpr:
		fn, _ := c.TypesInfo.Uses[e.Sel].(*types.Func)
		return fn
	case *ast.IndexExpr:
		return c.function(e.X)
	}
	return nil
}
