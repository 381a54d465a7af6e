package sources

import (
	"go/ast"
	"go/constant"
	"go/types"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"temper/checks"
)

var openRedirect = code(checks.Rule{
	Name:     "open-redirect",
	Severity: checks.Error,
	Source:   "https://cheatsheetseries.owasp.org/cheatsheets/Unvalidated_Redirects_and_Forwards_Cheat_Sheet.html",
	Doc: `redirects go to no place that the request names

A link to the service that leads to any other site lends that the service's name:
people type their password where it takes them, and tokens in the address go along. A
target that begins with / is no better: //evil.example is a site as well.

Look the target up among those that are known, or parse it and let only paths pass:
u, err := url.Parse(next); if err != nil || u.IsAbs() || u.Host != "" { next = "/" }.`,
	Good: `http.Redirect(w, r, "/orders/"+url.PathEscape(r.FormValue("id")), http.StatusFound)`,
	Bad:  `http.Redirect(w, r, r.FormValue("next"), http.StatusFound)`,
}, func(p *pass) {
	t := p.taint()
	for _, c := range p.callsWhere(func(name string) bool { return redirecting(name) >= 0 }) {
		target := p.redirects(c.Node().(*ast.CallExpr), c)
		if target == nil {
			continue
		}
		t.steps = 0
		switch v := t.of(target); v.state {
		case tainted:
			message := "the redirect's target is " + types.ExprString(v.from) + " of the request, and nothing looks at it"
			if v.weak {
				message = "the redirect's target is " + types.ExprString(v.from) + " of the request, and what is asked of it holds for //evil.example as well"
			}
			p.report(target, "look it up among known targets, or parse it and refuse a scheme and a host", "%s", message)
		case unsure:
			p.undecided(target, "the redirect's target is what %s makes of the request", types.ExprString(v.from))
		}
	}
}, originsOf, conditionsOf)

// redirecting is the index of the argument that is the target of a function which may
// redirect; -1 for other functions.
func redirecting(name string) int {
	switch {
	case name == "net/http.Redirect":
		return 2
	case name == "(*github.com/gin-gonic/gin.Context).Redirect", name == "(net/http.Header).Set", name == "(net/http.Header).Add",
		strings.HasPrefix(name, "(github.com/labstack/echo") && strings.HasSuffix(name, ".Context).Redirect"),
		strings.HasPrefix(name, "(*github.com/labstack/echo") && strings.HasSuffix(name, ".Context).Redirect"):
		return 1
	case strings.HasPrefix(name, "(*github.com/gofiber/fiber") && strings.HasSuffix(name, ".Ctx).Redirect"):
		return 0
	}
	return -1
}

// redirects is the target of a call that redirects; nil if it does not.
func (p *pass) redirects(n *ast.CallExpr, c inspector.Cursor) ast.Expr {
	name := p.callee(n)
	arg := redirecting(name)
	if strings.HasPrefix(name, "(net/http.Header).") {
		key := p.TypesInfo.Types[n.Args[0]].Value
		if key == nil || !strings.EqualFold(constant.StringVal(key), "location") || !p.answers3xx(c) {
			return nil
		}
	}
	if arg < 0 || len(n.Args) <= arg {
		return nil
	}
	return n.Args[arg]
}

// answers3xx tells whether the function around writes a status that redirects.
func (p *pass) answers3xx(c inspector.Cursor) bool {
	for up := range c.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		for call := range up.Preorder((*ast.CallExpr)(nil)) {
			n := call.Node().(*ast.CallExpr)
			if !strings.HasSuffix(p.callee(n), ".WriteHeader") || len(n.Args) != 1 {
				continue
			}
			if v := p.TypesInfo.Types[n.Args[0]].Value; v != nil {
				if code, _ := constant.Int64Val(v); code >= 300 && code < 400 {
					return true
				}
			}
		}
		return false
	}
	return false
}
