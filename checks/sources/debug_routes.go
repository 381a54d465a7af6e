package sources

import (
	"cmp"
	"go/ast"
	"go/types"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"temper/checks"
	"temper/checks/pattern"
)

var debugRoutes = code(checks.Rule{
	Name:     "debug-routes",
	Severity: checks.Warning,
	Source:   "https://pkg.go.dev/net/http/pprof",
	Doc: `debug pages are routed on localhost only

Profiles, stacks and variables tell how the process works and what is in its memory,
and a profile that is asked for slows it down. On a router that others reach, so are
they; and importing net/http/pprof puts them on http.DefaultServeMux, whoever
comes to serve that.

Route them on a mux of their own and serve that on localhost, which kubectl port-forward
reaches: http.ListenAndServe("localhost:6060", debug).`,
	Good: `debug.HandleFunc("/debug/pprof/", pprof.Index); go http.ListenAndServe("localhost:6060", debug)`,
	Bad:  `mux.HandleFunc("/debug/pprof/", pprof.Index); http.ListenAndServe(":8080", mux)`,
}, func(p *pass) {
	if !p.registers() && !p.mentions(func(name string) bool { return pageOf(name) != "" }) {
		return
	}
	r := &debugRouting{pass: p, listenings: p.listenings(), told: make(map[ast.Node]bool)}
	eachAt(p, func(n *ast.Ident, c inspector.Cursor) { r.look(n, c) })
	if !r.defaultMux {
		p.sideEffects(r.listenings)
	}
}, originsOf, listeningsOf)

// sideEffects reports imports of net/http/pprof for what its init does, where nothing
// in the package serves the mux that it does it to.
func (p *pass) sideEffects(listenings []listening) {
	if slices.ContainsFunc(listenings, func(l listening) bool { return p.isDefaultMux(l.handler) }) {
		return // debug-handlers judges that
	}
	each(p, func(spec *ast.ImportSpec) {
		if path, _ := strconv.Unquote(spec.Path.Value); path == "net/http/pprof" && spec.Name != nil && spec.Name.Name == "_" {
			p.report(spec, "route what is wanted of it on a mux that is served on localhost", "net/http/pprof is imported for its side effect: profiles on http.DefaultServeMux, for whatever package serves that")
		}
	})
}

type debugRouting struct {
	*pass
	listenings []listening
	told       map[ast.Node]bool // functions: one finding is enough for all pages
	defaultMux bool              // it is routed itself
}

// pages are what identifiers of other packages stand for pages about the process.
var pages = map[string]string{
	"net/http/pprof.Index": "profiles", "net/http/pprof.Cmdline": "the command line", "net/http/pprof.Profile": "profiles",
	"net/http/pprof.Symbol": "symbols", "net/http/pprof.Trace": "traces", "net/http/pprof.Handler": "profiles",
	"expvar.Handler":                                  "variables",
	"github.com/gin-contrib/pprof.Register":           "profiles",
	"github.com/gin-contrib/pprof.RouteRegister":      "profiles",
	"github.com/sevennt/echo-pprof.Wrap":              "profiles",
	"github.com/labstack/echo-contrib/pprof.Register": "profiles",
	"github.com/felixge/fgprof.Handler":               "profiles",
}

var profiler = pattern.New(`^github\.com/go-chi/chi(/v\d+)?/middleware\.Profiler$`)

// pageOf is what a function makes a page of, by its full name; empty if nothing.
func pageOf(name string) string {
	if strings.HasSuffix(name, ".Profiler") && profiler().MatchString(name) {
		return "profiles"
	}
	return pages[name]
}

// page is what an identifier makes a page of; empty if nothing.
func (r *debugRouting) page(n *ast.Ident) string {
	switch obj := r.TypesInfo.Uses[n].(type) {
	case *types.Func:
		return pageOf(r.fullName(obj))
	case *types.Var:
		if obj.Name() == "DefaultServeMux" && obj.Pkg() != nil && obj.Pkg().Path() == "net/http" && r.registers() {
			return "http.DefaultServeMux with debug pages on it"
		}
	}
	return ""
}

// registers tells whether the package imports what puts pages on http.DefaultServeMux.
func (p *pass) registers() bool {
	return slices.ContainsFunc(p.Pkg.Imports(), func(i *types.Package) bool { return registering[i.Path()] != "" })
}

// look judges one identifier, if it stands for a debug page.
func (r *debugRouting) look(n *ast.Ident, c inspector.Cursor) {
	page := r.page(n)
	if page == "" {
		return
	}
	at := c
	if _, ok := c.Parent().Node().(*ast.SelectorExpr); ok {
		at = c.Parent()
	}
	router, behind, routed := r.routed(at)
	if uses := r.uses(at); !routed && len(uses) > 0 {
		for _, use := range uses {
			router, behind, _ := r.routed(use)
			r.judge(page, use, router, behind)
		}
		return
	}
	mux := r.TypesInfo.Uses[n].Name() == "DefaultServeMux"
	if mux && !routed {
		return // it is served, and debug-handlers judges that
	}
	r.defaultMux = r.defaultMux || mux
	r.judge(page, at, router, behind)
}

