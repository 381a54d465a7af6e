package sources

import (
	"go/ast"
	"go/constant"
	"strings"

	"temper/checks/pattern"
)

// asking are the functions that give a string of the request as it came.
var asking = pattern.New(`^(\(\*net/http\.Request\)\.(FormValue|PostFormValue|PathValue|Referer)` +
	`|github\.com/go-chi/chi(/v\d+)?\.URLParam` +
	`|\(\*github\.com/gin-gonic/gin\.Context\)\.(Query|DefaultQuery|GetQuery|PostForm|DefaultPostForm|GetPostForm|Param|GetHeader)` +
	`|\(\*?github\.com/labstack/echo(/v\d+)?\.Context\)\.(QueryParam|FormValue|Param)` +
	`|\(\*github\.com/gofiber/fiber(/v\d+)?\.Ctx\)\.(Query|FormValue|Params|Get))$`)

// asks tells whether an expression is a string that the request gives, and that names
// what whoever makes a link wants it to. The request's own path and Host are not.
func (p *pass) asks(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.CallExpr:
		name := p.callee(e)
		if asking().MatchString(name) {
			return true
		}
		sel, ok := ast.Unparen(e.Fun).(*ast.SelectorExpr)
		if !ok {
			return false
		}
		switch name {
		case "(net/url.Values).Get":
			return p.isForm(sel.X)
		case "(net/http.Header).Get":
			return p.isField(sel.X, "net/http", "Request", "Header") && p.steered(e.Args[0])
		}
	case *ast.IndexExpr:
		if p.isForm(e.X) {
			return true
		}
		if call, ok := ast.Unparen(e.X).(*ast.CallExpr); ok {
			return p.callee(call) == "github.com/gorilla/mux.Vars"
		}
		if v := p.origins().object(e.X); v != nil {
			for _, from := range p.origins().given[v] {
				if call, ok := from.expr.(*ast.CallExpr); ok && p.callee(call) == "github.com/gorilla/mux.Vars" {
					return true
				}
			}
		}
	}
	return false
}

// steered tells whether a header is one whose value is taken for an address.
func (p *pass) steered(key ast.Expr) bool {
	v := p.TypesInfo.Types[key].Value
	if v == nil {
		return true
	}
	switch strings.ToLower(constant.StringVal(v)) {
	case "cookie", "authorization", "content-type", "accept", "x-forwarded-proto", "x-forwarded-for":
		return false
	}
	return true
}

// isForm tells whether an expression is the values of a request's query or body.
func (p *pass) isForm(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.CallExpr:
		sel, ok := ast.Unparen(e.Fun).(*ast.SelectorExpr)
		return ok && p.callee(e) == "(*net/url.URL).Query" && p.isField(sel.X, "net/http", "Request", "URL")
	case *ast.SelectorExpr:
		return p.isField(e, "net/http", "Request", "Form") || p.isField(e, "net/http", "Request", "PostForm")
	case *ast.Ident:
		v := p.origins().object(e)
		if v == nil || !isNamed(v.Type(), "net/url", "Values") {
			return false
		}
		for _, from := range p.origins().given[v] {
			if from.expr != nil && from.of == 0 && identOf(from.expr) == nil && p.isForm(from.expr) {
				return true
			}
		}
	}
	return false
}

// isField tells whether an expression is a field of a struct type.
func (p *pass) isField(e ast.Expr, pkg, name, field string) bool {
	sel, ok := ast.Unparen(e).(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != field {
		return false
	}
	t := p.fieldOf(sel)
	return t != nil && isNamed(made(t), pkg, name)
}
