package sources

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"reflect"
	"sort"
	"strings"
	"sync"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
)

// conditions are what a package decides by: which variables and expressions are looked
// at by something that an if or a switch depends on.
type conditions struct {
	p *pass
	// exprs are the texts of the expressions in them, and weak the variables of which
	// only a first slash is asked.
	exprs   map[string]bool
	strong  map[types.Object]bool
	weak    map[types.Object]bool
	results map[types.Object]bool
}

// conditionsOf are the conditions of a package, which are read when a rule first asks: most
// packages have nothing that they matter to.
var conditionsOf = &analysis.Analyzer{
	Name:       "conditions",
	Doc:        "what a package decides by",
	Requires:   []*analysis.Analyzer{inspect.Analyzer, sitesOf, originsOf},
	ResultType: reflect.TypeFor[func() *conditions](),
	Run:        func(p *analysis.Pass) (any, error) { return sync.OnceValue(passOf(p).conditions), nil },
}

// conditions reads those of the package.
func (p *pass) conditions() *conditions {
	c := &conditions{p, make(map[string]bool), make(map[types.Object]bool), make(map[types.Object]bool), make(map[types.Object]bool)}
	each(p, func(n *ast.IfStmt) { c.condition(n.Cond) })
	each(p, func(n *ast.ForStmt) {
		if n.Cond != nil {
			c.condition(n.Cond)
		}
	})
	each(p, func(n *ast.SwitchStmt) {
		if n.Tag != nil {
			c.condition(n.Tag)
		}
		for _, clause := range n.Body.List {
			for _, e := range clause.(*ast.CaseClause).List {
				c.condition(e)
			}
		}
	})
	each(p, func(n *ast.ReturnStmt) { // return strings.HasPrefix(s, "https://example.com/")
		for _, r := range n.Results {
			if b, ok := p.TypesInfo.TypeOf(r).(*types.Basic); ok && b.Info()&types.IsBoolean != 0 {
				c.condition(r)
			}
		}
	})
	// What a call or a look-up says of a variable, and is then decided by. Twice, for
	// what is decided by what is decided by it.
	for range 2 {
		for _, o := range c.objects() {
			for _, from := range p.origins().given[o] {
				if from.expr != nil {
					c.asksOf(from.expr)
				}
			}
		}
	}
	return c
}

func (c *conditions) objects() []types.Object {
	var all []types.Object
	for o := range c.results {
		all = append(all, o)
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		return a.Pos() < b.Pos() || a.Pos() == b.Pos() && a.Name() < b.Name()
	})
	return all
}

// condition learns what a condition looks at.
func (c *conditions) condition(e ast.Expr) {
	e = ast.Unparen(e)
	if b, ok := e.(*ast.BinaryExpr); ok {
		switch b.Op {
		case token.LAND, token.LOR:
			c.condition(b.X)
			c.condition(b.Y)
			return
		case token.EQL, token.NEQ:
			if c.empty(b.X) || c.empty(b.Y) { // next == "", err != nil, u.Host != ""
				for _, side := range []ast.Expr{b.X, b.Y} {
					c.absent(side)
				}
				return
			}
			if c.slash(b) {
				return
			}
		}
	}
	if n, ok := e.(*ast.UnaryExpr); ok && n.Op == token.NOT {
		c.condition(n.X)
		return
	}
	if call, ok := e.(*ast.CallExpr); ok && c.p.callee(call) == "strings.HasPrefix" && c.isText(call.Args[1], "/") {
		c.hint(call.Args[0])
		return
	}
	c.mention(e)
}

// empty tells whether an expression is nil or the empty string.
func (c *conditions) empty(e ast.Expr) bool {
	tv := c.p.TypesInfo.Types[e]
	return tv.IsNil() || tv.Value != nil && isZero(tv.Value)
}

