package sources

import (
	"go/ast"
	"go/types"

	"temper/checks/sources/flow"
)

// choosesAddresses tells that a client's own dialer asks of addresses what they are
// before it connects: wherever a redirect leads, it decides.
func (s *clientSet) choosesAddresses(c *client) bool {
	for _, t := range s.transports {
		for _, user := range s.usersOf(t) {
			if user == c && s.dialsChosen(t) {
				return true
			}
		}
	}
	return false
}

func (s *clientSet) dialsChosen(t *client) bool {
	for _, field := range []string{"DialContext", "Dial"} {
		for _, v := range t.given[field] {
			for _, o := range s.Origins(v) {
				if b, ok := s.Function(o); ok && s.asksAddress(b) || s.controlled(o) {
					return true
				}
			}
		}
	}
	return false
}

// controlled tells the method of a net.Dialer whose Control asks.
func (s *clientSet) controlled(dial flow.Value) bool {
	sel, ok := ast.Unparen(dial.Expr).(*ast.SelectorExpr)
	if !ok || !flow.IsType(s.TypesInfo.TypeOf(sel.X), "net", "Dialer") {
		return false
	}
	dialers := make(map[any]bool)
	for _, o := range s.Origins(flow.Value{Expr: sel.X, Frame: dial.Frame}) {
		dialers[s.Key(o)] = true
	}
	for _, store := range s.Stores {
		if name := store.Field.Name(); name != "Control" && name != "ControlContext" {
			continue
		}
		for k := range s.Keys(store) {
			for _, o := range s.Origins(store.Value) {
				if b, ok := s.Function(o); dialers[k] && ok && s.asksAddress(b) {
					return true
				}
			}
		}
	}
	return false
}

// asksAddress tells that something depends in a function on what an IP address is.
func (s *clientSet) asksAddress(b flow.Body) (asks bool) {
	b.Inspect(func(n ast.Node) bool {
		if branch, ok := n.(*ast.IfStmt); ok {
			ast.Inspect(branch.Cond, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				asks = asks || ok && s.decides(call) && s.isGivenAddress(call)
				return true
			})
		}
		return true
	})
	return asks
}

func (s *clientSet) isGivenAddress(call *ast.CallExpr) bool {
	given := call.Args
	if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		given = append(given[:len(given):len(given)], sel.X)
	}
	for _, e := range given {
		if t := s.TypesInfo.TypeOf(e); isAddress(t) {
			return true
		}
	}
	return false
}

func isAddress(t types.Type) bool {
	return t != nil && (flow.IsType(t, "net", "IP") || flow.IsType(t, "net/netip", "Addr"))
}
