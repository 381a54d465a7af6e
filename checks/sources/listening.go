package sources

import (
	"go/ast"
	"go/constant"
	"go/types"
	"reflect"
	"slices"
	"strings"
	"sync"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// A listening is a place where a package serves HTTP.
type listening struct {
	at ast.Node
	// handler is nil where none is given, which is http.DefaultServeMux.
	handler ast.Expr
	// reach is who can connect, and where is the address as the source has it.
	reach reach
	where string
}

// A reach is who can connect to an address.
type reach int

const (
	anybody reach = iota // or whoever the network lets
	unknown              // the source does not tell
	itself               // the machine itself, or a file
)

// listeningsOf are the listenings of a package, which several rules ask for.
var listeningsOf = &analysis.Analyzer{
	Name:       "listenings",
	Doc:        "where a package serves HTTP",
	Requires:   []*analysis.Analyzer{inspect.Analyzer, sitesOf, originsOf},
	ResultType: reflect.TypeFor[func() []listening](),
	Run:        func(p *analysis.Pass) (any, error) { return sync.OnceValue(passOf(p).listens), nil },
}

func (p *pass) listenings() []listening { return p.ResultOf[listeningsOf].(func() []listening)() }

// listens finds the listenings that are seen: calls of net/http, and servers.
func (p *pass) listens() []listening {
	var all []listening
	for _, c := range p.bareServing() {
		n := c.Node().(*ast.CallExpr)
		handler, listener := -1, false
		switch p.calleeOrValue(n) {
		case "net/http.ListenAndServe":
			handler = 1
		case "net/http.ListenAndServeTLS":
			handler = 3
		case "net/http.Serve", "net/http.ServeTLS":
			handler, listener = 1, true
		}
		if handler < 0 || len(n.Args) <= handler {
			continue
		}
		l := listening{at: n, handler: n.Args[handler], where: types.ExprString(n.Args[0])}
		if listener {
			l.reach = p.listener(n.Args[0])
		} else {
			l.reach = p.address(n.Args[0])
		}
		all = append(all, l)
	}
	p.setups("net/http", "Server", func(s *setup) {
		l := listening{at: s.at.Node(), where: "its address"}
		l.reach, l.where = p.serverReach(s)
		handlers := s.field("Handler")
		if len(handlers) == 0 {
			if to := p.handedOn(s, func(callee string) bool { return strings.HasPrefix(callee, "fmt.") }); to != "" {
				l.reach, l.where = unknown, "what "+to+" makes of it"
			}
			all = append(all, l)
		}
		for _, h := range handlers {
			l.handler = h
			all = append(all, l)
		}
	})
	return all
}

// bareServing are the calls of functions of net/http that serve without a server, and those
// of variables where one of these is mentioned.
func (p *pass) bareServing() []inspector.Cursor {
	names := []string{"net/http.ListenAndServe", "net/http.ListenAndServeTLS", "net/http.Serve", "net/http.ServeTLS"}
	if !p.mentions(func(name string) bool { return slices.Contains(names, name) }) {
		return nil
	}
	return merged([][]inspector.Cursor{p.callsOf(names...), p.sites.values})
}

// calleeOrValue is the full name of the function that is called, also where a variable
// holds it that is given nothing else.
func (p *pass) calleeOrValue(n *ast.CallExpr) string {
	if name := p.callee(n); name != "" {
		return name
	}
	given := p.origins().given[p.origins().object(n.Fun)]
	if len(given) != 1 || given[0].of != 0 {
		return ""
	}
	if id := named(given[0].expr); id != nil {
		if fn, ok := p.TypesInfo.Uses[id].(*types.Func); ok {
			return p.fullName(fn.Origin())
		}
	}
	return ""
}

// serverReach is who can connect to a server, by its listener or its Addr.
func (p *pass) serverReach(s *setup) (reach, string) {
	found, where := reach(-1), "its address"
	join := func(r reach, at ast.Expr) {
		if found < 0 || r < found {
			found, where = r, types.ExprString(at)
		}
	}
	mine := make(map[place]bool)
	for _, at := range s.places {
		mine[at] = true
	}
	for _, c := range p.callsOf("(*net/http.Server).Serve", "(*net/http.Server).ServeTLS") {
		n := c.Node().(*ast.CallExpr)
		if sel, ok := ast.Unparen(n.Fun).(*ast.SelectorExpr); ok && mine[p.origins().place(sel.X)] {
			join(p.listener(n.Args[0]), n.Args[0])
		}
	}
	if found >= 0 {
		return found, where
	}
	for _, v := range s.field("Addr") {
		join(p.address(v), v)
	}
	if found < 0 {
		return anybody, "every interface" // :http
	}
	return found, where
}

// listener is who can connect to a listener, by what it listens on.
func (p *pass) listener(e ast.Expr) reach { return p.listenerOf(e, 0) }

func (p *pass) listenerOf(e ast.Expr, depth int) reach {
	const most = 5 // variables that hold one another
	if depth == most {
		return unknown
	}
	o := p.origins()
	e = ast.Unparen(e)
	if v := o.object(e); v != nil {
		found := reach(-1)
		for _, from := range o.given[v] {
			if call, ok := from.expr.(*ast.CallExpr); ok && from.of == 0 {
				if r := p.listenerOf(call, depth+1); found < 0 || r < found {
					found = r
				}
			}
		}
		if found < 0 {
			return unknown
		}
		return found
	}
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return unknown
	}
	switch p.callee(call) {
	case "net.Listen", "crypto/tls.Listen":
		return p.listensOn(call.Args[0], call.Args[1])
	case "(*net.ListenConfig).Listen":
		return p.listensOn(call.Args[1], call.Args[2])
	case "crypto/tls.NewListener":
		return p.listenerOf(call.Args[0], depth+1)
	}
	return unknown
}