func (c *conditions) isText(e ast.Expr, text string) bool {
	v := c.p.TypesInfo.Types[e].Value
	return v != nil && v.Kind() == constant.String && constant.StringVal(v) == text
}

// slash tells whether a comparison is of a first character with a slash, and notes it.
func (c *conditions) slash(b *ast.BinaryExpr) bool {
	index, ok := ast.Unparen(b.X).(*ast.IndexExpr)
	if !ok {
		return false
	}
	at, to := c.p.TypesInfo.Types[index.Index].Value, c.p.TypesInfo.Types[b.Y].Value
	if at == nil || to == nil || to.Kind() != constant.Int || !isZero(at) || !constant.Compare(to, token.EQL, constant.MakeInt64('/')) {
		return false
	}
	c.hint(index.X)
	return true
}

func (c *conditions) hint(e ast.Expr) {
	if o := c.p.origins().object(e); o != nil {
		c.weak[o] = true
	}
}

// absent learns of a look for what is missing: of a variable itself that is none, of
// a part of a parsed address it is, and what it is the result of is asked for.
func (c *conditions) absent(e ast.Expr) {
	e = ast.Unparen(e)
	switch e := e.(type) {
	case *ast.Ident:
		if o := c.p.TypesInfo.ObjectOf(e); o != nil {
			c.results[o] = true
		}
	case *ast.SelectorExpr:
		c.mention(e)
	case *ast.CallExpr:
		if !c.p.asks(e) && !c.p.isLen(e) {
			c.mention(e)
		}
	}
}

func (p *pass) isLen(call *ast.CallExpr) bool {
	b, ok := p.TypesInfo.Uses[identOf(call.Fun)].(*types.Builtin)
	return ok && b.Name() == "len"
}

// mention notes all that an expression is about.
func (c *conditions) mention(e ast.Expr) {
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.CallExpr:
			if c.p.isLen(n) {
				return false
			}
			c.exprs[types.ExprString(n)] = true
		case *ast.IndexExpr:
			c.exprs[types.ExprString(n)] = true
		case *ast.Ident:
			if v, ok := c.p.TypesInfo.ObjectOf(n).(*types.Var); ok {
				c.strong[v] = true
				c.results[v] = true
			}
		}
		return true
	})
}

// asksOf notes what a call or a look-up is about, whose result something is decided by.
// What only takes a string apart says nothing of it.
func (c *conditions) asksOf(e ast.Expr) {
	switch n := ast.Unparen(e).(type) {
	case *ast.CallExpr:
		name := c.p.callee(n)
		switch {
		case c.p.asks(n), c.p.isLen(n):
		case strings.HasPrefix(name, "net/url.") && strings.HasSuffix(name, "nescape"):
		case strings.HasPrefix(name, "net/url.Parse"):
			if c.parsed(n) {
				c.mention(n)
			}
		case strings.HasPrefix(name, "strings.Trim"), strings.HasPrefix(name, "fmt."):
		default:
			for _, arg := range n.Args {
				c.mention(arg)
			}
		}
	case *ast.IndexExpr:
		c.mention(n)
	case *ast.BinaryExpr, *ast.UnaryExpr:
		if b, ok := c.p.TypesInfo.TypeOf(e).Underlying().(*types.Basic); ok && b.Info()&types.IsBoolean != 0 {
			c.condition(e)
		}
	}
}

// parsed tells whether of an address that is parsed more is looked at than the error.
func (c *conditions) parsed(call *ast.CallExpr) bool {
	at := c.p.origins().into[call]
	for o := range c.strong {
		if at != "" && objectPlace(o) == at {
			return true
		}
	}
	return false
}

// variable tells whether a variable is looked at, or only asked for a first slash.
func (c *conditions) variable(v *types.Var) (strong, weak bool) { return c.strong[v], c.weak[v] }

// asked tells whether an expression itself is looked at.
func (c *conditions) asked(e ast.Expr) bool { return c.exprs[types.ExprString(e)] }
