package sources

import (
	"fmt"
	"go/ast"
	"go/types"
	"path"
	"slices"
	"time"

	"temper/checks"
	"temper/checks/sources/flow"
)

// What a client's Timeout may be: below the least no server answers, and above the most
// nobody waits any longer for what was asked.
const leastAnswer, mostAnswer = time.Millisecond, 12 * time.Hour

var clientTimeout = code(checks.Rule{
	Name:     "client-timeout",
	Severity: checks.Warning,
	Source:   "https://pkg.go.dev/net/http#Client",
	Doc: `every request that a service sends comes to an end

A client without Timeout waits as long as the server likes. One peer that takes
connections and says nothing then holds a goroutine and a connection for each
request, until the service has none left; http.Get, Head, Post and PostForm wait like
that. A context of the caller ends a request as well, and so does one with a
deadline; context.Background does not.

Write &http.Client{Timeout: 30 * time.Second}, which is for all of it, redirects
and body too. Where answers may take longer, as streams do, send each request with
http.NewRequestWithContext and a context that ends. From a millisecond to twelve
hours is taken for a choice, and anything else for a mistake: Timeout: 30 is 30
nanoseconds.

Where only commands ask that a person gives, waits for and can end, there is a notice.`,
	Good: `ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
defer cancel()
req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)`,
	Bad: `resp, err := http.Get(url)`,
}, func(p *pass) {
	s := p.ResultOf[clients].(*clientSet)
	for _, c := range s.clients {
		if lack := insane(s.timeout(c)); lack != "" && !c.common {
			p.report(c.at, "give it Timeout: 30 * time.Second", "%s has a Timeout of %s", c.made, lack)
		}
	}
	told := make(map[*client]bool)
	var waited []sending
	commands := p.commands()
	for _, send := range s.sendings {
		switch {
		case !s.endlessSending(send):
		case commands.run(send.call):
			waited = append(waited, send)
		default:
			p.waits(s, send, told)
		}
	}
	for _, send := range waited { // by clients that are not told of
		for _, c := range send.clients {
			if !told[c] && s.endlessClient(c) {
				told[c] = !c.common
				p.undecided(send.call, "%s waits as long as the server likes, and so does whoever gave the command: the client has no Timeout", p.called(send))
				break
			}
		}
	}
}, clients)

// waits reports a request that nothing ends, once for a client that has no other.
func (p *pass) waits(s *clientSet, send sending, told map[*client]bool) {
	for _, c := range send.clients {
		if told[c] || !s.endlessClient(c) {
			continue
		}
		if c.common {
			const fix = "send it with a client that has a Timeout, or with http.NewRequestWithContext and a context that ends"
			p.report(send.call, fix, "%s waits as long as the server likes: http.DefaultClient has no Timeout", p.called(send))
			return
		}
		if !s.alwaysEndless(c) {
			const fix = "make it with http.NewRequestWithContext and a context that ends, as others that this client sends"
			p.report(send.call, fix, "%s waits as long as the server likes: the client has no Timeout, and the request no context that ends", p.called(send))
			return
		}
		told[c] = true
		p.mend(c.at, "give it Timeout: 30 * time.Second", p.intoLiteral(c.literal, "Timeout: 30 * time.Second"),
			"%s has no Timeout, and %s in %s waits as long as the server likes", c.made, p.called(send), p.place(send.call, c.at))
	}
}

// called is how a sending reads.
func (p *pass) called(send sending) string {
	return types.ExprString(send.call.Fun)
}

// place is where a node stands, as seen from another one.
func (p *pass) place(at, from ast.Node) string {
	to := p.Fset.Position(at.Pos())
	if to.Filename == p.Fset.Position(from.Pos()).Filename {
		return fmt.Sprintf("line %d", to.Line)
	}
	return fmt.Sprintf("%s:%d", path.Base(to.Filename), to.Line)
}

func (s *clientSet) timeout(c *client) wait {
	if c.set["Timeout"] || c.from != nil && !c.from.Endless {
		return wait{Set: true}
	}
	var out wait
	for _, v := range c.given["Timeout"] {
		out = out.or(waitOf(s.Index, v))
	}
	return out
}

// insane says what is wrong with a timeout that is not zero, empty if nothing is.
func insane(w wait) string {
	switch {
	case w.zero() || !w.Known:
		return ""
	case w.Most < 0:
		return fmt.Sprintf("%v, and a negative one means none", w.Most)
	case w.Most > mostAnswer:
		return fmt.Sprintf("%v, which nobody waits for: %v is the most that makes sense", w.Most, mostAnswer)
	case w.Most > 0 && w.Most < leastAnswer:
		return fmt.Sprintf("%v, in which no server answers: %v is the least that makes sense", w.Most, leastAnswer)
	}
	return ""
}

// endlessClient tells that nothing about a client ends its requests.
func (s *clientSet) endlessClient(c *client) bool {
	if !s.timeout(c).zero() || c.escapes != "" || s.answers(c) {
		return false
	}
	for _, t := range s.roundTrips(c) {
		if t.ends {
			return false
		}
	}
	return true
}

// alwaysEndless tells that nothing ends any of the requests that are seen of a client.
func (s *clientSet) alwaysEndless(c *client) bool {
	return !slices.ContainsFunc(s.sendings, func(send sending) bool {
		return slices.Contains(send.clients, c) && !s.endlessSending(send)
	})
}

// endlessSending tells that nothing about a request ends it.
func (s *clientSet) endlessSending(send sending) bool {
	if send.method != "Do" {
		return true
	}
	if len(send.call.Args) != 1 {
		return false
	}
	var plain, renewed []bool
	for _, o := range s.Origins(flow.Value{Expr: send.call.Args[0]}) {
		switch r := o.Expr.(type) {
		case *ast.CompositeLit:
			plain = append(plain, flow.IsType(s.TypesInfo.TypeOf(r), netHTTP, "Request"))
		case *ast.CallExpr:
			switch {
			case s.IsFunc(r, netHTTP, "NewRequest"):
				plain = append(plain, true)
			case s.IsFunc(r, netHTTP, "NewRequestWithContext"):
				plain = append(plain, s.endless(r.Args[0], nil))
			case s.IsFunc(r, netHTTP, "Request.WithContext", "Request.Clone"):
				renewed = append(renewed, s.endless(r.Args[0], nil))
			}
		}
	}
	if len(renewed) > 0 { // whatever it was made with
		plain = renewed
	}
	ends := len(plain) == 0
	for _, endless := range plain {
		ends = ends || !endless
	}
	return !ends
}

// endless tells that a context has no deadline, and that no caller gave it.
func (s *clientSet) endless(ctx ast.Expr, seen map[*types.Var]bool) bool {
	switch e := ast.Unparen(ctx).(type) {
	case *ast.CallExpr:
		switch {
		case s.IsFunc(e, "context", "Background", "TODO", "WithoutCancel"):
			return true
		case s.IsFunc(e, "context", "WithCancel", "WithCancelCause", "WithValue"), s.IsFunc(e, "os/signal", "NotifyContext"):
			return s.endless(e.Args[0], seen)
		}
	case *ast.Ident:
		v, ok := s.TypesInfo.ObjectOf(e).(*types.Var)
		if !ok || s.params[v] || v.IsField() || len(s.Given(v)) == 0 {
			return false
		}
		if seen[v] {
			return true // the others decide
		}
		before := map[*types.Var]bool{v: true}
		for k := range seen {
			before[k] = true
		}
		for _, given := range s.Given(v) {
			if given.Elem() || !s.endless(given.Expr, before) {
				return false
			}
		}
		return true
	}
	return false
}
