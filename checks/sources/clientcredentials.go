package sources

import (
	"go/ast"
	"go/constant"
	"go/types"
	"net"
	"net/url"
	"slices"
	"strconv"

	"temper/checks"
	"temper/checks/sources/flow"
)

var clientCredentials = code(checks.Rule{
	Name:     "client-credentials",
	Severity: checks.Error,
	Source:   "https://pkg.go.dev/net/http#Client",
	Doc: `no HTTP client takes credentials along to where it is redirected

net/http takes Authorization and Cookie off a request that is redirected to
another host, and nothing else: X-Api-Key, X-Auth-Token, Private-Token and every
other header go along. A transport that adds a credential to every request adds it
to the redirected one as well, and then even Authorization reaches the other host; so
does one that a CheckRedirect puts back, or copies from the request before. Whoever can
make the first server redirect reads the credential.

A client that only a dependency sends with is a question: it decides which hosts it asks.

Give such a client a CheckRedirect that returns http.ErrUseLastResponse, or an error
where req.URL.Host is not that of via[0].URL. A transport can compare req.URL.Host
with the host that its credential is for, and add it for that one only.`,
	Good: `client := &http.Client{
	Timeout:       30 * time.Second,
	Transport:     withToken,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}`,
	Bad: `req.Header.Set("X-Api-Key", key)
resp, err := http.DefaultClient.Do(req)`,
}, func(p *pass) {
	s := p.ResultOf[clients].(*clientSet)
	const fix = "give the client a CheckRedirect that returns http.ErrUseLastResponse, or an error for other hosts"
	told := make(map[any]bool)
	for _, c := range s.clients {
		for _, gift := range s.gifts(c) {
			if !told[gift.at] {
				told[gift.at] = true
				p.report(gift.at, "leave the headers as they are: net/http has taken off what another host may not see", "this CheckRedirect puts %s on requests for any host", gift.what)
			}
		}
		if name := p.takesAlong(s, c); name != "" && !told[c.key] {
			told[c.key] = true
			if by := p.dependency(c); by != "" && len(s.sentWith(c)) == 0 {
				p.undecided(c.at, "%s follows redirects to any host, and %s adds its credential to each of those requests; %s decides which hosts those are", c.made, name, by)
				continue
			}
			p.report(c.at, fix, "%s follows redirects to any host, and %s adds its credential to each of those requests", c.made, name)
		}
	}
	for _, l := range s.leaking() {
		p.report(l.call, fix, "%s follows redirects to any host, and takes the header %s along", types.ExprString(l.call.Fun), l.header)
	}
}, clients)

// dependency names the function of another module that has a client, or the field; empty if
// none has, or the standard library or a package of this one as well.
func (p *pass) dependency(c *client) string {
	own := func(h handing) bool {
		return h.pkg == p.Pkg || p.sameModule(h.pkg) || isStandard(strconv.Quote(h.pkg.Path()))
	}
	if len(c.handed) == 0 || slices.ContainsFunc(c.handed, own) {
		return ""
	}
	return c.handed[0].by
}

// A leak is a call that sends a request whose header has a credential, and takes that
// along to wherever it is redirected.
type leak struct {
	sending
	header string
}

func (s *clientSet) leakings() (all []leak) {
	requests := s.requests()
	for _, send := range s.sendings {
		if send.method != "Do" || len(send.call.Args) != 1 || !s.leak(send) {
			continue
		}
		for _, o := range s.sent(send.call.Args[0], 0) {
			if header := requests[s.Key(o)]; header != "" && !s.near(o) {
				all = append(all, leak{send, header})
				break
			}
		}
	}
	return all
}

// toldOf tells that client-credentials tells of a client, where it sends. What is common
// to all is told of where it is used, which may be by another name.
func (s *clientSet) toldOf(c *client) bool {
	direct := func(send sending) bool { return sendsBy(send.call, c.at) }
	named := c.common && !slices.ContainsFunc(s.sendings, direct)
	return slices.ContainsFunc(s.leaking(), func(l leak) bool {
		switch {
		case !slices.ContainsFunc(l.clients, func(of *client) bool { return of.key == c.key }):
			return false
		case named: // and not one that is used as it is
			sel, ok := ast.Unparen(l.call.Fun).(*ast.SelectorExpr)
			return ok && s.Key(flow.Value{Expr: sel.X}) != s.common
		}
		return !c.common || direct(l.sending)
	})
}

// takesAlong names the transport that adds credentials to the requests of a client,
// also those that it is redirected to; empty if none does.
func (p *pass) takesAlong(s *clientSet, c *client) string {
	if name := s.credentials(c); name != "" && s.leaks(c) && (c.maker == nil || !p.sameModule(c.maker.Pkg())) {
		return name
	}
	return ""
}

// sent are the requests that an expression may be, and those that it is a copy of.
func (s *clientSet) sent(e ast.Expr, copies int) []flow.Value {
	out := s.Origins(flow.Value{Expr: e})
	for _, o := range out {
		call, ok := o.Expr.(*ast.CallExpr)
		if !ok || copies == maxEntered || !s.IsFunc(call, netHTTP, "Request.WithContext", "Request.Clone") {
			continue
		}
		out = append(out, s.sent(call.Fun.(*ast.SelectorExpr).X, copies+1)...)
	}
	return out
}

// leaks tells that a client takes whatever a request carries to any host.
func (s *clientSet) leaks(c *client) bool {
	policy, _ := s.policy(c)
	return c.escapes == "" && !s.staysHome(c) && (policy == unchecked || policy == waved && !s.cleans(c))
}

