package sources

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/types/typeutil"
)

// A taint tells which strings a request decides the beginning of, so that they can
// name any site.
type taint struct {
	*pass
	checks func() *conditions
	busy   map[ast.Expr]bool
	steps  int
}

func (p *pass) taint() *taint {
	return &taint{pass: p, checks: p.ResultOf[conditionsOf].(func() *conditions), busy: make(map[ast.Expr]bool)}
}

// A verdict is about one expression. From is what of the request it is, or what of
// elsewhere makes it of that.
type verdict struct {
	state int
	from  ast.Expr
	weak  bool // it was only asked to begin with a slash
}

const (
	clean   = iota
	unsure  // a function elsewhere made it
	tainted // it is as the request says
)

// of judges an expression where it stands.
func (t *taint) of(e ast.Expr) verdict {
	const most = 2000 // steps back from one target
	e = ast.Unparen(e)
	if t.steps++; t.steps > most || t.busy[e] || t.TypesInfo.Types[e].Value != nil {
		return verdict{}
	}
	t.busy[e] = true
	defer delete(t.busy, e)
	if t.asks(e) {
		if !t.checks().asked(e) {
			return verdict{tainted, e, false}
		}
		return verdict{}
	}
	switch e := e.(type) {
	case *ast.Ident:
		return t.variable(e)
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return t.joined(parts(e))
		}
	case *ast.CallExpr:
		return t.call(e)
	case *ast.IndexExpr: // of a list of strings
		if _, ok := t.TypesInfo.TypeOf(e.X).Underlying().(*types.Slice); ok {
			return t.of(e.X)
		}
	case *ast.SliceExpr:
		return t.of(e.X)
	}
	return verdict{}
}

// parts are what is joined by +, from left to right.
func parts(e ast.Expr) []ast.Expr {
	if b, ok := ast.Unparen(e).(*ast.BinaryExpr); ok && b.Op == token.ADD {
		return append(parts(b.X), parts(b.Y)...)
	}
	return []ast.Expr{e}
}

// joined judges a string by what it begins with.
func (t *taint) joined(parts []ast.Expr) verdict {
	prefix := ""
	for _, part := range parts {
		if v := t.TypesInfo.Types[part].Value; v != nil && v.Kind() == constant.String {
			prefix += constant.StringVal(v)
			continue
		}
		if fixes(prefix) {
			return verdict{}
		}
		return t.of(part) // what is not the request's names the site
	}
	return verdict{}
}

// fixes tells whether what comes after a prefix cannot choose the site.
func fixes(prefix string) bool {
	if _, rest, ok := strings.Cut(prefix, "://"); ok {
		return strings.ContainsAny(rest, "/?#")
	}
	if rest, ok := strings.CutPrefix(prefix, "//"); ok {
		return strings.ContainsAny(rest, "/?#")
	}
	if rest, ok := strings.CutPrefix(prefix, "/"); ok {
		return rest != "" && rest[0] != '/' && rest[0] != '\\'
	}
	return strings.ContainsAny(prefix, "/?#")
}

// variable judges a variable by the values that it can have where it is used.
func (t *taint) variable(id *ast.Ident) verdict {
	v, ok := t.TypesInfo.ObjectOf(id).(*types.Var)
	if !ok || v.IsField() || v.Parent() == t.Pkg.Scope() {
		return verdict{}
	}
	strong, weak := t.checks().variable(v)
	if strong {
		return verdict{}
	}
	var worst verdict
	for _, from := range reaching(t.origins().given[v], id.Pos()) {
		if from.expr == nil || from.of > 0 {
			continue
		}
		if one := t.of(from.expr); one.state > worst.state {
			worst = one
		}
	}
	worst.weak = worst.weak || weak
	return worst
}

// reaching are the values that a variable can have at a position: what was assigned in
// a block around it replaces what was before.
func reaching(values []value, at token.Pos) []value {
	last := token.NoPos
	for _, v := range values {
		if v.expr == nil || v.in == nil || v.expr.End() > at {
			continue
		}
		switch v.in.(type) {
		case *ast.BlockStmt, *ast.CaseClause:
			if v.in.Pos() <= at && at < v.in.End() && v.expr.Pos() > last {
				last = v.expr.Pos()
			}
		}
	}
	var all []value
	for _, v := range values {
		if v.expr != nil && (last == token.NoPos && (v.in == nil || v.expr.End() <= at) ||
			last.IsValid() && v.in != nil && v.expr.Pos() >= last && v.expr.End() <= at) {
			all = append(all, v)
		}
	}
	return all
}

// call judges what a call returns first.
func (t *taint) call(n *ast.CallExpr) verdict {
	if t.TypesInfo.Types[n.Fun].IsType() {
		return t.of(n.Args[0])
	}
	name := t.callee(n)
	switch name {
	case "fmt.Sprintf":
		return t.format(n)
	case "fmt.Sprint":
		return t.joined(n.Args)
	case "strings.TrimSpace", "strings.TrimSuffix", "strings.TrimRight", "strings.ToLower", "strings.ToValidUTF8", "strings.Clone",
		"net/url.QueryUnescape", "net/url.PathUnescape", "html.UnescapeString", "cmp.Or":
		return t.worst(n.Args)
	case "net/url.Parse", "net/url.ParseRequestURI":
		return t.of(n.Args[0])
	case "(*net/url.URL).String":
		if sel, ok := ast.Unparen(n.Fun).(*ast.SelectorExpr); ok {
			return t.of(sel.X)
		}
	case "path.Join", "path.Clean":
		return verdict{} // which leave one slash at the beginning
	}
	if results := t.origins().results(n, 0); len(results) > 0 {
		return t.worst(results)
	}
	if t.ofModule(n) {
		if v := t.worst(n.Args); v.state != clean {
			return verdict{unsure, n.Fun, false}
		}
	}
	return verdict{}
}

// ofModule tells whether a call is of a function of the module, in another package.
func (t *taint) ofModule(n *ast.CallExpr) bool {
	fn, ok := typeutil.Callee(t.TypesInfo, n).(*types.Func)
	if !ok || fn.Pkg() == nil || t.Module == nil || t.Module.Path == "" {
		return false
	}
	return fn.Pkg().Path() == t.Module.Path || strings.HasPrefix(fn.Pkg().Path(), t.Module.Path+"/")
}

func (t *taint) worst(all []ast.Expr) verdict {
	var worst verdict
	for _, e := range all {
		if v := t.of(e); v.state > worst.state {
			worst = v
		}
	}
	return worst
}

// format judges what fmt.Sprintf makes, by its first verb.
func (t *taint) format(n *ast.CallExpr) verdict {
	v := t.TypesInfo.Types[n.Args[0]].Value
	if v == nil {
		return verdict{}
	}
	format := constant.StringVal(v)
	at := strings.IndexByte(format, '%')
	if at < 0 || at+1 >= len(format) || len(n.Args) < 2 || fixes(format[:at]) {
		return verdict{}
	}
	switch format[at+1] {
	case 's', 'v':
		return t.of(n.Args[1])
	}
	return verdict{}
}
