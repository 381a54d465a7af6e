package handlers

import (
	"go/ast"
	"go/types"
	"maps"
	"path"
	"slices"

	"temper/checks/sources/flow"
)

// router is what a router does for all requests: its middleware, and then its routes.
func (c *Chains) router(key any, t types.Type) Summary {
	if !isRouter(t) {
		return leaf(exempt)
	}
	if c.routers == nil {
		c.register()
	}
	if c.inRouter[key] {
		return leaf(exempt)
	}
	r := c.routers[key]
	if r == nil {
		return leaf(exempt)
	}
	c.inRouter[key] = true
	defer delete(c.inRouter, key)
	s := leaf(exempt)
	for _, v := range r.given {
		s.Own = s.Own.And(v)
	}
	hosts := false
	for _, rt := range r.routes {
		one, host := c.routed(rt)
		s, hosts = s.And(one), hosts || host
	}
	for _, k := range r.children {
		s = s.And(c.router(k, t))
	}
	for _, d := range r.dark {
		s = s.And(unknown("what " + d + " adds to a router is not in sight"))
	}
	s.Mid = nothing
	if hosts && s.Own.Host.Level == Missing {
		s.Own.Host = Part{Wrong, "patterns with a host are no allow-list: a mux answers 404 to other hosts, or takes another pattern; want 400"}
	}
	for _, u := range r.uses {
		v := c.used(u.Value)
		if u.under != nil {
			v = v.under(types.ExprString(brief(u.under)))
		}
		s = s.After(v)
	}
	return s
}

// used is what middleware does that a router is given: one, or a list with "...".
func (c *Chains) used(v flow.Value) Verdict {
	if _, list := c.TypesInfo.TypeOf(v.Expr).Underlying().(*types.Slice); list {
		return c.listed(v)
	}
	return c.prefix(v)
}

// routed is what one route does, and whether its pattern has a host. Nobody asks anything
// of paths that kubelets and collectors ask.
func (c *Chains) routed(rt route) (s Summary, host bool) {
	healthy := false
	paths := make(map[string]bool)
	for _, p := range rt.pattern {
		values, known := c.patterns(flow.Value{Expr: p})
		if !known {
			continue
		}
		all := true
		for _, v := range values {
			h, path := patternPath(v)
			host = host || h != ""
			paths[path] = true
			all = all && path != "" && path[0] == '/' && IsHealth(path)
		}
		healthy = healthy || all
	}
	switch {
	case healthy:
		s = leaf(exempt)
		if rt.handler == nil || c.argument(flow.Value{Expr: rt.handler}).Own.Host.Level != Held {
			s.Paths = paths
		}
		return s, false
	case rt.handler == nil: // files
		s = leaf(nothing)
	default:
		s = c.argument(flow.Value{Expr: rt.handler})
	}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if path != "" {
			s.Own.name("those to " + path)
		}
	}
	for _, a := range rt.around {
		s = s.After(c.prefix(flow.Value{Expr: a}))
	}
	if s.Own.Host.Level < Unknown {
		s.Paths = union(s.Paths, paths)
	}
	return s, host
}

// patterns are those that an expression can be. Where it is joined of a path and
// something else, what that begins with says whose it is, as in path.Join("/livez", name).
func (c *Chains) patterns(v flow.Value) (out []string, known bool) {
	for _, o := range c.x.Origins(v) {
		call, ok := o.Expr.(*ast.CallExpr)
		if !ok || !c.x.IsFunc(call, "path", "Join") || len(call.Args) < 2 {
			return c.strings(v, 0)
		}
		first, known := c.strings(flow.Value{Expr: call.Args[0], Frame: o.Frame}, 0)
		if !known {
			return nil, false
		}
		for _, f := range first {
			out = append(out, path.Join(f, "{rest...}"))
		}
	}
	return out, len(out) > 0
}

// defaultMux is what http.DefaultServeMux does, on which this package and all that it
// imports register.
func (c *Chains) defaultMux() Summary {
	if c.routers == nil {
		c.register()
	}
	key := c.defaultKey()
	s := leaf(exempt)
	if r := c.routers[key]; r != nil {
		for _, rt := range r.routes {
			one, _ := c.routed(rt)
			s = s.And(one)
		}
		for _, d := range r.dark {
			s = s.And(unknown("what " + d + " adds to http.DefaultServeMux is not in sight"))
		}
		for _, v := range r.given {
			s.Own = s.Own.And(v)
		}
	}
	for _, p := range c.Pkg.Imports() {
		var f pages
		if c.ImportPackageFact(p, &f) && f.Default != nil {
			s.Own = s.Own.And(*f.Default)
		}
	}
	if s.Own == exempt && len(s.Holes) == 0 && c.Pkg.Name() != "main" {
		return unknown("what is registered on http.DefaultServeMux is not in sight here")
	}
	return s
}
