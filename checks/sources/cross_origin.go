package sources

import (
	"go/ast"
	"go/constant"
	"go/types"
	"strings"

	"temper/checks"
)

var crossOriginBypass = code(checks.Rule{
	Name:     "cross-origin-bypass",
	Severity: checks.Error,
	Source:   "https://pkg.go.dev/net/http#CrossOriginProtection.AddInsecureBypassPattern",
	Doc: `protection from requests of other sites is lifted for named paths only

http.CrossOriginProtection refuses what a browser sends from another site in the name
of whoever is logged in. A bypass pattern takes requests out of that, and patterns are
those of http.ServeMux: "/" and "/{rest...}" are every path, with any method, and
nothing is left of the protection. One that a request names is whatever its sender
likes, for all requests after it.

Name the paths that other sites may send to, such as "POST /webhooks/", or trust an
origin with AddTrustedOrigin.`,
	Good: `protection.AddInsecureBypassPattern("POST /webhooks/")`,
	Bad:  `protection.AddInsecureBypassPattern("/")`,
}, func(p *pass) {
	t := p.taint()
	for _, c := range p.callsOf("(*net/http.CrossOriginProtection).AddInsecureBypassPattern") {
		n := c.Node().(*ast.CallExpr)
		if len(n.Args) == 1 {
			p.bypass(n, t)
		}
	}
}, originsOf, conditionsOf)

// bypass judges the pattern of a call that takes what it matches out of the protection.
func (p *pass) bypass(n *ast.CallExpr, t *taint) {
	values, _ := p.origins().constants(n.Args[0])
	for _, v := range values {
		if v.Kind() == constant.String && everyPath(constant.StringVal(v)) {
			p.report(n.Args[0], "name the paths that other sites may send to", "the pattern %s takes every request out of the protection", v.ExactString())
			return
		}
	}
	t.steps = 0
	if v := t.of(n.Args[0]); v.state == tainted {
		p.report(n.Args[0], "name the paths that other sites may send to", "the pattern is %s of the request, so that whoever sends it lifts the protection", types.ExprString(v.from))
	}
}

// everyPath tells whether a pattern of http.ServeMux matches all paths of a host, or of
// any, with methods that change something.
func everyPath(pattern string) bool {
	if method, rest, ok := strings.Cut(pattern, " "); ok {
		switch method {
		case "GET", "HEAD", "OPTIONS": // which the protection lets through anyway
			return false
		}
		pattern = strings.TrimLeft(rest, " \t")
	}
	_, path, ok := strings.Cut(pattern, "/")
	return ok && (path == "" || strings.HasPrefix(path, "{") && strings.HasSuffix(path, "...}") && !strings.Contains(path, "/"))
}
