package sources

import (
	"go/ast"
	"go/constant"
	"go/types"
	"slices"
	"strings"

	"temper/checks"
	"temper/checks/sources/flow"
)

var clientTransport = code(checks.Rule{
	Name:     "client-transport",
	Severity: checks.Warning,
	Source:   "https://pkg.go.dev/net/http#Transport",
	Doc: `every http.Transport has the timeouts that the default one has

A transport that is written out has none of http.DefaultTransport's timeouts: it
connects for as long as the system tries, waits for a TLS handshake without end,
and keeps a connection that nobody uses until the peer closes it. A client's Timeout
covers a request from the connection to the body, but not connections that are
idle; without one the transport also has to bound the wait for the header.

Begin with http.DefaultTransport.(*http.Transport).Clone() and change what differs.
Or set DialContext to that of a net.Dialer with a Timeout, TLSHandshakeTimeout,
IdleConnTimeout with MaxIdleConns, and ResponseHeaderTimeout where the client has no
Timeout. Set ForceAttemptHTTP2 too: with a DialContext or TLSClientConfig of its own
a transport speaks HTTP/1 only.`,
	Good: `transport := http.DefaultTransport.(*http.Transport).Clone()
transport.TLSClientConfig = config
client := &http.Client{Timeout: 30 * time.Second, Transport: transport}`,
	Bad: `client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}`,
}, func(p *pass) {
	s := p.ResultOf[clients].(*clientSet)
	commands := p.commands()
	for _, t := range s.transports {
		if t.escapes != "" {
			continue
		}
		users := s.usersOf(t)
		lacks := s.lacking(t, users)
		if len(lacks) == 0 {
			continue
		}
		if s.sentBy(users, commands.run) {
			p.undecided(t.at, "%s has no %s, and is used by commands alone, which end", t.made, listed(lacks))
			continue
		}
		if by := s.dialsBy(t); by != "" && slices.Equal(lacks, []string{"IdleConnTimeout"}) {
			p.undecided(t.at, "%s has no %s, and %s decides what it connects by", t.made, lacks[0], by)
			continue
		}
		var fields []string
		for _, name := range lacks {
			if value := defaults[name]; value != "" {
				fields = append(fields, name+": "+value)
			}
		}
		fix := "begin with http.DefaultTransport.(*http.Transport).Clone(), or set " + strings.Join(lacks, ", ")
		if len(fields) < len(lacks) {
			p.report(t.at, fix, "%s has no %s", t.made, listed(lacks))
			continue
		}
		p.mend(t.at, fix, p.intoLiteral(t.literal, fields...), "%s has no %s", t.made, listed(lacks))
	}
}, clients)

// defaults are what http.DefaultTransport has where it does no harm to anybody.
var defaults = map[string]string{"TLSHandshakeTimeout": "10 * time.Second", "IdleConnTimeout": "90 * time.Second"}

