package sources

import (
	"go/ast"
	"go/types"
	"slices"

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
