package sources

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"net/url"
	"slices"
	"strings"

	"temper/checks/pattern"
	"temper/checks/sources/flow"
)

// A urlSource is who decides which server a request goes to.
type urlSource int

const (
	// bySource is the code itself, by a constant.
	bySource urlSource = iota
	// byOperator is whoever sets the service up: by a flag, the environment or a
	// configuration.
	byOperator
	// byCertificate is whoever has signed a certificate, in which it stands. What is asked
	// there signs its answers too, and so is often asked without TLS.
	byCertificate
	// byCaller is whoever calls an exported function with it.
	byCaller
	// byAnybody is nobody that is known of, or whoever is on the way, where the code
	// names a server that is asked without TLS.
	byAnybody
	// byRequest is who sends the service a request.
	byRequest
)

// chosenFor is who decides where a request goes: by what it is made of, and by what it is
// given later.
func (s *clientSet) chosenFor(request ast.Expr) urlSource {
	made := s.sent(request, 0)
	worst, seen := bySource, false
	for _, o := range made {
		call, ok := o.Expr.(*ast.CallExpr)
		switch {
		case s.TypesInfo.Types[o.Expr].IsNil(): // beside an error
		case !ok:
			return byAnybody
		case s.IsFunc(call, netHTTP, "Request.WithContext", "Request.Clone"):
		case s.IsFunc(call, netHTTP, "NewRequest"):
			worst, seen = max(worst, s.chosen(flow.Value{Expr: call.Args[1], Frame: o.Frame})), true
		case s.IsFunc(call, netHTTP, "NewRequestWithContext"):
			worst, seen = max(worst, s.chosen(flow.Value{Expr: call.Args[2], Frame: o.Frame})), true
		default:
			return byAnybody
		}
	}
	for _, store := range s.directed() {
		if store.Field.Name() != "URL" {
			continue
		}
		into := s.Keys(store)
		if slices.ContainsFunc(made, func(o flow.Value) bool { return into[s.Key(o)] }) {
			worst = max(worst, s.chosen(store.Value))
		}
	}
	if !seen {
		return byAnybody
	}
	return worst
}

// chosen is who decides the host of a URL.
func (s *clientSet) chosen(url flow.Value) urlSource {
	w := &chooser{s, make(map[flow.Value]bool)}
	return w.of(url)
}

// A chooser is one way back from a URL.
type chooser struct {
	*clientSet
	seen map[flow.Value]bool
}

func (w *chooser) of(v flow.Value) urlSource {
	most := 500 // values on the way back from one URL
	if w.callers != nil {
		most = 50 // who asks in every package looks for parameters alone
	}
	v.Expr = ast.Unparen(v.Expr)
	switch c := w.TypesInfo.Types[v.Expr].Value; {
	case w.seen[v]:
		return bySource // the others decide
	case len(w.seen) == most:
		return byAnybody
	case c != nil:
		return constantSource(c)
	}
	w.seen[v] = true
	if by, ok := w.known(v); ok {
		return by
	}
	next, end := w.Step(v)
	worst := bySource
	for _, n := range next {
		worst = max(worst, w.of(n))
	}
	switch {
	case end && w.mentionsRequest(v.Expr):
		return byRequest
	case end && v.Elem():
		return max(worst, w.lists(v))
	case end && w.ofCaller(v.Expr):
		return max(worst, byCaller)
	case end:
		return max(worst, byAnybody)
	}
	return worst
}

// lists is who decides the lists and maps that an element is of, none of which is written
// out here.
func (w *chooser) lists(v flow.Value) urlSource {
	worst := bySource
	for _, o := range w.Origins(flow.Value{Expr: v.Expr, Frame: v.Frame}) {
		worst = max(worst, w.of(o))
	}
	return worst
}

// ofCaller tells a parameter of a function that other packages call.
func (w *chooser) ofCaller(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	if !ok {
		return false
	}
	o, ok := w.TypesInfo.Uses[id].(*types.Var)
	if !ok {
		return false
	}
	fn, index, ok := w.Param(o)
	if !ok || index < 0 || !fn.Exported() || w.Pkg.Name() == "main" {
		return false
	}
	if w.callers != nil && !slices.Contains(w.callers[fn], index) {
		w.callers[fn] = append(w.callers[fn], index)
	}
	return true
}

