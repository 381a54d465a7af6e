package handlers

import (
	"go/ast"
	"go/constant"
	"go/types"
	"slices"
	"strings"

	"temper/checks/sources/flow"
)

// proxied answers with what another server says, whose headers are its own.
var proxied = Verdict{
	Sniff: Part{Unknown, "the answers are those of the server behind a proxy"},
	Frame: Part{Unknown, "the answers are those of the server behind a proxy"},
}

// wrapping are the packages of which every function leaves requests and answers alone as
// far as these rules go, and hands them to the handler it is given.
var wrapping = []string{
	netHTTP, "golang.org/x/net/http2/h2c", "go.opentelemetry.io/contrib/instrumentation", "github.com/gorilla/handlers",
	"github.com/go-chi/chi/middleware", "github.com/go-chi/cors", "github.com/go-chi/httplog", "github.com/go-chi/httprate", "github.com/rs/cors",
	"github.com/labstack/echo/middleware", "github.com/gin-contrib", "github.com/gin-gonic/gin", "github.com/NYTimes/gziphandler",
	"github.com/klauspost/compress/gzhttp", "github.com/justinas/nosurf", "github.com/gorilla/csrf", "github.com/felixge/httpsnoop",
	"github.com/prometheus/client_golang/prometheus/promhttp", "github.com/urfave/negroni", "github.com/codegangsta/negroni",
	"github.com/getsentry/sentry-go", "github.com/rs/zerolog/hlog",
}

func transparent(fn *types.Func) bool {
	if fn == nil || fn.Pkg() == nil {
		return false
	}
	path := major(fn.Pkg().Path())
	return slices.ContainsFunc(wrapping, func(p string) bool { return path == p || p != netHTTP && strings.HasPrefix(path, p+"/") })
}

// harmless are the functions that answer for machines alone, or only send elsewhere.
func harmless(fn *types.Func) bool {
	if fn.Pkg() == nil {
		return false
	}
	path := fn.Pkg().Path()
	return path == "net/http/pprof" || path == "expvar" || path == "github.com/prometheus/client_golang/prometheus/promhttp" ||
		flow.Is(fn, netHTTP, "NotFound", "NotFoundHandler", "RedirectHandler") ||
		flow.Is(fn, "golang.org/x/crypto/acme/autocert", "Manager.HTTPHandler")
}

// knownHandler are calls that make a handler, and whose answers are known.
func (c *Chains) knownHandler(call *ast.CallExpr, fn *types.Func, in *flow.Frame) (Summary, bool) {
	if fn.Pkg() == nil {
		return Summary{}, false
	}
	path := major(fn.Pkg().Path())
	switch {
	case harmless(fn) && (path != "github.com/prometheus/client_golang/prometheus/promhttp" || !c.handlerArgs(call)):
		return leaf(exempt), true
	case flow.Is(fn, netHTTP, "FileServer", "FileServerFS"):
		return leaf(nothing), true
	case flow.Is(fn, "net/http/httputil", "NewSingleHostReverseProxy"):
		return leaf(proxied), true
	case path == "github.com/grpc-ecosystem/grpc-gateway/runtime" && fn.Name() == "NewServeMux":
		return leaf(nothing), true
	case path == netHTTP && c.handlerArgs(call):
		return c.given(call, in, nothing), true
	}
	return Summary{}, false
}

// knownSetter are middleware whose headers follow from their arguments.
func (c *Chains) knownSetter(call *ast.CallExpr, fn *types.Func, in *flow.Frame) (Verdict, bool) {
	if fn.Pkg() == nil {
		return nothing, false
	}
	path := major(fn.Pkg().Path())
	switch {
	case path == "github.com/go-chi/chi/middleware" && fn.Name() == "SetHeader" && len(call.Args) == 2:
		v := nothing
		c.set(&v, flow.Value{Expr: call.Args[0], Frame: in}, flow.Value{Expr: call.Args[1], Frame: in})
		return v, true
	case path == "github.com/labstack/echo/middleware" && fn.Name() == "Secure":
		return Verdict{Sniff: Part{Level: Held}, Frame: Part{Level: Held}}, true
	case path == "github.com/labstack/echo/middleware" && fn.Name() == "SecureWithConfig" && len(call.Args) == 1:
		return c.echoSecure(flow.Value{Expr: call.Args[0], Frame: in}), true
	case path == "github.com/unrolled/secure":
		if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && c.TypesInfo.Selections[sel] != nil {
			return c.secured(flow.Value{Expr: sel.X, Frame: in}), true
		}
	case path == "github.com/gin-contrib/secure" && fn.Name() == "New" && len(call.Args) == 1:
		return c.options(flow.Value{Expr: call.Args[0], Frame: in}, "403"), true
	case path == "github.com/gin-contrib/secure" && fn.Name() == "Default":
		return Verdict{Sniff: Part{Level: Held}, Frame: Part{Level: Held}}, true
	}
	return nothing, false
}