func listed(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// usersOf are the clients that have a transport, as theirs or within another one.
func (s *clientSet) usersOf(t *client) []*client {
	var users []*client
	for _, c := range s.clients {
		for _, v := range c.given["Transport"] {
			if s.within(v, t, make(map[ast.Expr]bool)) {
				users = append(users, c)
				break
			}
		}
	}
	return users
}

func (s *clientSet) within(v flow.Value, t *client, seen map[ast.Expr]bool) bool {
	for _, o := range s.Origins(v) {
		if s.Key(o) == t.key {
			return true
		}
		if seen[o.Expr] {
			continue
		}
		seen[o.Expr] = true
		for _, inner := range s.inside(o) {
			if s.within(inner, t, seen) {
				return true
			}
		}
	}
	return false
}

// lacking are the timeouts that a transport needs and does not have. Where its client is
// not known, those of the connection to be made are the business of whoever has it.
func (s *clientSet) lacking(t *client, users []*client) []string {
	bounded, seen := true, len(users) > 0
	for _, c := range users {
		bounded = bounded && !s.timeout(c).zero()
		seen = seen && c.escapes == ""
	}
	open := seen && !bounded // requests are known to have no end but the transport's
	local := s.dialsHome(t)
	var lacks []string
	if open && !local && !s.dials(t) {
		lacks = append(lacks, "DialContext with a timeout")
	}
	if (open || !seen) && !local && !s.has(t, "TLSHandshakeTimeout") && len(t.given["DialTLSContext"])+len(t.given["DialTLS"]) == 0 {
		lacks = append(lacks, "TLSHandshakeTimeout")
	}
	if !s.has(t, "IdleConnTimeout") && !s.keepsNone(t) && !s.closes(t, users) {
		lacks = append(lacks, "IdleConnTimeout")
	}
	// Of a client that has no end client-timeout tells, and nothing is left to say of a
	// transport that lacks this alone.
	if len(lacks) > 0 && open && !s.has(t, "ResponseHeaderTimeout") && s.sendsEndless(users) {
		lacks = append(lacks, "ResponseHeaderTimeout")
	}
	return lacks
}

// sentBy tells that all requests that are seen of clients are sent where it holds, that
// there are any, and that nobody else has the clients.
func (s *clientSet) sentBy(users []*client, holds func(ast.Node) bool) bool {
	sends := false
	for _, send := range s.sendings {
		if slices.ContainsFunc(send.clients, func(c *client) bool { return slices.Contains(users, c) }) {
			if !holds(send.call) {
				return false
			}
			sends = true
		}
	}
	return sends && !slices.ContainsFunc(users, func(c *client) bool { return c.escapes != "" || s.others(c) != "" })
}

// has tells that a timeout is given a value which is not known to be none.
func (s *clientSet) has(t *client, field string) bool {
	var w wait
	for _, v := range t.given[field] {
		w = w.or(waitOf(s.Index, v))
	}
	return t.set[field] || !w.zero() && !(w.Known && w.Most <= 0)
}

// keepsNone tells that a transport keeps no idle connections.
func (s *clientSet) keepsNone(t *client) bool {
	if len(t.given["DisableKeepAlives"]) > 0 {
		for _, v := range t.given["DisableKeepAlives"] {
			for _, o := range s.Origins(v) {
				if value := s.TypesInfo.Types[o.Expr].Value; value == nil || value.Kind() == constant.Bool && constant.BoolVal(value) {
					return true
				}
			}
		}
	}
	for _, v := range t.given["MaxIdleConnsPerHost"] {
		if n, known := durationOf(s.TypesInfo, v.Expr); known && n < 0 {
			return true
		}
	}
	return false
}

// dials tells that a transport connects with a function of its own, unless that is known
// to be of a net.Dialer without timeout.
func (s *clientSet) dials(t *client) bool {
	for _, field := range []string{"DialContext", "Dial"} {
		for _, v := range t.given[field] {
			for _, o := range s.Origins(v) {
				if !s.TypesInfo.Types[o.Expr].IsNil() && !s.plainDialer(o) {
					return true
				}
			}
		}
	}
	return t.set["DialContext"] || t.set["Dial"]
}

// dialsBy names the field of another package's type that holds the function by which a
// transport connects, such as through another program; empty if there is none.
func (s *clientSet) dialsBy(t *client) string {
	for _, field := range []string{"DialContext", "Dial"} {
		for _, v := range t.given[field] {
			for _, o := range s.Origins(v) {
				sel, ok := ast.Unparen(o.Expr).(*ast.SelectorExpr)
				if !ok {
					continue
				}
				if of := s.TypesInfo.Selections[sel]; of != nil && of.Kind() == types.FieldVal && of.Obj().Pkg() != s.Pkg {
					return types.ExprString(sel)
				}
			}
		}
	}
	return ""
}

// plainDialer tells that a function is net.Dial or the method of a net.Dialer that is
// written out without a timeout.
func (s *clientSet) plainDialer(f flow.Value) bool {
	sel, ok := ast.Unparen(f.Expr).(*ast.SelectorExpr)
	if !ok {
		return false
	}
	if o := s.TypesInfo.Uses[sel.Sel]; o != nil && o.Pkg() != nil && o.Pkg().Path() == "net" && o.Name() == "Dial" && s.TypesInfo.Selections[sel] == nil {
		return true
	}
	if !flow.IsType(s.TypesInfo.TypeOf(sel.X), "net", "Dialer") {
		return false
	}
	origins := s.Origins(flow.Value{Expr: sel.X, Frame: f.Frame})
	keys := make(map[any]bool)
	for _, o := range origins {
		if !isLiteral(o.Expr) {
			return false
		}
		keys[s.Key(o)] = true
	}
	for _, store := range s.Stores {
		if name := store.Field.Name(); name != "Timeout" && name != "Deadline" || !flow.IsType(s.TypesInfo.TypeOf(store.Base), "net", "Dialer") {
			continue
		}
		for k := range s.Keys(store) {
			if keys[k] {
				return false
			}
		}
	}
	return len(origins) > 0
}

// staysHome tells that a client connects to one place alone, wherever it is redirected.
func (s *clientSet) staysHome(c *client) bool {
	return slices.ContainsFunc(s.transports, func(t *client) bool {
		return slices.Contains(s.usersOf(t), c) && s.dialsHome(t)
	})
}

// dialsHome tells that a transport's own dialer connects to a socket of the machine, or
// to a place of its own choice, whatever address it is given.
func (s *clientSet) dialsHome(t *client) bool {
	for _, field := range []string{"DialContext", "Dial"} {
		for _, v := range t.given[field] {
			for _, o := range s.Origins(v) {
				if b, ok := s.Function(o); ok && (s.ignoresAddress(b) || s.saysUnix(b)) {
					return true
				}
			}
		}
	}
	return false
}

func (s *clientSet) ignoresAddress(b flow.Body) bool {
	params := b.Type.Params.List
	names := params[len(params)-1].Names
	return len(names) == 0 || names[len(names)-1].Name == "_"
}

func (s *clientSet) saysUnix(b flow.Body) (says bool) {
	ast.Inspect(b.Block, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok {
			value := s.TypesInfo.Types[e].Value
			says = says || value != nil && value.Kind() == constant.String && constant.StringVal(value) == "unix"
		}
		return true
	})
	return says
}

// sendsEndless tells that the requests which one of the clients is seen to send have no
// end.
func (s *clientSet) sendsEndless(users []*client) bool {
	return slices.ContainsFunc(users, func(c *client) bool {
		sends := slices.ContainsFunc(s.sendings, func(send sending) bool { return slices.Contains(send.clients, c) })
		return sends && s.alwaysEndless(c)
	})
}

// closes tells that the package itself ends the idle connections of a transport, or of a
// client that has it.
func (s *clientSet) closes(t *client, users []*client) bool {
	return slices.ContainsFunc(s.Calls, func(call *ast.CallExpr) bool {
		if fn := s.Callee(call); fn == nil || fn.Name() != "CloseIdleConnections" {
			return false
		}
		on, _ := s.calledOn(call)
		return slices.ContainsFunc(on, func(c *client) bool { return c == t || slices.Contains(users, c) })
	})
}
