package sources

import (
	"go/ast"
	"go/constant"
	"go/types"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/types/typeutil"

	"temper/checks"
	"temper/checks/sources/flow"
)

var cookieAttributes = code(checks.Rule{
	Name:     "cookie-attributes",
	Severity: checks.Warning,
	Source:   "https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html#cookies",
	Doc: `cookies are Secure, HttpOnly and SameSite

Without Secure a browser sends the cookie over plain HTTP as well, without HttpOnly
any script of the page reads it, and without SameSite other sites' requests carry it, in
the browsers that do not take Lax for the default.

Set Secure: true, HttpOnly: true and SameSite: http.SameSiteLaxMode or stricter. A cookie
that scripts have to read, such as one with a CSRF token, says HttpOnly: false. Secure:
r.TLS != nil is right only where nobody ends TLS in front of the service.`,
	Good: `http.SetCookie(w, &http.Cookie{Name: "session", Value: id, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})`,
	Bad:  `http.SetCookie(w, &http.Cookie{Name: "session", Value: id})`,
}, func(p *pass) {
	sent := p.sentCookies()
	p.setups("net/http", "Cookie", func(s *setup) {
		if !s.named() || s.deletes(p) || p.asked(s, sent) {
			return
		}
		p.cookie(s)
	})
	p.ginCookies()
}, originsOf, endings)

// endings are the calls by which a package and those of its module that it imports end
// TLS, so that requests which came over it say so: the fact of the package names one.
var endings = &analysis.Analyzer{
	Name:       "endings",
	Doc:        "whether a package serves TLS",
	Requires:   []*analysis.Analyzer{inspect.Analyzer},
	FactTypes:  []analysis.Fact{new(endsTLS)},
	ResultType: reflect.TypeFor[string](),
	Run: func(a *analysis.Pass) (any, error) {
		p := passOf(a)
		by := ""
		for _, imported := range a.Pkg.Imports() {
			var of endsTLS
			if by == "" && p.sameModule(imported) && a.ImportPackageFact(imported, &of) {
				by = of.By
			}
		}
		each(p, func(n *ast.CallExpr) {
			fn, _ := typeutil.Callee(p.TypesInfo, n).(*types.Func)
			if flow.Is(fn, netHTTP, "ListenAndServeTLS", "ServeTLS", "Server.ListenAndServeTLS", "Server.ServeTLS") || flow.Is(fn, "crypto/tls", "Listen", "NewListener") {
				by = types.ExprString(n.Fun)
			}
		})
		if by != "" {
			a.ExportPackageFact(&endsTLS{by})
		}
		return by, nil
	},
}

// endsTLS is the fact of a package that it ends TLS, or that one does which it imports.
type endsTLS struct{ By string }

func (*endsTLS) AFact()         {}
func (*endsTLS) String() string { return "ends TLS" }

// endsTLS names what ends TLS in what a package serves, empty if nothing is known to.
func (p *pass) endsTLS() string { return p.ResultOf[endings].(string) }

// named tells whether a cookie has a name: without one it is not sent.
func (s *setup) named() bool { return s.lit != nil && len(s.field("Name")) > 0 || s.given("Name") }

// deletes tells whether a cookie takes one away from the browser.
func (s *setup) deletes(p *pass) bool {
	for _, v := range s.field("MaxAge") {
		values, _ := s.o.constants(v)
		if slices.ContainsFunc(values, func(c constant.Value) bool { return c.Kind() == constant.Int && constant.Sign(c) < 0 }) {
			return true
		}
	}
	return slices.ContainsFunc(s.field("Expires"), func(v ast.Expr) bool { return p.past(v, 0) })
}

// past tells whether a time is surely over: the epoch, a date, or before now.
func (p *pass) past(e ast.Expr, depth int) bool {
	const most = 4
	if depth == most {
		return false
	}
	call, ok := unwrapped(e).(*ast.CallExpr)
	if !ok {
		at := p.origins().object(e)
		return at != nil && slices.ContainsFunc(p.origins().given[at], func(v value) bool {
			call, ok := v.expr.(*ast.CallExpr)
			return ok && p.past(call, depth+1)
		})
	}
	negative := func(e ast.Expr) bool {
		v := p.TypesInfo.Types[e].Value
		return v != nil && v.Kind() == constant.Int && constant.Sign(v) < 0
	}
	switch p.callee(call) {
	case "time.Unix", "time.UnixMilli":
		v := p.TypesInfo.Types[call.Args[0]].Value
		return v != nil
	case "time.Date":
		return p.TypesInfo.Types[call.Args[0]].Value != nil
	case "(time.Time).Add":
		return negative(call.Args[0])
	case "(time.Time).AddDate":
		return slices.ContainsFunc(call.Args, negative)
	case "(time.Time).UTC":
		sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
		return ok && p.past(sel.X, depth+1)
	}
	return false
}

// sentCookies are the places of the cookies that requests carry to other servers.
func (p *pass) sentCookies() map[place]bool {
	sent := make(map[place]bool)
	for _, c := range p.callsWhere(sends) {
		for _, arg := range c.Node().(*ast.CallExpr).Args {
			ast.Inspect(arg, func(n ast.Node) bool {
				if e, ok := n.(ast.Expr); ok {
					if at := p.origins().place(e); at != "" {
						sent[at] = true
					}
				}
				return true
			})
		}
	}
	return sent
}

// sends tells whether a function puts cookies in requests.
func sends(callee string) bool {
	return strings.HasSuffix(callee, ").AddCookie") || strings.HasSuffix(callee, ").SetCookies")
}