// uses are the places where a variable of the package is used that a page is put into; none
// if it is put into none.
func (r *debugRouting) uses(page inspector.Cursor) (all []inspector.Cursor) {
	at := page.Parent()
	if call, ok := at.Node().(*ast.CallExpr); ok && call.Fun == page.Node() {
		page, at = at, at.Parent() // fgprof.Handler()
	}
	spec, ok := at.Node().(*ast.ValueSpec)
	if !ok {
		return nil
	}
	i := slices.Index(spec.Values, page.Node().(ast.Expr))
	if i < 0 || i >= len(spec.Names) {
		return nil
	}
	o := r.TypesInfo.Defs[spec.Names[i]]
	if o == nil || o.Exported() && o.Parent() == r.Pkg.Scope() {
		return nil
	}
	eachAt(r.pass, func(n *ast.Ident, c inspector.Cursor) {
		if r.TypesInfo.Uses[n] == o {
			all = append(all, c)
		}
	})
	return all
}

// judge reports a page that is routed, once for a function.
func (r *debugRouting) judge(page string, at inspector.Cursor, router ast.Expr, behind string) {
	in := enclosingFunction(at)
	if r.told[in] {
		return
	}
	r.told[in] = true
	const fix = "route it on a mux that is served on localhost only"
	reach, where := r.reach(router)
	choice := r.choice(at)
	what := page + " (" + types.ExprString(at.Node().(ast.Expr)) + ")"
	switch {
	case reach == itself:
	case behind != "":
		r.undecided(at.Node(), "%s is routed behind %s, and the source does not tell whom that lets through", what, behind)
	case choice != nil:
		r.undecided(at.Node(), "%s is routed where %s says so", what, types.ExprString(choice))
	case reach == unknown:
		r.undecided(at.Node(), "%s is routed on what is served on %s", what, where)
	case where == "" && r.giver(router, at) != "":
		r.undecided(at.Node(), "%s is routed on what whoever calls %s serves", what, r.giver(router, at))
	case where != "":
		r.report(at.Node(), fix, "%s is routed on what is served on %s", what, where)
	default:
		r.report(at.Node(), fix, "%s is routed, and nothing here says that only localhost is served", what)
	}
}

func enclosingFunction(c inspector.Cursor) ast.Node {
	for up := range c.Enclosing((*ast.FuncDecl)(nil)) {
		return up.Node()
	}
	return nil
}

// guarding are names of what asks who calls.
var guarding = pattern.New(`(?i)auth|admin|token|jwt|basic|local|intern|protect|allow|require|guard|secur|restrict`)

// routed finds the call that routes a page: the routers that it is a method of, and
// by what the page is guarded.
func (r *debugRouting) routed(c inspector.Cursor) (router ast.Expr, behind string, routed bool) {
	for up := range c.Enclosing((*ast.CallExpr)(nil)) {
		call := up.Node().(*ast.CallExpr)
		if r.TypesInfo.Types[call.Fun].IsType() || call.Fun == c.Node() && !r.takesRouter(call) {
			continue // http.HandlerFunc(pprof.Index), pprof.Handler("heap")
		}
		if r.takesRouter(call) {
			return call.Args[0], cmp.Or(behind, r.guard(call.Args[0], up)), true
		}
		sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
		if ok && routes[sel.Sel.Name] {
			if id, ok := sel.X.(*ast.Ident); ok && isPackageName(r.TypesInfo.Uses[id]) {
				return nil, behind, true // http.Handle
			}
			return sel.X, cmp.Or(behind, r.guard(sel.X, up)), true
		}
		if ok && adapters[sel.Sel.Name] {
			continue
		}
		if arg := slices.ContainsFunc(call.Args, func(e ast.Expr) bool { return e.Pos() <= c.Node().Pos() && c.Node().End() <= e.End() }); arg {
			if behind == "" {
				behind = types.ExprString(call.Fun)
			}
		}
	}
	return nil, behind, behind != ""
}

func isPackageName(o types.Object) bool {
	_, ok := o.(*types.PkgName)
	return ok
}

// routes are the methods by which routers are told of a handler.
var routes = map[string]bool{
	"Handle": true, "HandleFunc": true, "Handler": true, "HandlerFunc": true, "Mount": true, "Method": true, "MethodFunc": true,
	"Get": true, "Post": true, "GET": true, "POST": true, "Any": true, "Add": true, "Match": true, "All": true, "Connect": true,
}