// constantSource is who decides which server a constant leads to: without TLS, also whoever is on
// the way to it.
func constantSource(c constant.Value) urlSource {
	if c.Kind() != constant.String {
		return bySource
	}
	u, err := url.Parse(constant.StringVal(c))
	if err != nil || u.Scheme != "http" || u.Host == "" || isNear(u) {
		return bySource
	}
	return byAnybody
}

// keysOfMap are the keys that a variable goes through, of maps that are written out; not ok
// if it goes through no map, or one of which nobody knows.
func (w *chooser) keysOfMap(o *types.Var, in *flow.Frame) (keys []flow.Value, ok bool) {
	loop := w.Range(o)
	if loop == nil {
		return nil, false
	}
	if key, ok := loop.Key.(*ast.Ident); !ok || w.TypesInfo.ObjectOf(key) != o {
		return nil, false
	}
	for _, m := range w.Origins(flow.Value{Expr: loop.X, Frame: in}) {
		lit, ok := m.Expr.(*ast.CompositeLit)
		if !ok {
			return nil, false
		}
		if _, ok := w.TypesInfo.TypeOf(lit).Underlying().(*types.Map); !ok {
			return nil, false
		}
		for _, e := range lit.Elts {
			keys = append(keys, flow.Value{Expr: e.(*ast.KeyValueExpr).Key, Frame: m.Frame})
		}
	}
	return keys, len(keys) > 0
}

// all are the worst of several expressions.
func (w *chooser) all(in *flow.Frame, list ...ast.Expr) urlSource {
	worst := bySource
	for _, e := range list {
		worst = max(worst, w.of(flow.Value{Expr: e, Frame: in}))
	}
	return worst
}

// known says of some expressions who decides them without a step back.
func (w *chooser) known(v flow.Value) (urlSource, bool) {
	switch e := v.Expr.(type) {
	case *ast.SelectorExpr:
		switch {
		case w.filled(e):
			return byRequest, true
		case w.certified(e):
			return w.signed(flow.Value{Expr: e.X, Frame: v.Frame}), true
		case flow.IsType(w.TypesInfo.TypeOf(e.X), "net/url", "URL") && w.TypesInfo.Selections[e] != nil:
			return w.all(v.Frame, e.X), true
		}
		if o := w.TypesInfo.Uses[e.Sel]; w.configured(e) || o.Pkg() != nil && o.Pkg().Path() == "os" && o.Name() == "Args" {
			return byOperator, true
		}
	case *ast.Ident:
		o, ok := w.TypesInfo.ObjectOf(e).(*types.Var)
		if ok && w.flags()[o] {
			return byOperator, true
		}
		if keys, ok := w.keysOfMap(o, v.Frame); ok {
			return w.worst(keys), true
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return w.all(v.Frame, w.leading(parts(e))...), true
		}
	case *ast.CompositeLit:
		if flow.IsType(w.TypesInfo.TypeOf(e), "net/url", "URL") {
			return w.hosts(e), true
		}
	case *ast.CallExpr:
		return w.called(e, v)
	}
	return 0, false
}

// certified tells the fields of certificates that say where more about them is.
func (w *chooser) certified(e *ast.SelectorExpr) bool {
	switch e.Sel.Name {
	case "OCSPServer", "IssuingCertificateURL", "CRLDistributionPoints":
		return flow.IsType(w.TypesInfo.TypeOf(e.X), "crypto/x509", "Certificate")
	}
	return false
}

// signed is who decides what a certificate says: whoever signed it, but for one that the other
// side of a connection shows, or that is read here of nobody knows what.
func (w *chooser) signed(certificate flow.Value) urlSource {
	worst := byCertificate
	for _, o := range w.Origins(certificate) {
		shown := false
		ast.Inspect(o.Expr, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			shown = shown || ok && flow.IsType(w.TypesInfo.TypeOf(e), "crypto/tls", "ConnectionState")
			return true
		})
		_, read := o.Expr.(*ast.CallExpr)
		switch {
		case w.mentionsRequest(o.Expr):
			return byRequest
		case shown, read:
			worst = byAnybody
		}
	}
	return worst
}

// directs are the stores into URL of a request, and into Host and Opaque of a URL.
func (s *clientSet) directs() []flow.Store {
	return slices.DeleteFunc(slices.Clone(s.Stores), func(store flow.Store) bool {
		t := s.TypesInfo.TypeOf(store.Base)
		switch store.Field.Name() {
		case "URL":
			return !flow.IsType(t, netHTTP, "Request")
		case "Host", "Opaque":
			return !flow.IsType(t, "net/url", "URL")
		}
		return true
	})
}