// asked tells whether a cookie is one of a request.
func (p *pass) asked(s *setup, sent map[place]bool) bool {
	if slices.ContainsFunc(s.places, func(at place) bool { return sent[at] }) {
		return true
	}
	for up := range s.at.Enclosing((*ast.CallExpr)(nil)) {
		if sends(p.callee(up.Node().(*ast.CallExpr))) {
			return true
		}
	}
	// In a list that is a variable: the list is what is sent.
	for up := range s.at.Enclosing((*ast.CompositeLit)(nil)) {
		if up.Node() != s.at.Node() && sent[p.origins().holder(up)] {
			return true
		}
	}
	return false
}

// cookie judges the attributes of one.
func (p *pass) cookie(s *setup) {
	var missing []string
	for _, name := range []string{"Secure", "HttpOnly"} {
		switch p.attribute(s.field(name)) {
		case onNever:
			if name == "HttpOnly" && p.forScripts(s) {
				continue
			}
			missing = append(missing, name)
		case onByTLS:
			const why = "%s of the cookie%s follows the request's TLS, which is nil behind a proxy that ends it"
			if by := p.endsTLS(); by != "" {
				p.undecided(s.at.Node(), why+"; %s ends it here", name, s.called(), by)
			} else {
				p.report(s.at.Node(), "set Secure: true, or from configuration", why, name, s.called())
			}
		}
	}
	sameSite, none := p.sameSite(s)
	if !sameSite {
		missing = append(missing, "SameSite")
	}
	if len(missing) == 0 || !p.goesOn(s) {
		return
	}
	if to := p.handedOn(s, harmless); to != "" {
		p.undecided(s.at.Node(), "the cookie%s has no %s here, and is handed on to %s", s.called(), strings.Join(missing, ", "), to)
		return
	}
	if none && slices.Contains(missing, "Secure") {
		p.report(s.at.Node(), "", "the cookie%s is SameSite=None without Secure, and browsers drop it", s.called())
		return
	}
	p.report(s.at.Node(), "set Secure: true, HttpOnly: true and SameSite: http.SameSiteLaxMode, or stricter", "the cookie%s has no %s", s.called(), strings.Join(missing, ", "))
}

// called is the name of a cookie where that is constant, with a space and quotes.
func (s *setup) called() string {
	for _, v := range s.field("Name") {
		if values, all := s.o.constants(v); all && len(values) == 1 {
			return " " + values[0].ExactString()
		}
	}
	return ""
}

// forScripts tells whether a cookie says that scripts may read it, and is one that
// they have to.
func (p *pass) forScripts(s *setup) bool {
	name := strings.ToLower(s.called())
	return len(s.field("HttpOnly")) > 0 && (strings.Contains(name, "csrf") || strings.Contains(name, "xsrf"))
}

// When an attribute is on.
const (
	onNever = iota
	onMaybe
	onByTLS
)

func (p *pass) attribute(values []ast.Expr) int {
	is := onNever
	for _, v := range values {
		if p.byTLS(v, 0) {
			is = max(is, onByTLS)
			continue
		}
		known, all := p.origins().constants(v)
		if !all || slices.ContainsFunc(known, constant.BoolVal) {
			return onMaybe
		}
	}
	return is
}

// byTLS tells whether a value is whether a request came over TLS, or not, and nothing else.
func (p *pass) byTLS(e ast.Expr, depth int) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.UnaryExpr:
		return p.byTLS(e.X, depth)
	case *ast.BinaryExpr:
		sel, ok := ast.Unparen(e.X).(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != "TLS" || !p.TypesInfo.Types[e.Y].IsNil() {
			return false
		}
		of := p.fieldOf(sel)
		if pointer, ok := of.(*types.Pointer); ok {
			of = pointer.Elem()
		}
		return of != nil && isNamed(of, "net/http", "Request")
	case *ast.Ident:
		v := p.origins().object(e)
		given := p.origins().given[v]
		const most = 4
		return depth < most && v != nil && len(given) == 1 && given[0].expr != nil && given[0].of == 0 && p.byTLS(given[0].expr, depth+1)
	}
	return false
}

// sameSite tells whether a cookie has the attribute, and whether it is None.
func (p *pass) sameSite(s *setup) (has, none bool) {
	for _, v := range s.field("SameSite") {
		known, all := p.origins().constants(v)
		if !all {
			return true, none
		}
		for _, c := range known {
			n, _ := constant.Int64Val(c)
			has = has || n > 1 // 1 is http.SameSiteDefaultMode, which is no attribute
			none = none || n == 4
		}
	}
	return has, none
}

// harmless tells whether a function takes a cookie as it is.
func harmless(callee string) bool {
	return callee == "net/http.SetCookie" || strings.HasPrefix(callee, "fmt.") || strings.HasPrefix(callee, "log.") ||
		strings.HasPrefix(callee, "(*net/http.Cookie).") || callee == "(github.com/labstack/echo/v4.Context).SetCookie"
}

// ginCookies judges those that gin sets, whose attributes are arguments.
func (p *pass) ginCookies() {
	sameSite := len(p.callsOf("(*github.com/gin-gonic/gin.Context).SetSameSite")) > 0
	for _, c := range p.callsOf("(*github.com/gin-gonic/gin.Context).SetCookie") {
		n := c.Node().(*ast.CallExpr)
		if len(n.Args) != 7 {
			continue
		}
		if age, _ := p.origins().constants(n.Args[2]); len(age) == 1 && constant.Sign(age[0]) < 0 {
			continue
		}
		var missing []string
		for i, name := range []string{"Secure", "HttpOnly"} {
			if p.attribute(n.Args[5+i:6+i]) == onNever {
				missing = append(missing, name)
			}
		}
		if !sameSite {
			missing = append(missing, "SameSite")
		}
		if len(missing) > 0 {
			p.report(n, "pass true for secure and httpOnly, and call SetSameSite before", "the cookie has no %s", strings.Join(missing, ", "))
		}
	}
}
