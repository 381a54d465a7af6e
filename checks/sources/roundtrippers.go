package sources

import (
	"go/ast"
	"go/constant"
	"go/types"
	"slices"
	"strings"
	"unicode"

	"temper/checks/sources/flow"
)

// A transport of the package is looked at by what its RoundTrip does with a request.
type roundTrip struct {
	// header is the name of a credential that it adds, and careful tells that it looks
	// at where the request goes.
	header  string
	careful bool
	// ends tells that it gives a request a deadline, and forwards that it calls others,
	// so that a server may answer and not the program itself.
	ends, forwards bool
	// elsewhere tells that nobody sees what it does.
	elsewhere bool
}

// roundTrips are what the transports of a client do that are not net/http's, those
// within others too, by the names of their types.
func (s *clientSet) roundTrips(c *client) map[string]roundTrip {
	found := make(map[string]roundTrip)
	seen := make(map[ast.Expr]bool)
	for _, v := range c.given["Transport"] {
		s.roundTripper(v, found, seen)
	}
	return found
}

func (s *clientSet) roundTripper(v flow.Value, found map[string]roundTrip, seen map[ast.Expr]bool) {
	for _, o := range s.Origins(v) {
		if seen[o.Expr] {
			continue
		}
		seen[o.Expr] = true
		if b, ok := s.Function(o); ok {
			found["a function"] = s.trip(b)
		} else {
			s.typed(o, found)
		}
		for _, inner := range s.inside(o) {
			s.roundTripper(inner, found, seen)
		}
	}
}

// inside are the transports that another one is made of: the fields of a literal, the
// arguments of a call such as otelhttp.NewTransport(base), and what a function hands on to.
func (s *clientSet) inside(v flow.Value) []flow.Value {
	var parts []ast.Expr
	switch e := v.Expr.(type) {
	case *ast.CompositeLit:
		for _, elt := range e.Elts {
			if kv, ok := elt.(*ast.KeyValueExpr); ok {
				elt = kv.Value
			}
			parts = append(parts, elt)
		}
	case *ast.CallExpr:
		parts = e.Args
	case *ast.FuncLit:
		ast.Inspect(e.Body, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "RoundTrip" {
				parts = append(parts, sel.X)
			}
			return true
		})
	}
	var out []flow.Value
	for _, e := range parts {
		if t := s.TypesInfo.TypeOf(e); t != nil && isRoundTripper(t) {
			out = append(out, flow.Value{Expr: e, Frame: v.Frame})
		}
	}
	return out
}

// typed notes what the RoundTrip of a value's type does, here or, by its fact, in
// another package.
func (s *clientSet) typed(v flow.Value, found map[string]roundTrip) {
	named, ok := types.Unalias(deref(s.TypesInfo.TypeOf(v.Expr))).(*types.Named)
	if !ok || named.Obj().Pkg() == nil {
		return
	}
	name := named.Obj().Name()
	if named.Obj().Pkg() != s.Pkg {
		name = named.Obj().Pkg().Name() + "." + name
		var adds addsCredentials
		if named.Obj().Pkg().Path() == "golang.org/x/oauth2" && named.Obj().Name() == "Transport" {
			adds.Header = "Authorization"
		} else {
			s.ImportObjectFact(named.Obj(), &adds)
		}
		found[name] = roundTrip{header: adds.Header, elsewhere: true}
		return
	}
	if b, ok := s.Method(v, "RoundTrip"); ok {
		found[name] = s.trip(b)
	} else {
		found[name] = roundTrip{elsewhere: true}
	}
}