// leak tells that all clients of a sending that are known do. There is at least one.
func (s *clientSet) leak(send sending) bool {
	for _, c := range send.clients {
		if !s.leaks(c) {
			return false
		}
	}
	return true
}

// cleans tells that a CheckRedirect which lets everything through touches the header or
// asks where the request goes: it may well take the credentials off.
func (s *clientSet) cleans(c *client) bool {
	cleans := false
	for _, v := range c.given["CheckRedirect"] {
		for _, o := range s.Origins(v) {
			b, ok := s.Function(o)
			if !ok {
				continue
			}
			b.Inspect(func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					cleans = cleans || sel.Sel.Name == "Header" || s.asksWhere(sel)
				}
				if call, ok := n.(*ast.CallExpr); ok {
					cleans = cleans || s.handsOn(call)
				}
				return true
			})
		}
	}
	return cleans
}

// requests are the credentials that are put into the headers of requests, by the keys of
// the requests: only those that net/http does not take off again.
func (s *clientSet) requests() map[any]string {
	found := make(map[any]string)
	headers := make(map[any]string) // of an http.Header that is no request's yet
	note := func(on ast.Expr, header string, in *flow.Frame) {
		if !secret(header, false) {
			return
		}
		into := headers
		if sel, ok := ast.Unparen(on).(*ast.SelectorExpr); ok && isHeader(s.TypesInfo, sel) {
			on, into = sel.X, found
		}
		for _, o := range s.Origins(flow.Value{Expr: on, Frame: in}) {
			if _, ok := o.Expr.(*ast.CallExpr); ok || isLiteral(o.Expr) {
				into[s.Key(o)] = header
			}
		}
	}
	for _, f := range s.Files {
		if isTest(s.Pass, f.FileStart) {
			continue
		}
		for _, d := range f.Decls {
			s.headersIn(d, note)
		}
	}
	for _, store := range s.Stores {
		if store.Field.Name() != "Header" || !flow.IsType(s.TypesInfo.TypeOf(store.Base), netHTTP, "Request") {
			continue
		}
		for _, h := range s.Origins(store.Value) {
			header := headers[s.Key(h)]
			if lit, ok := h.Expr.(*ast.CompositeLit); ok && header == "" {
				header = s.listed(lit)
			}
			if header == "" {
				continue
			}
			for key := range s.Keys(store) {
				found[key] = header
			}
		}
	}
	return found
}

// headersIn tells of the headers that are set in a declaration. A name that a caller
// gives goes with the request that it gives.
func (s *clientSet) headersIn(d ast.Decl, note func(on ast.Expr, header string, in *flow.Frame)) {
	frames := []*flow.Frame{nil}
	if f, ok := d.(*ast.FuncDecl); ok {
		if fn, ok := s.TypesInfo.Defs[f.Name].(*types.Func); ok {
			calls, _ := s.Callers(fn)
			for _, c := range calls {
				bodies, _ := s.Enter(c, nil)
				for _, b := range bodies {
					frames = append(frames, b.Frame)
				}
			}
		}
	}
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, l := range n.Lhs {
				if on, header := s.indexed(l); header != "" {
					note(on, header, nil)
				}
			}
		case *ast.CallExpr:
			if len(n.Args) != 2 || !s.IsFunc(n, netHTTP, "Header.Set", "Header.Add") {
				break
			}
			if s.TypesInfo.Types[n.Args[0]].Value != nil {
				on, header := s.setsHeader(n, nil)
				note(on, header, nil)
				break
			}
			for _, in := range frames {
				if on, header := s.setsHeader(n, in); header != "" {
					note(on, header, in)
				}
			}
		}
		return true
	})
}

func isHeader(info *types.Info, sel *ast.SelectorExpr) bool {
	return sel.Sel.Name == "Header" && flow.IsType(info.TypeOf(sel.X), netHTTP, "Request")
}

func isLiteral(e ast.Expr) bool {
	_, ok := e.(*ast.CompositeLit)
	return ok
}

// listed is a credential among the keys of an http.Header that is written out.
func (s *clientSet) listed(lit *ast.CompositeLit) string {
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if name, ok := s.constant(kv.Key, nil); ok && secret(name, false) {
			return name
		}
	}
	return ""
}

// near tells that a request is for the machine itself or its link, by a constant URL:
// the metadata of a cloud wants its token in a header of its own.
func (s *clientSet) near(request flow.Value) bool {
	call, ok := request.Expr.(*ast.CallExpr)
	if !ok {
		return false
	}
	at := 1
	if s.IsFunc(call, netHTTP, "NewRequestWithContext") {
		at = 2
	} else if !s.IsFunc(call, netHTTP, "NewRequest") {
		return false
	}
	for _, e := range leftmost(call.Args[at]) {
		v := s.TypesInfo.Types[e].Value
		if v == nil || v.Kind() != constant.String {
			continue
		}
		u, err := url.Parse(constant.StringVal(v))
		if err != nil {
			continue
		}
		return isNear(u)
	}
	return false
}

// isNear tells the addresses of the machine itself and its link.
func isNear(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || u.Hostname() == "metadata.google.internal" || ip != nil && (ip.IsLoopback() || ip.IsLinkLocalUnicast())
}

// leftmost is what a string begins with that is put together.
func leftmost(e ast.Expr) []ast.Expr {
	out := []ast.Expr{e}
	for {
		b, ok := ast.Unparen(e).(*ast.BinaryExpr)
		if !ok {
			return out
		}
		e = b.X
		out = append(out, e)
	}
}
