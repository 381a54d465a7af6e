package sources

import (
	"go/ast"
	"go/types"

	"temper/checks"
	"temper/checks/sources/flow"
)

var clientRedirects = code(checks.Rule{
	Name:     "client-redirects",
	Severity: checks.Warning,
	Source:   "https://pkg.go.dev/net/http#Client",
	Doc: `every HTTP client checks where it is redirected to

A client without CheckRedirect follows ten redirects to anywhere. Whoever
answers it, or can write one Location header, chooses where the service asks
next: an address inside the cluster, the metadata of the cloud, or the same host
without TLS. http.Get, Head, Post and PostForm and http.DefaultClient are such
clients, and so is one whose CheckRedirect only returns nil, which lifts the limit
of ten as well.

A client of an API that does not redirect takes none: CheckRedirect: func(*http.Request,
[]*http.Request) error { return http.ErrUseLastResponse }. One that must follow
compares req.URL.Host and req.URL.Scheme with those of via[0].URL, and returns an
error for others.

It is a finding where a request says whom a client asks, where nobody says that is known
of, and where the server is asked without TLS. Where the code names every server by a
constant with https, or flags, the environment, a configuration or a certificate do, there is a
notice: they may be trusted, or not. So there is for a client that is handed to another package, or
that others get of this one: they decide, and a request that does in the module is a finding.`,
	Good: `client := &http.Client{
	Timeout: 30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	},
}`,
	Bad: `client := &http.Client{Timeout: 30 * time.Second}`,
}, func(p *pass) {
	const fix = "give a client of its own a CheckRedirect that returns http.ErrUseLastResponse, or an error for other hosts"
	s := p.ResultOf[clients].(*clientSet)
	for _, call := range s.Calls {
		for _, arg := range s.asked(call) {
			p.report(arg, fix, "%s asks what a request says, with a client that follows redirects to anywhere: it has no CheckRedirect", types.ExprString(call.Fun))
		}
	}
	told := make(map[ast.Node]bool) // functions of several clients
	for _, c := range s.clients {
		if c.escapes != "" || s.answers(c) || s.staysHome(c) || s.choosesAddresses(c) {
			continue
		}
		switch policy, at := s.policy(c); policy {
		case unchecked:
			if p.takesAlong(s, c) != "" || s.toldOf(c) {
				continue // client-credentials says so, and more
			}
			asks, sends := s.asks(c)
			others, choice := s.others(c), p.orCareful(s, c)
			switch ours := c.maker != nil && p.sameModule(c.maker.Pkg()); {
			case c.instead != "":
				p.undecided(c.at, "%s follows redirects to anywhere, for it has no CheckRedirect, and is taken where %s is nil", c.made, c.instead)
			case asks == byRequest:
				p.report(c.at, fix, "%s follows redirects to anywhere: it has no CheckRedirect, and a request says whom it asks", c.made)
			case choice != nil:
				p.undecided(c.at, "%s follows redirects to anywhere, for it has no CheckRedirect, where %s says so, and another that the function makes checks where it goes", c.made, types.ExprString(choice))
			case ours: // told of where it is made
			case asks == byAnybody, others == "" && (asks == byCaller || !sends):
				p.report(c.at, fix, "%s follows redirects to anywhere: it has no CheckRedirect", c.made)
			case others != "":
				p.undecided(c.at, "%s follows redirects to anywhere, for it has no CheckRedirect, and %s decides whom it asks", c.made, others)
			case asks == byCertificate:
				p.undecided(c.at, "%s follows redirects to anywhere, for it has no CheckRedirect, and asks servers that certificates name", c.made)
			case asks == byOperator:
				p.undecided(c.at, "%s follows redirects to anywhere, for it has no CheckRedirect, and asks servers that are a matter of configuration", c.made)
			default:
				p.undecided(c.at, "%s follows redirects to anywhere, for it has no CheckRedirect, and asks servers alone that the code names", c.made)
			}
		case waved:
			if told[at] {
				continue
			}
			told[at] = true
			p.report(at, fix, "this CheckRedirect only returns nil, so that redirects are followed to anywhere and without end")
		}
	}
}, clients, originsOf)

// What checks the redirects of a client: nothing, a function that returns nothing but
// nil, or one that may say no, or is not known.
type redirectPolicy int

const (
	unchecked redirectPolicy = iota
	waved
	checked
)

// policy tells what checks a client's redirects, and where a function that only returns
// nil is given.
func (s *clientSet) policy(c *client) (redirectPolicy, ast.Node) {
	if c.set["CheckRedirect"] || c.from != nil && !c.from.Blind {
		return checked, nil
	}
	var at ast.Node
	for _, v := range c.given["CheckRedirect"] {
		origins := s.Origins(v)
		if len(origins) == 0 {
			return checked, nil
		}
		for _, o := range origins {
			if s.TypesInfo.Types[o.Expr].IsNil() {
				continue
			}
			if !s.onlyNil(o) {
				return checked, nil
			}
			at = v.Expr
		}
	}
	if at != nil {
		return waved, at
	}
	return unchecked, nil
}

// onlyNil tells that a function of the package returns nil, whatever it is given.
func (s *clientSet) onlyNil(f flow.Value) bool {
	b, ok := s.Function(f)
	if !ok {
		return false
	}
	returns := s.Returns(b, 0)
	for _, r := range returns {
		origins := s.Origins(r)
		if len(origins) == 0 {
			return false
		}
		for _, o := range origins {
			if !s.TypesInfo.Types[o.Expr].IsNil() {
				return false
			}
		}
	}
	return len(returns) > 0
}
