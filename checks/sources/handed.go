package sources

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// handedOn names the function of elsewhere that a value is given to and that may set
// more of it; empty if there is none. Harmless are those that do not.
func (p *pass) handedOn(s *setup, harmless func(callee string) bool) string {
	to := ""
	each(p, func(n *ast.CallExpr) {
		name := p.callee(n)
		for _, arg := range n.Args {
			mine := s.lit != nil && ast.Unparen(arg) == s.at.Parent().Node() && name != ""
			if at := p.origins().place(arg); at != "" && slices.Contains(s.places, at) {
				mine = true
			}
			if _, pointer := p.TypesInfo.TypeOf(arg).(*types.Pointer); !mine || !pointer || harmless(name) {
				continue
			}
			if p.ownBody(n) {
				continue // whose parameter is one of the value's places
			}
			to = types.ExprString(n.Fun)
		}
	})
	return to
}

// ownBody tells whether a call is of a function of the package that can be read.
func (p *pass) ownBody(n *ast.CallExpr) bool {
	fn := typeutil.StaticCallee(p.TypesInfo, n)
	return fn != nil && p.origins().bodies[fn.Origin()] != nil
}

// goesOn tells whether a value comes to anything: whether what holds it is handed on,
// returned or kept elsewhere, and not only asked here. One that nothing holds does.
func (p *pass) goesOn(s *setup) bool {
	elsewhere := func(at place) bool { return strings.Contains(string(at), ".") } // in a field of another package's type
	if len(s.places) == 0 || slices.ContainsFunc(s.places, elsewhere) {
		return true
	}
	found := false
	eachAt(p, func(n *ast.Ident, c inspector.Cursor) {
		if found || !slices.Contains(s.places, p.origins().place(n)) {
			return
		}
		for from, up := c, c.Parent(); up.Node() != nil; from, up = up, up.Parent() {
			switch around := up.Node().(type) {
			case *ast.CallExpr:
				if around.Fun != from.Node() {
					found = true
					return
				}
			case *ast.ReturnStmt, *ast.CompositeLit, *ast.SendStmt:
				found = true
				return
			case *ast.AssignStmt:
				found = slices.Contains(around.Rhs, from.Node().(ast.Expr))
				return
			case *ast.BinaryExpr, ast.Stmt:
				return
			}
		}
	})
	return found
}
