package probes

import (
	"context"
	"net/http"
	"strings"

	"temper/checks"
)

var host = &checks.Check[*Running]{
	Rule: checks.Rule{
		Name:     "probe-host",
		Severity: checks.Error,
		Source:   "https://portswigger.net/web-security/host-header",
		Doc: `a request for a name that is not the service's own is refused with 400, and one for its health is not

The Host header is the client's word. A service that believes it builds links to a
stranger's site and fills caches with them, and a page can reach it from a
visitor's browser by a name that was bound to its address. A kubelet asks for
health by the pod's address, which no list of names can know.

Compare r.Host with a list of names before any handler sees the request, also
where the request line has a whole URL or there is no Host at all; read no
X-Forwarded-Host that anybody can send; and put the health paths in front of it.
Declare the name in temper.yaml, probe: {host}, and the paths, probe: {paths}; a
port with nothing but health paths has paths: [].`,
	},
	Run: func(r *Running, p *checks.Pass) error {
		n := r.Names
		for _, a := range r.Own {
			if a.refused() {
				p.Reportf(a.Asked, "it answers %d to its own host, %s", a.Status, r.Host)
				p.Fixf("declare a name that it answers to: probe: {host: ...} in temper.yaml")
			}
		}
		report := func(list []Answer, what string) {
			for _, a := range list {
				if !a.refused() {
					p.Reportf(a.Asked, "it %s %s, want 400", a.said(), what)
				}
			}
		}
		report(n.Strange, "to the Host "+stranger)
		report(n.Whole, "to a request line with http://"+stranger)
		report(n.None, "without a Host")
		for _, a := range n.Health {
			if a.refused() {
				p.Reportf(a.Asked, "the health path answers %d to a Host that it does not know", a.Status)
				p.Fixf("answer health before the Host is looked at: a kubelet asks by address")
			}
		}
		for _, a := range n.Forwarded {
			if a.mentions(stranger) {
				p.Reportf(a.Asked, "its answer holds the name that came in X-Forwarded-Host")
			}
		}
		for _, a := range n.Elsewhere {
			if a.Status != http.StatusNotFound && !a.refused() {
				p.Reportf(a.Asked, "it %s, although the port is declared to carry nothing but health", a.said())
			}
		}
		return nil
	},
}

// stranger is a name that nobody can have.
// https://www.rfc-editor.org/rfc/rfc6761#section-6.4
const stranger = "stranger.invalid"

// Names are the answers to requests that call the service by names not its own.
type Names struct {
	Strange   []Answer // to each path
	Whole     []Answer // where the request line has the name
	None      []Answer // with no name
	Forwarded []Answer // with its own name, and a strange one that was forwarded
	Health    []Answer // to each health path
	Elsewhere []Answer // to other paths, where there are only health paths
}

func (a *asker) names(ctx context.Context) Names {
	var n Names
	ask := func(list *[]Answer, r request) { *list = append(*list, a.get(ctx, r)) }
	for _, path := range a.Paths {
		ask(&n.Strange, request{target: path, host: stranger})
		ask(&n.Whole, request{target: "http://" + stranger + path, host: a.Host})
		ask(&n.None, request{target: path})
		ask(&n.Forwarded, request{target: path, host: a.Host, header: []string{
			"X-Forwarded-Host: " + stranger, "X-Host: " + stranger, "X-Original-Host: " + stranger, "Forwarded: host=" + stranger,
		}})
	}
	for _, path := range a.Health {
		ask(&n.Health, request{target: path, host: stranger})
	}
	if len(a.Paths) == 0 {
		for _, path := range []string{"/", "/index.html", "/metrics", "/api"} {
			ask(&n.Elsewhere, request{target: path, host: a.Host})
		}
	}
	return n
}

// mentions tells whether an answer holds a text anywhere.
func (a Answer) mentions(text string) bool {
	if strings.Contains(a.Body, text) {
		return true
	}
	for _, values := range a.Header {
		if strings.Contains(strings.Join(values, " "), text) {
			return true
		}
	}
	return false
}