func (p *pass) listensOn(network, address ast.Expr) reach {
	if v := p.TypesInfo.Types[network].Value; v != nil && strings.HasPrefix(constant.StringVal(v), "unix") {
		return itself
	}
	return p.address(address)
}

// address is who can connect to a host and port.
func (p *pass) address(e ast.Expr) reach {
	values, all := p.origins().constants(e)
	found := reach(-1)
	for _, v := range values {
		r := anybody
		if v.Kind() == constant.String && loopback(constant.StringVal(v)) {
			r = itself
		}
		if found < 0 || r < found {
			found = r
		}
	}
	switch {
	case found == anybody:
		return anybody // at least where nothing else is said
	case all && found >= 0:
		return found
	case found == itself:
		return unknown
	}
	return p.composed(e, 0)
}

// composed is who can connect to an address that is put together, or has a default.
func (p *pass) composed(e ast.Expr, depth int) reach {
	const most = 5
	o := p.origins()
	switch e := ast.Unparen(e).(type) {
	case *ast.StarExpr: // of a flag
		if v := o.object(e.X); v != nil {
			for _, from := range o.given[v] {
				if call, ok := from.expr.(*ast.CallExpr); ok && strings.HasSuffix(p.callee(call), ".String") && len(call.Args) == 3 {
					if r := p.address(call.Args[1]); r == anybody {
						return anybody
					}
				}
			}
		}
	case *ast.BinaryExpr:
		return p.begins(e.X)
	case *ast.CallExpr:
		switch p.callee(e) {
		case "fmt.Sprintf":
			return p.begins(e.Args[0])
		case "net.JoinHostPort":
			if v := p.TypesInfo.Types[e.Args[0]].Value; v != nil {
				if loopback(constant.StringVal(v) + ":0") {
					return itself
				}
				return anybody
			}
		}
	case *ast.Ident:
		if v := o.object(e); depth < most && v != nil && len(o.given[v]) == 1 && o.given[v][0].expr != nil && o.given[v][0].of == 0 {
			return p.composed(o.given[v][0].expr, depth+1)
		}
	}
	return unknown
}

// begins is who can connect to an address of which only the beginning is constant.
func (p *pass) begins(e ast.Expr) reach {
	if b, ok := ast.Unparen(e).(*ast.BinaryExpr); ok {
		return p.begins(b.X)
	}
	v := p.TypesInfo.Types[e].Value
	if v == nil || v.Kind() != constant.String {
		return unknown
	}
	host, _, port := strings.Cut(constant.StringVal(v), ":")
	switch {
	case loopback(constant.StringVal(v)), loopback(constant.StringVal(v) + "0"), port && loopback(host+":0"):
		return itself
	case port && host != "" && strings.Contains(host, "%"), !port:
		return unknown
	}
	return anybody
}

// isDefaultMux tells whether a handler is http.DefaultServeMux, also behind others.
func (p *pass) isDefaultMux(handler ast.Expr) bool {
	if handler == nil || p.TypesInfo.Types[handler].IsNil() {
		return true
	}
	return p.holdsDefaultMux(handler, 0)
}

func (p *pass) holdsDefaultMux(handler ast.Expr, depth int) bool {
	const most = 5 // variables that hold one another
	handler = ast.Unparen(handler)
	if call, ok := handler.(*ast.CallExpr); ok {
		for _, arg := range call.Args {
			if p.holdsDefaultMux(arg, depth) {
				return true
			}
		}
		return false
	}
	v := p.origins().object(handler)
	if v == nil || depth == most {
		return false
	}
	if v.Pkg() != nil && v.Pkg().Path() == "net/http" && v.Name() == "DefaultServeMux" {
		return true
	}
	for _, from := range p.origins().given[v] {
		if from.expr != nil && from.of == 0 && p.holdsDefaultMux(from.expr, depth+1) {
			return true
		}
	}
	return false
}