// hosts is who decides the hosts that a URL is given beside what it was made of.
func (w *chooser) hosts(url ast.Expr) urlSource {
	worst := bySource
	for _, store := range w.directed() {
		if store.Field.Name() != "URL" && w.Keys(store)[url] {
			worst = max(worst, w.of(store.Value))
		}
	}
	return worst
}

// leading are the parts of a text up to where its host has ended.
func (w *chooser) leading(parts []ast.Expr) (out []ast.Expr) {
	text := ""
	for _, p := range parts {
		if fixes(text) {
			return out
		}
		if c := w.TypesInfo.Types[p].Value; c != nil && c.Kind() == constant.String {
			text += constant.StringVal(c)
			continue
		}
		out, text = append(out, p), text+"x"
	}
	return out
}

// keeping are functions whose results begin with what is their first argument.
var keeping = map[string]bool{
	"strings.TrimSuffix": true, "strings.TrimRight": true, "strings.TrimSpace": true, "strings.TrimPrefix": true, "strings.TrimLeft": true,
	"strings.Trim": true, "strings.ReplaceAll": true, "strings.Replace": true, "strings.ToLower": true,
	"net/url.Parse": true, "net/url.ParseRequestURI": true, "net/url.JoinPath": true, "net.JoinHostPort": true, "path.Join": true,
}

// called is who decides what a call returns.
func (w *chooser) called(call *ast.CallExpr, v flow.Value) (urlSource, bool) {
	fn := w.Callee(call)
	if fn == nil || fn.Pkg() == nil {
		return 0, false
	}
	sel, _ := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	switch name := fn.FullName(); {
	case keeping[name]:
		return max(w.all(v.Frame, call.Args[0]), w.hosts(call)), true
	case name == "cmp.Or":
		return w.all(v.Frame, call.Args...), true
	case name == "fmt.Sprintf", name == "fmt.Sprint":
		return w.all(v.Frame, w.printed(name, call.Args)...), true
	case name == "(*net/url.URL).Parse":
		return w.all(v.Frame, append(w.leading(call.Args), sel.X)...), true
	case name == "(*net/url.URL).String", name == "(*net/url.URL).JoinPath":
		return w.all(v.Frame, sel.X), true
	case slices.Contains(settings, fn.Pkg().Path()):
		return byOperator, true
	case w.mentionsRequest(call.Fun):
		return byRequest, true
	case w.Decl(fn) == nil && fn.Signature().Recv() != nil && len(call.Args) == 0 && isText(w.TypesInfo.TypeOf(call)):
		return w.all(v.Frame, sel.X), true // what a configuration says of itself
	case w.Decl(fn) == nil && len(call.Args) > 0 && isText(w.TypesInfo.TypeOf(call)) && isText(w.TypesInfo.TypeOf(call.Args[0])) && fillsIn().MatchString(fn.Name()):
		return w.all(v.Frame, call.Args[0]), true
	case fn.Pkg() != w.Pkg && isSettings(fn.Pkg().Name()) && !w.mentionsRequest(call):
		return byOperator, true
	}
	return 0, false
}

// fillsIn matches the names of functions that fill in a text, as templates do.
var fillsIn = pattern.New(`^(Replace|Expand|Ensure|Normali[sz]e|Substitute|Interpolate)`)

func isText(t types.Type) bool {
	b, ok := t.(*types.Basic)
	return ok && b.Info()&types.IsString != 0
}

// printed are the arguments that fmt puts where the host of a URL is.
func (w *chooser) printed(name string, args []ast.Expr) (out []ast.Expr) {
	if name == "fmt.Sprint" {
		return w.leading(args)
	}
	c := w.TypesInfo.Types[args[0]].Value
	if c == nil {
		return args // nobody knows which
	}
	text, rest := "", args[1:]
	for i, piece := range strings.Split(strings.ReplaceAll(constant.StringVal(c), "%%", ""), "%") {
		if i > 0 && piece != "" {
			if fixes(text) || len(rest) == 0 {
				break
			}
			out, rest, text, piece = append(out, rest[0]), rest[1:], text+"x", piece[1:]
		}
		text += piece
	}
	return out
}
