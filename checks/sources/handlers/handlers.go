// Package handlers tells what the chains of HTTP handlers of a Go package do for the
// requests that go through them: whether they refuse strange hosts, and which headers
// they set.
//
// [Analyzer] makes the [*Chains] of a package. [Chains.Of] follows a handler through
// middleware, muxes, routers and functions to its ends, and says in a [Summary] what
// holds of all of its ways. What functions do with handlers is told to the packages that
// import them by facts, so that a chain may be put together from many packages.
//
// What cannot be followed is [Unknown], with the reason, and never taken for good or bad.
package handlers

import (
	"go/ast"
	"go/types"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"

	"temper/checks/sources/flow"
)

// Analyzer makes the [*Chains] of a package.
var Analyzer = &analysis.Analyzer{
	Name:       "handlers",
	Doc:        "what chains of HTTP handlers do",
	Requires:   []*analysis.Analyzer{flow.Analyzer},
	FactTypes:  []analysis.Fact{new(handling), new(pages)},
	ResultType: reflect.TypeFor[*Chains](),
	Run: func(p *analysis.Pass) (any, error) {
		c := &Chains{
			Pass: p, x: p.ResultOf[flow.Analyzer].(*flow.Index).Apart(),
			memo: make(map[place]Summary), busy: make(map[place]bool), reading: make(map[*types.Func]Reads),
			within: make(map[entry]bool), inRouter: make(map[any]bool), coded: make(map[flow.Value][]int),
			pathsBehind: make(map[pathBehind]bool),
		}
		if c.concerned() {
			c.state()
		}
		return c, nil
	},
}

// Chains knows the handlers of one package.
type Chains struct {
	*analysis.Pass
	x *flow.Index

	memo map[place]Summary
	// busy are the places that are being followed.
	busy    map[place]bool
	reading map[*types.Func]Reads
	within  map[entry]bool
	// coded are the codes that values come from which somebody returns or is given.
	coded map[flow.Value][]int
	// pathsBehind tells which expressions are paths of requests.
	pathsBehind map[pathBehind]bool
	steps       int
	routers     map[any]*router
	// branches are those that middleware is added in.
	branches map[*ast.CallExpr][]branch
	// inRouter are those that are being looked at.
	inRouter map[any]bool
	html     bool
}

// A job is to follow a value, as a handler or as a function that is called.
type job struct {
	flow.Value
	called bool
}

// A place is what a job is about: a value, or what is everywhere the same, which is a
// variable of the package, a field, or the handler of a server.
type place struct {
	value  flow.Value
	shared any
	called bool
}

// selfHole is where what a place holds leads back to it.
type selfHole place

// maxSteps bounds how much of a program is looked at for one handler.
const maxSteps = 4000

// Of is what a handler does that may have any of these values. Nil, or none, is
// http.DefaultServeMux.
func (c *Chains) Of(values ...flow.Value) Summary {
	c.steps = maxSteps
	if len(values) == 0 || len(values) == 1 && c.TypesInfo.Types[values[0].Expr].IsNil() {
		return c.defaultMux()
	}
	var list []Summary
	for _, v := range values {
		list = append(list, c.handler(v))
	}
	return either(list)
}

// Server is what the handler of a server does, by its [flow.Index.Key], and whether it
// is given one here.
func (c *Chains) Server(key any) (Summary, bool) {
	values := c.stored(key)
	if len(values) == 0 {
		return Summary{}, false
	}
	c.steps = maxSteps
	return c.serverHandler(key), true
}

// concerned tells whether the package can say anything of handlers.
func (c *Chains) concerned() bool {
	if c.Pkg.Path() == netHTTP {
		return false // what it does is known here
	}
	for _, p := range c.Pkg.Imports() {
		if p.Path() == netHTTP || routerPackage(p.Path()) != "" {
			return true
		}
	}
	return false
}

const netHTTP = "net/http"

func isWriter(t types.Type) bool  { return flow.IsType(t, netHTTP, "ResponseWriter") }
func isRequest(t types.Type) bool { return flow.IsType(t, netHTTP, "Request") }

// isContext tells the contexts of routers, which stand for writer and request.
func isContext(t types.Type) bool { return isGin(t, "Context") || isEcho(t, "Context") }

func isGin(t types.Type, name string) bool { return isOf(t, "github.com/gin-gonic/gin", name) }

func isEcho(t types.Type, name string) bool { return isOf(t, "github.com/labstack/echo", name) }

// isOf tells a named type of a package of any major version.
func isOf(t types.Type, pkg, name string) bool {
	named := namedOf(t)
	return named != nil && named.Obj().Name() == name && named.Obj().Pkg() != nil && major(named.Obj().Pkg().Path()) == pkg
}

func namedOf(t types.Type) *types.Named {
	if t == nil {
		return nil
	}
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	named, _ := types.Unalias(t).(*types.Named)
	return named
}

// major is the path of a package without the major version of its module.
func major(path string) string {
	parts := strings.Split(path, "/")
	kept := parts[:0]
	for _, p := range parts {
		if len(p) > 1 && p[0] == 'v' && strings.Trim(p[1:], "0123456789") == "" {
			continue
		}
		kept = append(kept, p)
	}
	return strings.Join(kept, "/")
}

// isHandlerFunc tells functions that answer requests: they have a writer and a request,
// or the context of a router.
func isHandlerFunc(t types.Type) bool {
	sig, ok := signature(t)
	if !ok {
		return false
	}
	var writer, request bool
	for i := range sig.Params().Len() {
		p := sig.Params().At(i).Type()
		if isContext(p) {
			return true
		}
		writer, request = writer || isWriter(p), request || isRequest(p)
	}
	return writer && request
}

func signature(t types.Type) (*types.Signature, bool) {
	if t == nil {
		return nil, false
	}
	sig, ok := t.Underlying().(*types.Signature)
	return sig, ok
}

// isHandler tells what answers requests: by ServeHTTP, or by being called.
func isHandler(t types.Type) bool {
	return t != nil && (isHandlerFunc(t) || serveMethod(t) != nil)
}

// serveMethod is the ServeHTTP of a type, nil if it has none.
func serveMethod(t types.Type) *types.Func {
	if t == nil {
		return nil
	}
	o, _, _ := types.LookupFieldOrMethod(t, true, nil, "ServeHTTP")
	fn, _ := o.(*types.Func)
	if fn == nil || fn.Signature().Params().Len() < 2 || !isWriter(fn.Signature().Params().At(0).Type()) {
		return nil
	}
	return fn
}

// isMiddleware tells functions that make a handler of a handler.
func isMiddleware(t types.Type) bool {
	sig, ok := signature(t)
	return ok && !isHandlerFunc(t) && sig.Params().Len() >= 1 && sig.Results().Len() == 1 &&
		handlerParam(sig) >= 0 && isHandler(sig.Results().At(0).Type())
}

// handlerParam is the index of the first parameter that is a handler, -1 if none is.
func handlerParam(sig *types.Signature) int {
	for i := range sig.Params().Len() {
		if isHandler(sig.Params().At(i).Type()) {
			return i
		}
	}
	return -1
}

// called is what people call a function of another package.
func called(fn *types.Func) string {
	name := fn.Name()
	if r := fn.Signature().Recv(); r != nil {
		if named := namedOf(r.Type()); named != nil {
			name = named.Obj().Name() + "." + name
		}
	}
	if fn.Pkg() == nil {
		return name
	}
	return fn.Pkg().Name() + "." + name
}
