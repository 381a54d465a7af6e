package probes

import (
	"context"
	"strings"

	"temper/checks"
)

var pprof = &checks.Check[*Running]{
	Rule: checks.Rule{
		Name:     "probe-pprof",
		Severity: checks.Error,
		Source:   "https://pkg.go.dev/net/http/pprof",
		Doc: `no port serves the program's inner life: no pprof, no expvar

Profiles hold what is in the memory, the command line holds passwords, and one
request for a trace keeps a processor busy for as long as it asks. Importing
net/http/pprof or expvar is enough to serve them wherever http.DefaultServeMux is.

Import neither in what is shipped, and register handlers on a ServeMux of your own.
The probe asks every open port, declared or not, and judges by what comes back.`,
	},
	Run: func(r *Running, p *checks.Pass) error {
		for _, a := range r.Insides {
			if what := a.inside(); what != "" {
				p.Reportf(a.Asked, "it serves %s", what)
			}
		}
		return nil
	},
}

// insiders are the paths that tell of a Go program's inner life.
var insiders = []string{"/debug/pprof/goroutine?debug=1", "/debug/pprof/", "/debug/vars", "/pprof/goroutine?debug=1", "/debug/requests", "/debug/events"}

func (a *asker) insides(ctx context.Context, open []int) []Answer {
	var answers []Answer
	for _, port := range open {
		for _, path := range insiders {
			answers = append(answers, a.get(ctx, request{port: port, target: path, host: a.Host}))
		}
	}
	return answers
}

// inside tells by its content what an answer is; a path alone proves nothing
// where every path is answered.
func (a Answer) inside() string {
	switch {
	case a.Status != 200:
		return ""
	case strings.HasPrefix(a.Body, "goroutine profile:"), strings.Contains(a.Body, "/debug/pprof/") && strings.Contains(a.Body, "full goroutine stack dump"):
		return "profiles"
	case strings.Contains(a.Body, `"memstats"`):
		return "its variables, expvar"
	case strings.Contains(a.Body, "<title>/debug/requests</title>"), strings.Contains(a.Body, "<title>events</title>"):
		return "its requests, x/net/trace"
	}
	return ""
}