// stateTransport notes that a type adds credentials to every request.
func (s *clientSet) stateTransport(spec *ast.TypeSpec) {
	o, ok := s.TypesInfo.Defs[spec.Name].(*types.TypeName)
	if !ok || !o.Exported() || types.IsInterface(o.Type()) {
		return
	}
	m, _, _ := types.LookupFieldOrMethod(o.Type(), true, s.Pkg, "RoundTrip")
	fn, ok := m.(*types.Func)
	if !ok || !isRoundTripper(types.NewPointer(o.Type())) {
		return
	}
	d := s.Decl(fn)
	if d == nil || d.Body == nil {
		return
	}
	if t := s.trip(flow.Body{Func: fn, Type: d.Type, Block: d.Body}); t.header != "" && !t.careful {
		s.ExportObjectFact(o, &addsCredentials{t.header})
	}
}

// isRoundTripper tells whether a value has the method RoundTrip of net/http.
func isRoundTripper(t types.Type) bool {
	o, _, _ := types.LookupFieldOrMethod(t, true, nil, "RoundTrip")
	fn, ok := o.(*types.Func)
	if !ok {
		return false
	}
	sig := fn.Signature()
	return sig.Params().Len() == 1 && flow.IsType(sig.Params().At(0).Type(), netHTTP, "Request") && sig.Results().Len() == 2
}

// maxEntered is how deep a RoundTrip is followed into functions of the package.
const maxEntered = 4

// trip is what a RoundTrip does, with the functions of the package that it calls.
func (s *clientSet) trip(b flow.Body) roundTrip {
	var t roundTrip
	s.enter(b, &t, 0)
	return t
}

func (s *clientSet) enter(b flow.Body, t *roundTrip, depth int) {
	b.Inspect(func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			t.careful = t.careful || s.asksWhere(n)
		case *ast.AssignStmt:
			for _, l := range n.Lhs {
				if _, name := s.indexed(l); secret(name, true) {
					t.header = name
				}
			}
		case *ast.CallExpr:
			t.forwards = t.forwards || s.forwards(n)
			switch _, name := s.setsHeader(n, b.Frame); {
			case secret(name, true):
				t.header = name
			case s.IsFunc(n, netHTTP, "Request.SetBasicAuth"):
				t.header = "Authorization"
			case s.IsFunc(n, "context", "WithTimeout", "WithDeadline", "WithTimeoutCause", "WithDeadlineCause"):
				t.ends = true
			case s.handsOn(n):
				bodies, all := s.Enter(n, b.Frame)
				if !all && s.decides(n) {
					t.careful = true // nobody sees by what
				}
				for _, inner := range bodies {
					if depth < maxEntered {
						s.enter(inner, t, depth+1)
					}
				}
			}
		}
		return true
	})
}

// forwards tells that a call may send a request to a server: one of a RoundTripper, of a
// client, or of what nobody knows.
func (s *clientSet) forwards(call *ast.CallExpr) bool {
	if tv := s.TypesInfo.Types[call.Fun]; tv.IsType() || tv.IsBuiltin() {
		return false
	}
	fn := s.Callee(call)
	return fn == nil || fn.Name() == "RoundTrip" || slices.Contains(methods, fn.Name()) && !flow.Is(fn, netHTTP, "Header.Get") ||
		fn.Pkg() != s.Pkg && s.handsOn(call)
}

// answers tells that the transports of a client are of the package and answer by
// themselves, so that there is no server to redirect it or to keep it waiting.
func (s *clientSet) answers(c *client) bool {
	trips := s.roundTrips(c)
	for _, t := range trips {
		if t.forwards || t.elsewhere {
			return false
		}
	}
	return len(trips) > 0
}

// asksWhere tells that a selector is of what says where a request goes, or whether it
// comes from a redirect.
func (s *clientSet) asksWhere(sel *ast.SelectorExpr) bool {
	t := s.TypesInfo.TypeOf(sel.X)
	switch sel.Sel.Name {
	case "Host":
		return flow.IsType(t, "net/url", "URL") || flow.IsType(t, netHTTP, "Request")
	case "Hostname", "Scheme", "Port", "String", "Redacted":
		return flow.IsType(t, "net/url", "URL")
	case "Response":
		return flow.IsType(t, netHTTP, "Request")
	}
	return false
}

