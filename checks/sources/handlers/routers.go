package handlers

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"temper/checks/sources/flow"
)

// routerTypes are the types on which handlers are registered, by their packages.
var routerTypes = map[string][]string{
	netHTTP:                               {"ServeMux"},
	"github.com/go-chi/chi":               {"Mux", "Router"},
	"github.com/gorilla/mux":              {"Router"},
	"github.com/gin-gonic/gin":            {"Engine", "RouterGroup", "IRouter", "IRoutes"},
	"github.com/labstack/echo":            {"Echo", "Group"},
	"github.com/urfave/negroni":           {"Negroni"},
	"github.com/codegangsta/negroni":      {"Negroni"},
	"github.com/julienschmidt/httprouter": {"Router"},
}

// routerPackage is the package of routers that a path is a version of, or empty.
func routerPackage(path string) string {
	if _, ok := routerTypes[major(path)]; ok && path != netHTTP {
		return major(path)
	}
	return ""
}

func isRouter(t types.Type) bool {
	named := namedOf(t)
	if named == nil || named.Obj().Pkg() == nil {
		return false
	}
	return slices.Contains(routerTypes[major(named.Obj().Pkg().Path())], named.Obj().Name())
}

// Starts tells the routers that have servers of their own.
func Starts(t types.Type) bool { return isGin(t, "Engine") || isEcho(t, "Echo") }

// isRoute tells the routes of gorilla's mux, from which one gets back to the router.
func isRoute(t types.Type) bool { return isOf(t, "github.com/gorilla/mux", "Route") }

// A router is what is registered on one in the package.
type router struct {
	uses     []use
	routes   []route
	children []any // the keys of other routers
	// dark are the functions of other packages that have it.
	dark []string
	// given are routes that functions of other packages register.
	given []Verdict
}

// A use is a middleware that a router is given. Under is the condition on which it is,
// nil where it always is.
type use struct {
	flow.Value
	under ast.Expr
}

// A route is a handler with the pattern that it is for.
type route struct {
	pattern []ast.Expr
	handler ast.Expr
	around  []ast.Expr
}

// chooses are the methods that make a router of another one, and answers those that
// register a handler.
var (
	chooses = []string{"With", "Group", "Route", "Subrouter"}
	adds    = []string{"Use", "Pre", "UseFunc"}
	answers = []string{
		"Handle", "HandleFunc", "HandlerFunc", "Handler", "Method", "MethodFunc", "Mount", "Any", "Match", "Add", "NoRoute", "NoMethod", "NotFound",
		"MethodNotAllowed", "UseHandler", "UseHandlerFunc", "RouteNotFound",
		"Connect", "Delete", "Get", "Head", "Options", "Patch", "Post", "Put", "Trace",
		"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
		"Static", "StaticFS", "StaticFile", "File", "FileFS", "ServeFiles", "StaticFileFS",
	}
)

// derives tells a call that makes a router of another one.
func (c *Chains) derives(call *ast.CallExpr) bool {
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	return ok && slices.Contains(chooses, sel.Sel.Name) && c.base(sel.X) != nil
}

// base is the router that a method is called on, through the routes of gorilla's mux, or
// nil.
func (c *Chains) base(e ast.Expr) ast.Expr {
	e = ast.Unparen(e)
	t := c.TypesInfo.TypeOf(e)
	if isRouter(t) {
		return e
	}
	if named := namedOf(t); named != nil && named.Obj().Pkg() == c.Pkg { // that embeds one
		if st, ok := named.Underlying().(*types.Struct); ok {
			for i := range st.NumFields() {
				if f := st.Field(i); f.Embedded() && isRouter(f.Type()) {
					return &ast.SelectorExpr{X: e, Sel: &ast.Ident{Name: f.Name()}}
				}
			}
		}
	}
	if call, ok := e.(*ast.CallExpr); ok && isRoute(t) {
		if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
			return c.base(sel.X)
		}
	}
	return nil
}

// register goes once through the calls of the package for what is registered where.
func (c *Chains) register() {
	c.routers = make(map[any]*router)
	c.branches = c.conditional()
	for _, call := range c.x.Calls {
		fn := c.x.Callee(call)
		if fn == nil {
			continue
		}
		if flow.Is(fn, netHTTP, "Handle", "HandleFunc") && len(call.Args) == 2 {
			r := c.at(c.defaultKey())
			r.routes = append(r.routes, route{pattern: call.Args[:1], handler: call.Args[1]})
			continue
		}
		if isNegroni(fn) && fn.Name() == "New" {
			c.negroni(call)
			continue
		}
		if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && fn.Signature().Recv() != nil {
			if base := c.base(sel.X); base != nil {
				c.registered(call, sel, base)
				continue
			}
		}
		if c.x.Decl(fn) == nil {
			c.handed(call, fn)
		}
	}
}