// adapters make a handler of another kind, and let everybody through.
var adapters = map[string]bool{"WrapF": true, "WrapH": true, "WrapHandler": true, "StripPrefix": true, "HTTPHandler": true, "HTTPHandlerFunc": true, "NewFastHTTPHandler": true}

// takesRouter tells whether a call hands a router to a function that puts pages on it.
func (r *debugRouting) takesRouter(call *ast.CallExpr) bool {
	name := r.callee(call)
	return len(call.Args) > 0 && pages[name] != "" && !strings.HasPrefix(name, "net/http/") && !strings.HasSuffix(name, ".Handler")
}

// guard names what a router asks who calls, by With in the chain of calls, or by Use
// on the same router in the same function; empty if nothing.
func (r *debugRouting) guard(router ast.Expr, c inspector.Cursor) string {
	for e := ast.Unparen(router); ; {
		call, ok := e.(*ast.CallExpr)
		if !ok {
			break
		}
		sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
		if !ok {
			break
		}
		for _, arg := range call.Args {
			if said := types.ExprString(arg); guarding().MatchString(said) && r.TypesInfo.Types[arg].Value == nil {
				return said
			}
		}
		e = ast.Unparen(sel.X)
	}
	at := r.origins().place(router)
	for up := range c.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		for use := range up.Preorder((*ast.CallExpr)(nil)) {
			call := use.Node().(*ast.CallExpr)
			sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "Use" && sel.Sel.Name != "Group" && sel.Sel.Name != "With" || at == "" {
				continue
			}
			if r.origins().place(sel.X) != at && r.origins().into[call] != at {
				continue
			}
			for _, arg := range call.Args {
				if said := types.ExprString(arg); guarding().MatchString(said) && r.TypesInfo.Types[arg].Value == nil {
					return said
				}
			}
		}
		break
	}
	return ""
}

// reach is who can connect to what a router is served on, and where that is, empty if
// it is not seen to be served.
func (r *debugRouting) reach(router ast.Expr) (reach, string) {
	mine := make(map[place]bool)
	for _, at := range r.routers(router, 0) {
		mine[at] = true
	}
	found, where := reach(-1), ""
	for _, l := range r.listenings {
		serves := router == nil && r.isDefaultMux(l.handler)
		for _, at := range r.served(l.handler) {
			serves = serves || mine[at]
		}
		if serves && (found < 0 || l.reach < found) {
			found, where = l.reach, l.where
		}
	}
	if found < 0 {
		return anybody, ""
	}
	return found, where
}

// giver names the function whose callers a router comes from, which other packages may
// be; empty if the package makes it, or nobody knows.
func (r *debugRouting) giver(router ast.Expr, at inspector.Cursor) string {
	for router != nil {
		switch e := ast.Unparen(router).(type) {
		case *ast.CallExpr: // router.Methods("GET").PathPrefix("/debug")
			router = e.Fun
			continue
		case *ast.SelectorExpr:
			if fn, ok := r.TypesInfo.Uses[e.Sel].(*types.Func); ok && fn.Signature().Recv() != nil {
				router = e.X
				continue
			}
		case *ast.Ident:
			in, ok := enclosingFunction(at).(*ast.FuncDecl)
			if !ok || !in.Name.IsExported() || r.Pkg.Name() == "main" {
				return ""
			}
			params := r.TypesInfo.Defs[in.Name].(*types.Func).Signature().Params()
			if v, ok := r.TypesInfo.Uses[e].(*types.Var); ok && slices.Contains(slices.Collect(params.Variables()), v) {
				return in.Name.Name
			}
		}
		return ""
	}
	return ""
}

// routers are the places of a router and of those that it is a part of.
func (r *debugRouting) routers(e ast.Expr, depth int) []place {
	const most = 4
	o := r.origins()
	if e == nil || depth == most {
		return nil
	}
	e = ast.Unparen(e)
	if call, ok := e.(*ast.CallExpr); ok {
		if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
			return r.routers(sel.X, depth)
		}
		return nil
	}
	all := o.names(o.place(e))
	if v := o.object(e); v != nil {
		for _, from := range o.given[v] {
			if call, ok := from.expr.(*ast.CallExpr); ok && from.of == 0 {
				all = append(all, r.routers(call, depth+1)...)
			} else if from.expr != nil && from.of == 0 {
				all = append(all, r.routers(from.expr, depth+1)...)
			}
		}
	}
	return all
}

// served are the places of a handler, also of what others are wrapped around, and of
// what a function of the package returns.
func (r *debugRouting) served(handler ast.Expr) []place {
	if handler == nil {
		return nil
	}
	o := r.origins()
	var all []place
	ast.Inspect(handler, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		if at := o.place(e); at != "" {
			all = append(all, at)
		}
		if call, ok := e.(*ast.CallExpr); ok {
			for fn, places := range o.returned {
				if slices.Contains(o.calls[fn], call) {
					all = append(all, places...)
				}
			}
		}
		return true
	})
	return all
}