// handsOn tells that a call is given the request, its URL or its header.
func (s *clientSet) handsOn(call *ast.CallExpr) bool {
	return slices.ContainsFunc(call.Args, func(e ast.Expr) bool {
		t := s.TypesInfo.TypeOf(e)
		return flow.IsType(t, netHTTP, "Request") || flow.IsType(t, "net/url", "URL") || flow.IsType(t, netHTTP, "Header")
	})
}

// decides tells that a call says yes or no.
func (s *clientSet) decides(call *ast.CallExpr) bool {
	b, ok := s.TypesInfo.TypeOf(call).(*types.Basic)
	return ok && b.Info()&types.IsBoolean != 0
}

// setsHeader is what a call of Set or Add of an http.Header is made on, and the name of
// the header; the name is empty for other calls, where nobody knows it, and where the
// value is empty.
func (s *clientSet) setsHeader(call *ast.CallExpr, in *flow.Frame) (on ast.Expr, name string) {
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok || len(call.Args) != 2 || !s.IsFunc(call, netHTTP, "Header.Set", "Header.Add") {
		return nil, ""
	}
	if v, ok := s.constant(call.Args[1], in); ok && v == "" {
		return nil, ""
	}
	name, _ = s.constant(call.Args[0], in)
	return sel.X, name
}

// indexed is what an assignment to an element of an http.Header is to, and its name.
func (s *clientSet) indexed(left ast.Expr) (on ast.Expr, name string) {
	e, ok := ast.Unparen(left).(*ast.IndexExpr)
	if !ok || !flow.IsType(s.TypesInfo.TypeOf(e.X), netHTTP, "Header") {
		return nil, ""
	}
	name, _ = s.constant(e.Index, nil)
	return e.X, name
}

// constant is the one string that an expression can be.
func (s *clientSet) constant(e ast.Expr, in *flow.Frame) (string, bool) {
	origins := s.Origins(flow.Value{Expr: e, Frame: in})
	if len(origins) != 1 {
		return "", false
	}
	v := s.TypesInfo.Types[origins[0].Expr].Value
	if v == nil || v.Kind() != constant.String {
		return "", false
	}
	return constant.StringVal(v), true
}

// stripped are the headers that net/http takes off a request that is redirected to a
// host which is not the first one, nor below it.
// https://pkg.go.dev/net/http#Client
var stripped = []string{"authorization", "www-authenticate", "cookie", "cookie2", "proxy-authorization", "proxy-authenticate"}

// secretWords are what names a credential, and plainWords what tells that it is none.
var (
	secretWords = []string{
		"key", "apikey", "token", "accesstoken", "secret", "auth", "authentication", "authorization", "password", "passwd",
		"session", "sessionid", "credential", "credentials", "jwt",
	}
	plainWords = []string{
		"idempotency", "websocket", "surrogate", "cache", "partition", "routing", "sort", "public", "page", "next", "continuation",
		"sync", "cursor", "csrf", "xsrf", "user", "username", "email", "method", "type", "mode", "provider", "authenticate", "ttl",
		"expires", "version", "object", "shard", "dedup", "deduplication", "trace",
	}
)

// secret tells whether a header's name says that it is a credential. Those that
// net/http strips count if a transport adds them, for it adds them again.
func secret(name string, always bool) bool {
	lower := strings.ToLower(name)
	if slices.Contains(stripped, lower) {
		return always && (lower == "authorization" || lower == "cookie")
	}
	words := strings.FieldsFunc(lower, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	is := func(of []string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(of, w) })
	}
	return is(secretWords) && !is(plainWords)
}

// credentials names the transport that adds some to every request of a client,
// wherever it goes; empty if none does, or if it looks at where that is.
func (s *clientSet) credentials(c *client) string {
	if c.from != nil && c.from.Credentials != "" && len(c.given["Transport"]) == 0 {
		return c.from.Credentials
	}
	var names []string
	for name, t := range s.roundTrips(c) {
		if t.header != "" && !t.careful {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return slices.Min(names)
}