// echoSecure reads the configuration of echo's middleware, whose zero values mean that a
// header is not set.
func (c *Chains) echoSecure(v flow.Value) Verdict {
	out := nothing
	for _, o := range c.x.Origins(v) {
		lit, ok := o.Expr.(*ast.CompositeLit)
		if !ok {
			return Verdict{Sniff: Part{Unknown, "the configuration of echo's Secure is not in sight"}, Frame: Part{Unknown, "the configuration of echo's Secure is not in sight"}}
		}
		for name, e := range keyed(lit) {
			value := flow.Value{Expr: e, Frame: o.Frame}
			switch name {
			case "ContentTypeNosniff":
				out.Sniff = best(out.Sniff, c.sniff(value))
			case "XFrameOptions":
				out.Frame = best(out.Frame, c.frame(value))
			case "ContentSecurityPolicy":
				out.Frame = best(out.Frame, c.policy(value))
			}
		}
	}
	return out
}

// secured reads the options that unrolled/secure was made with. To hosts that are not
// allowed it answers 500 unless it is told another handler.
// https://github.com/unrolled/secure/blob/v1/secure.go
func (c *Chains) secured(v flow.Value) Verdict {
	out := nothing
	for _, o := range c.x.Origins(v) {
		call, ok := o.Expr.(*ast.CallExpr)
		if !ok || !c.x.IsFunc(call, "github.com/unrolled/secure", "New") {
			return all(Unknown, "the options of secure are not in sight")
		}
		for _, a := range call.Args {
			out = out.After(c.options(flow.Value{Expr: a, Frame: o.Frame}, "500"))
		}
	}
	if out.Host.Level == Wrong {
		for _, call := range c.x.Calls {
			if c.x.IsFunc(call, "github.com/unrolled/secure", "Secure.SetBadHostHandler") && len(call.Args) == 1 {
				out.Host = c.refusal(flow.Value{Expr: call.Args[0]})
			}
		}
	}
	return out
}

// options reads the options of unrolled/secure and of what was made after it.
func (c *Chains) options(v flow.Value, answer string) Verdict {
	out := nothing
	for _, o := range c.x.Origins(v) {
		lit, ok := o.Expr.(*ast.CompositeLit)
		if !ok {
			return all(Unknown, "the options of secure are not in sight")
		}
		for name, e := range keyed(lit) {
			value := flow.Value{Expr: e, Frame: o.Frame}
			switch name {
			case "AllowedHosts":
				out.Host = best(out.Host, Part{Wrong, "secure answers " + answer + " to strange hosts, want 400"})
			case "BadHostHandler":
				out.Host = c.refusal(value)
			case "ContentTypeNosniff":
				out.Sniff = best(out.Sniff, c.truth(value))
			case "FrameDeny":
				out.Frame = best(out.Frame, c.truth(value))
			case "CustomFrameOptionsValue":
				out.Frame = best(out.Frame, c.frame(value))
			case "ContentSecurityPolicy":
				out.Frame = best(out.Frame, c.policy(value))
			}
		}
	}
	return out
}

// truth is Held for what is true.
func (c *Chains) truth(v flow.Value) Part {
	for _, o := range c.x.Origins(v) {
		tv := c.TypesInfo.Types[o.Expr]
		if tv.Value == nil || tv.Value.Kind() != constant.Bool {
			return Part{Unknown, "an option is no constant"}
		}
		if !constant.BoolVal(tv.Value) {
			return Part{}
		}
	}
	return Part{Level: Held}
}

// keyed are the values of a literal by their keys.
func keyed(lit *ast.CompositeLit) map[string]ast.Expr {
	out := make(map[string]ast.Expr)
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if id, ok := kv.Key.(*ast.Ident); ok {
				out[id.Name] = kv.Value
			}
		}
	}
	return out
}