func isNegroni(fn *types.Func) bool {
	return fn.Pkg() != nil && (fn.Pkg().Path() == "github.com/urfave/negroni" || fn.Pkg().Path() == "github.com/codegangsta/negroni" ||
		fn.Pkg().Path() == "github.com/urfave/negroni/v3")
}

// negroni notes what a chain is made of: middleware, and handlers that Wrap makes such.
func (c *Chains) negroni(call *ast.CallExpr) {
	r := c.at(ast.Expr(call))
	for _, a := range call.Args {
		if wrap, ok := ast.Unparen(a).(*ast.CallExpr); ok && len(wrap.Args) == 1 {
			if fn := c.x.Callee(wrap); fn != nil && isNegroni(fn) && (fn.Name() == "Wrap" || fn.Name() == "WrapFunc") {
				r.routes = append(r.routes, route{handler: wrap.Args[0]})
				continue
			}
		}
		r.uses = append(r.uses, use{Value: flow.Value{Expr: a}})
	}
}

func (c *Chains) at(key any) *router {
	r := c.routers[key]
	if r == nil {
		r = &router{}
		c.routers[key] = r
	}
	return r
}

// keys are the routers that an expression may be.
func (c *Chains) keys(e ast.Expr) (keys []any) {
	if sel, ok := e.(*ast.SelectorExpr); ok && c.TypesInfo.Selections[sel] == nil && !sel.Sel.Pos().IsValid() {
		return c.embedded(sel)
	}
	for _, o := range c.x.Origins(flow.Value{Expr: e}) {
		if k := c.x.Key(o); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// embedded are the routers in an embedded field.
func (c *Chains) embedded(sel *ast.SelectorExpr) (keys []any) {
	o, _, _ := types.LookupFieldOrMethod(c.TypesInfo.TypeOf(sel.X), true, c.Pkg, sel.Sel.Name)
	field, ok := o.(*types.Var)
	if !ok {
		return nil
	}
	field = field.Origin()
	if len(c.x.Given(field)) == 0 {
		return []any{field}
	}
	for _, g := range c.x.Given(field) {
		for _, v := range c.x.Origins(g) {
			keys = append(keys, c.x.Key(v))
		}
	}
	return keys
}

// registered notes a method that is called on a router.
func (c *Chains) registered(call *ast.CallExpr, sel *ast.SelectorExpr, base ast.Expr) {
	name := sel.Sel.Name
	for _, key := range c.keys(base) {
		r := c.at(key)
		switch {
		case slices.Contains(adds, name):
			for _, a := range call.Args {
				r.uses = append(r.uses, use{flow.Value{Expr: a}, c.condition(call, key)})
			}
		case slices.Contains(chooses, name):
			c.choose(call, r)
		case slices.Contains(answers, name):
			c.route(call, sel, r)
		}
	}
}

// conditional are the branches in which calls of methods that add middleware stand, from
// the outside.
func (c *Chains) conditional() map[*ast.CallExpr][]branch {
	found := make(map[*ast.CallExpr][]branch)
	for _, f := range c.Files {
		var nodes []ast.Node
		var under []branch
		ast.Inspect(f, func(n ast.Node) bool {
			if n == nil {
				last := nodes[len(nodes)-1]
				nodes = nodes[:len(nodes)-1]
				if len(under) > 0 && under[len(under)-1].node == last {
					under = under[:len(under)-1]
				}
				return true
			}
			if len(nodes) > 0 {
				if b, ok := c.branch(n, nodes); ok {
					under = append(under, b)
				}
			}
			nodes = append(nodes, n)
			if call, ok := n.(*ast.CallExpr); ok && len(under) > 0 {
				if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && slices.Contains(adds, sel.Sel.Name) {
					found[call] = slices.Clone(under)
				}
			}
			return true
		})
	}
	return found
}

// A branch is what runs on a condition alone.
type branch struct {
	node ast.Node
	cond ast.Expr
}

// branch tells whether a node is one, by the nodes around it.
func (c *Chains) branch(n ast.Node, around []ast.Node) (branch, bool) {
	switch up := around[len(around)-1].(type) {
	case *ast.IfStmt:
		if (n == ast.Node(up.Body) || n == ast.Node(up.Else)) && c.TypesInfo.Types[up.Cond].Value == nil {
			return branch{n, up.Cond}, true
		}
	case *ast.BlockStmt:
		clause, ok := n.(*ast.CaseClause)
		if !ok || len(around) < 2 {
			break
		}
		if sw, ok := around[len(around)-2].(*ast.SwitchStmt); ok && sw.Tag != nil {
			return branch{n, sw.Tag}, true
		}
		if len(clause.List) > 0 {
			return branch{n, clause.List[0]}, true
		}
	}
	return branch{}, false
}

// condition is the one on which a router is given middleware by a call: that of a branch
// in which the router itself is not made. It is nil if there is none.
func (c *Chains) condition(call *ast.CallExpr, router any) ast.Expr {
	at := token.NoPos
	switch r := router.(type) {
	case types.Object:
		at = r.Pos()
	case ast.Node:
		at = r.Pos()
	}
	for _, b := range c.branches[call] {
		if at < b.node.Pos() || b.node.End() <= at {
			return b.cond
		}
	}
	return nil
}

// choose notes a router that is made of another: what the call returns, and what the
// function in it is given.
func (c *Chains) choose(call *ast.CallExpr, r *router) {
	keys := []any{}
	if isRouter(c.TypesInfo.TypeOf(call)) {
		keys = append(keys, ast.Expr(call))
	}
	var uses []use
	for _, a := range call.Args {
		t := c.TypesInfo.TypeOf(a)
		if sig, ok := signature(t); ok && sig.Params().Len() == 1 && isRouter(sig.Params().At(0).Type()) {
			if p := c.parameter(a); p != nil {
				keys = append(keys, p)
			} else {
				r.dark = append(r.dark, types.ExprString(brief(a)))
			}
		} else if isMiddleware(t) || isHandlerFunc(t) {
			uses = append(uses, use{Value: flow.Value{Expr: a}})
		}
	}
	for _, k := range keys {
		r.children = append(r.children, k)
		c.at(k).uses = append(c.at(k).uses, uses...)
	}
}

// parameter is the first parameter of a function that is written out.
func (c *Chains) parameter(e ast.Expr) *types.Var {
	for _, o := range c.x.Origins(flow.Value{Expr: e}) {
		b, ok := c.x.Function(o)
		if !ok || len(b.Type.Params.List) == 0 || len(b.Type.Params.List[0].Names) == 0 {
			continue
		}
		v, _ := c.TypesInfo.Defs[b.Type.Params.List[0].Names[0]].(*types.Var)
		return v
	}
	return nil
}

// route notes a handler and its pattern, which may be said by the routes before it.
func (c *Chains) route(call *ast.CallExpr, sel *ast.SelectorExpr, r *router) {
	var rt route
	for e := sel.X; ; {
		chain, ok := ast.Unparen(e).(*ast.CallExpr)
		if !ok || !isRoute(c.TypesInfo.TypeOf(chain)) {
			break
		}
		inner, ok := ast.Unparen(chain.Fun).(*ast.SelectorExpr)
		if !ok {
			break
		}
		if strings.HasPrefix(inner.Sel.Name, "Path") {
			rt.pattern = append(rt.pattern, chain.Args...)
		}
		e = inner.X
	}
	var handlers []ast.Expr
	for _, a := range call.Args {
		switch t := c.TypesInfo.TypeOf(a); {
		case isHandler(t) || isMiddleware(t):
			handlers = append(handlers, a)
		case isString(t):
			rt.pattern = append(rt.pattern, a)
		}
	}
	if strings.HasPrefix(sel.Sel.Name, "Static") || strings.Contains(sel.Sel.Name, "File") {
		r.routes = append(r.routes, rt)
		return
	}
	if len(handlers) == 0 {
		return
	}
	rt.handler = handlers[0]
	rt.around = handlers[1:] // echo
	if isGinHandler(c.TypesInfo.TypeOf(handlers[0])) {
		rt.handler, rt.around = handlers[len(handlers)-1], handlers[:len(handlers)-1]
	}
	r.routes = append(r.routes, rt)
}

func isString(t types.Type) bool {
	if t == nil {
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsString != 0
}

func isGinHandler(t types.Type) bool {
	sig, ok := signature(t)
	return ok && sig.Params().Len() == 1 && isGin(sig.Params().At(0).Type(), "Context")
}

// handed notes a router that a function of another package is given.
func (c *Chains) handed(call *ast.CallExpr, fn *types.Func) {
	if fn.Pkg() == nil || fn.Pkg().Path() == netHTTP || transparent(fn) {
		return
	}
	f, known := c.fact(fn)
	for i, a := range call.Args {
		if !isRouter(c.TypesInfo.TypeOf(a)) || !takesRouter(fn.Signature(), i) {
			continue
		}
		for _, key := range c.keys(a) {
			if v, ok := f.Routes[i]; ok {
				c.at(key).given = append(c.at(key).given, v)
			} else if !known {
				c.at(key).dark = append(c.at(key).dark, called(fn))
			}
		}
	}
}

// takesRouter tells that a parameter is something to register on, and no mere handler.
func takesRouter(sig *types.Signature, i int) bool {
	if i >= sig.Params().Len() {
		return false
	}
	t := sig.Params().At(i).Type()
	if isRouter(t) {
		return true
	}
	for _, name := range []string{"Handle", "HandleFunc"} {
		if o, _, _ := types.LookupFieldOrMethod(t, true, nil, name); o != nil {
			return true
		}
	}
	return false
}

// defaultKey is http.DefaultServeMux.
func (c *Chains) defaultKey() any {
	for _, p := range c.Pkg.Imports() {
		if p.Path() == netHTTP {
			if o := p.Scope().Lookup("DefaultServeMux"); o != nil {
				return o
			}
		}
	}
	return netHTTP
}
