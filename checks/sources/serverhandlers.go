package sources

import (
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"reflect"
	"slices"

	"golang.org/x/tools/go/analysis"

	"temper/checks/sources/flow"
	"temper/checks/sources/handlers"
)

// served finds what the handlers of the servers of a package do.
var served = &analysis.Analyzer{
	Name:       "served",
	Doc:        "what the handlers of servers do",
	Requires:   []*analysis.Analyzer{flow.Analyzer, servers, handlers.Analyzer},
	FactTypes:  []analysis.Fact{new(servesHandler)},
	ResultType: reflect.TypeFor[*servedSet](),
	Run: func(p *analysis.Pass) (any, error) {
		s := &servedSet{
			Pass: p, Index: p.ResultOf[flow.Analyzer].(*flow.Index).Apart(), chains: p.ResultOf[handlers.Analyzer].(*handlers.Chains),
			facts: make(map[*types.Func]*servesHandler),
		}
		if p.Pkg.Path() == netHTTP {
			return s, nil // what it serves is for those to say that call it
		}
		s.find(p.ResultOf[servers].(*serverSet))
		for fn, f := range s.facts {
			p.ExportObjectFact(fn, f)
		}
		return s, nil
	},
}

// servesHandler is the fact of a function that it gives its parameters of these indices
// to a server, -1 being its receiver, and what is done before they see a request.
type servesHandler struct{ Params map[int]handlers.Verdict }

func (*servesHandler) AFact()         {}
func (*servesHandler) String() string { return "serves a handler" }

// A servedSet is what is served in a package.
type servedSet struct {
	*analysis.Pass
	*flow.Index
	chains *handlers.Chains
	all    []servedHandler
	facts  map[*types.Func]*servesHandler
}

// A servedHandler is what the handler of a server does.
type servedHandler struct {
	at   ast.Node
	made string
	handlers.Verdict
	// paths are those that are answered without a look at the host.
	paths []string
}

func (s *servedSet) find(set *serverSet) {
	for _, srv := range set.servers {
		if set.local(srv) {
			continue
		}
		if sum, ok := s.handlerOf(srv); ok {
			s.serve(srv.at, srv.made, sum)
		}
	}
	for _, call := range s.Calls {
		if fn := s.Callee(call); fn != nil && s.starts(call, fn) && !isTest(s.Pass, call.Pos()) {
			s.start(call, fn)
		}
	}
}

// handlerOf is what the handler of a server does; not if that is for others to say, who
// get the server from here.
func (s *servedSet) handlerOf(srv *server) (handlers.Summary, bool) {
	if srv.bare != nil {
		i := 1 // what comes after the listener or the address
		if srv.bare.Name() == "ListenAndServeTLS" {
			i = 3
		}
		if srv.call == nil || i >= len(srv.call.Args) {
			return handlers.Summary{}, false // whoever is given the function says
		}
		return s.chains.Of(flow.Value{Expr: srv.call.Args[i]}), true
	}
	if sum, ok := s.chains.Server(srv.key); ok {
		return sum, true
	}
	if call, ok := srv.at.(*ast.CallExpr); ok && s.Callee(call) != nil || s.leaves(srv) {
		return handlers.Summary{}, false // it was made with its handler, or will be given one
	}
	return s.chains.Of(), true
}

// leaves tells that a server without a handler is returned by a function that others
// call.
func (s *servedSet) leaves(srv *server) bool {
	for _, name := range s.Pkg.Scope().Names() {
		fn, ok := s.Pkg.Scope().Lookup(name).(*types.Func)
		if !ok || !fn.Exported() || s.Pkg.Name() == "main" {
			continue
		}
		d := s.Decl(fn)
		for i := range fn.Signature().Results().Len() {
			if d == nil || !isServer(fn.Signature().Results().At(i).Type()) {
				continue
			}
			for _, r := range s.Returns(flow.Body{Func: fn, Type: d.Type, Block: d.Body}, i) {
				if slices.ContainsFunc(s.Origins(r), func(o flow.Value) bool { return s.Key(o) == srv.key }) {
					return true
				}
			}
		}
	}
	return false
}

// serve notes a handler that is served. One that is a parameter of a function that
// others call is for them to say.
func (s *servedSet) serve(at ast.Node, made string, sum handlers.Summary) {
	v := sum.Own
	for key, before := range sum.Holes {
		o, _ := key.(*types.Var)
		fn, i, ok := s.Param(o)
		if !ok || !fn.Exported() || s.Pkg.Name() == "main" {
			name := "it"
			if o != nil {
				name = o.Name()
			}
			v = v.And(handlers.Dark("nobody sees what " + name + " is given").After(before))
			continue
		}
		f := s.facts[fn]
		if f == nil {
			f = &servesHandler{make(map[int]handlers.Verdict)}
			s.facts[fn] = f
		}
		if old, ok := f.Params[i]; ok {
			before = before.And(old)
		}
		f.Params[i] = before
	}
	s.all = append(s.all, servedHandler{at, made, v, slices.Sorted(maps.Keys(sum.Paths))})
}

// starts are the methods of routers by which they serve themselves, by the index of
// their address.
var starts = map[string]int{
	"Run": 0, "RunTLS": 0, "RunListener": -1, "Start": 0, "StartTLS": 0, "StartAutoTLS": 0, "StartH2CServer": 0, "StartServer": -1,
}

// starts tells a call of another package that serves a handler which it is given.
func (s *servedSet) starts(call *ast.CallExpr, fn *types.Func) bool {
	if fn.Pkg() == nil || fn.Pkg() == s.Pkg {
		return false
	}
	_, method := starts[fn.Name()]
	return method || s.ImportObjectFact(fn, new(servesHandler))
}

// start notes such a call.
func (s *servedSet) start(call *ast.CallExpr, fn *types.Func) {
	sel, method := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if addr, ok := starts[fn.Name()]; ok && method && handlers.Starts(s.TypesInfo.TypeOf(sel.X)) {
		if addr >= 0 && addr < len(call.Args) && s.loopback(call.Args[addr]) {
			return
		}
		s.serve(call, fn.Name()+" of "+types.ExprString(sel.X), s.chains.Of(flow.Value{Expr: sel.X}))
		return
	}
	var f servesHandler
	if !s.ImportObjectFact(fn, &f) {
		return
	}
	for i, before := range f.Params {
		switch {
		case i >= 0 && i < len(call.Args):
			s.serve(call, "the server of "+funcName(fn), s.chains.Of(flow.Value{Expr: call.Args[i]}).After(before))
		case i < 0 && method:
			s.serve(call, "the server of "+funcName(fn), s.chains.Of(flow.Value{Expr: sel.X}).After(before))
		}
	}
}

// others are those whose listener others than the machine itself can reach.
func (p *pass) others(all []servedHandler) (out []servedHandler) {
	near := make(map[token.Pos]bool)
	for _, l := range p.listenings() {
		if l.reach == itself {
			near[l.at.End()] = true
		}
	}
	for _, s := range all {
		if !near[s.at.End()] {
			out = append(out, s)
		}
	}
	return out
}

// loopback tells an address that is of the machine itself.
func (s *servedSet) loopback(e ast.Expr) bool {
	srv := &server{addr: s.Origins(flow.Value{Expr: e})}
	return (&serverSet{Pass: s.Pass, Index: s.Index}).local(srv)
}
