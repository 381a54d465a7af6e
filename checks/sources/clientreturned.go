package sources

import (
	"go/ast"

	"temper/checks/sources/flow"
)

// A gift is a place in a CheckRedirect that puts credentials on the redirected request,
// whatever host that is for, and what it puts.
type gift struct {
	at   ast.Node
	what string
}

// gifts are those of the function that is a client's CheckRedirect. net/http has taken
// credentials off for another host when it asks; there is none in a function that
// looks at where the request goes.
func (s *clientSet) gifts(c *client) (all []gift) {
	for _, v := range c.given["CheckRedirect"] {
		for _, o := range s.Origins(v) {
			b, ok := s.Function(o)
			if !ok || s.looksWhere(b) {
				continue
			}
			b.Inspect(func(n ast.Node) bool {
				if what := s.gives(n, b.Frame); what != "" {
					all = append(all, gift{n, what})
				}
				return true
			})
		}
	}
	return all
}

// looksWhere tells that a function asks where a request goes, or lets another decide
// that is given it.
func (s *clientSet) looksWhere(b flow.Body) (looks bool) {
	b.Inspect(func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			looks = looks || s.asksWhere(n)
		case *ast.CallExpr:
			looks = looks || s.handsOn(n) && s.decides(n)
		}
		return true
	})
	return looks
}

// gives is the credential that a statement or a call puts on a request; empty if it puts
// none.
func (s *clientSet) gives(n ast.Node, in *flow.Frame) string {
	switch n := n.(type) {
	case *ast.CallExpr:
		if s.IsFunc(n, netHTTP, "Request.SetBasicAuth") {
			return "the header Authorization"
		}
		if s.IsFunc(n, "maps", "Copy") && len(n.Args) == 2 && s.headerOf(n.Args[0]) && s.headerOf(n.Args[1]) {
			return allHeaders
		}
		if on, name := s.setsHeader(n, in); on != nil && s.headerOf(on) && secret(name, true) {
			return "the header " + name
		}
	case *ast.AssignStmt:
		for i, l := range n.Lhs {
			if on, name := s.indexed(l); on != nil && s.headerOf(on) && secret(name, true) {
				return "the header " + name
			}
			if len(n.Lhs) == len(n.Rhs) && s.headerOf(l) && s.headerOf(n.Rhs[i]) {
				return allHeaders
			}
		}
	case *ast.RangeStmt:
		if s.headerOf(n.X) && s.copiesAll(n) {
			return allHeaders
		}
	}
	return ""
}

const allHeaders = "every header of the request before, Authorization and Cookie among them,"

// headerOf tells the header of a request, or a copy of it.
func (s *clientSet) headerOf(e ast.Expr) bool {
	e = ast.Unparen(e)
	if call, ok := e.(*ast.CallExpr); ok && s.IsFunc(call, netHTTP, "Header.Clone") {
		e = ast.Unparen(ast.Unparen(call.Fun).(*ast.SelectorExpr).X)
	}
	sel, ok := e.(*ast.SelectorExpr)
	return ok && isHeader(s.TypesInfo, sel)
}

// copiesAll tells that a loop over a header puts each on a request, and leaves none out.
func (s *clientSet) copiesAll(n *ast.RangeStmt) (copies bool) {
	id, ok := n.Key.(*ast.Ident)
	if !ok {
		return false
	}
	key := func(e ast.Expr) bool {
		use, ok := ast.Unparen(e).(*ast.Ident)
		return ok && s.TypesInfo.ObjectOf(use) != nil && s.TypesInfo.ObjectOf(use) == s.TypesInfo.ObjectOf(id)
	}
	some := false
	ast.Inspect(n.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt, *ast.SwitchStmt:
			some = true
		case *ast.IndexExpr:
			copies = copies || s.headerOf(n.X) && key(n.Index)
		case *ast.CallExpr:
			if sel, ok := ast.Unparen(n.Fun).(*ast.SelectorExpr); ok && s.IsFunc(n, netHTTP, "Header.Set", "Header.Add") && len(n.Args) == 2 {
				copies = copies || s.headerOf(sel.X) && key(n.Args[0])
			}
		}
		return true
	})
	return copies && !some
}
