package sources

import (
	"go/ast"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"

	"temper/checks"
)

// debugPages is the fact that a package, or one that it imports, puts pages about the
// process on http.DefaultServeMux, as a side effect of being linked in.
type debugPages struct {
	// By holds the importing package for each path that registers itself.
	By map[string]string
}

func (*debugPages) AFact() {}

func (d *debugPages) String() string {
	return "debug pages of " + strings.Join(slices.Sorted(maps.Keys(d.By)), ", ")
}

// registering are packages whose init registers on http.DefaultServeMux, and where.
var registering = map[string]string{"net/http/pprof": "/debug/pprof/", "expvar": "/debug/vars"}

var debugPagesOf = &analysis.Analyzer{
	Name:       "debugpages",
	Doc:        "which packages put pages about the process on http.DefaultServeMux",
	FactTypes:  []analysis.Fact{(*debugPages)(nil)},
	ResultType: reflect.TypeFor[*debugPages](),
	Run: func(p *analysis.Pass) (any, error) {
		pages := &debugPages{By: make(map[string]string)}
		for _, imported := range p.Pkg.Imports() {
			var theirs debugPages
			if p.ImportPackageFact(imported, &theirs) {
				for path, by := range theirs.By {
					if old, ok := pages.By[path]; !ok || by < old {
						pages.By[path] = by
					}
				}
			}
		}
		for _, f := range p.Files {
			if strings.HasSuffix(p.Fset.File(f.Pos()).Name(), "_test.go") {
				continue
			}
			for _, spec := range f.Imports {
				path, _ := strconv.Unquote(spec.Path.Value)
				if registering[path] != "" {
					pages.By[path] = p.Pkg.Path()
				}
			}
		}
		if len(pages.By) > 0 {
			p.ExportPackageFact(pages)
		}
		return pages, nil
	},
}

var debugHandlers = code(checks.Rule{
	Name:     "debug-handlers",
	Severity: checks.Error,
	Source:   "https://pkg.go.dev/net/http/pprof",
	Doc: `http.DefaultServeMux is not served to others with debug pages on it

Importing net/http/pprof puts profiles, stacks and the command line on
http.DefaultServeMux, and expvar its variables; so does any dependency that
imports them. A server without a handler of its own serves that mux: whoever reaches
it reads what the process does, and has it profiled until it is slow.

Give the server a mux of its own (http.NewServeMux), and serve the debug pages on
localhost: http.ListenAndServe("localhost:6060", nil).`,
	Good: `go http.ListenAndServe("localhost:6060", nil) // _ "net/http/pprof"`,
	Bad:  `http.ListenAndServe(":8080", nil) // _ "net/http/pprof"`,
}, func(p *pass) {
	pages := p.ResultOf[debugPagesOf].(*debugPages)
	if len(pages.By) == 0 {
		return
	}
	var on []string
	for _, path := range slices.Sorted(maps.Keys(pages.By)) {
		said := registering[path] + " of " + path
		if by := pages.By[path]; by != p.Pkg.Path() {
			said += ", which " + by + " imports"
		}
		on = append(on, said)
	}
	what := strings.Join(on, ", and ")
	const fix = "serve a mux of your own (http.NewServeMux), and the debug pages on localhost"
	routed := p.routesDefaultMux()
	for _, l := range p.listenings() {
		switch {
		case !p.isDefaultMux(l.handler) || l.reach == itself:
		case l.reach == anybody || routed:
			p.report(l.at, fix, "http.DefaultServeMux is served on %s, with %s", l.where, what)
		default:
			p.undecided(l.at, "http.DefaultServeMux is served on %s, with %s; the source does not tell who reaches that", l.where, what)
		}
	}
}, originsOf, listeningsOf, debugPagesOf)

// routesDefaultMux tells whether the package puts pages of the service itself on
// http.DefaultServeMux, so that it is not there for debugging alone.
func (p *pass) routesDefaultMux() bool {
	found := false
	for _, c := range p.callsOf("net/http.Handle", "net/http.HandleFunc") {
		path := p.TypesInfo.Types[c.Node().(*ast.CallExpr).Args[0]].Value
		found = found || path == nil || !isDebugPath(path.ExactString())
	}
	return found
}

// isDebugPath tells whether a path is one at which servers have pages for operators.
func isDebugPath(path string) bool {
	for _, of := range []string{"/debug", "/metrics", "health", "/livez", "/readyz", "/ready", "/live"} {
		if strings.Contains(path, of) {
			return true
		}
	}
	return false
}
