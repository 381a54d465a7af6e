package handlers

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"temper/checks/sources/flow"
)

// Reads are the words about the host of a request that something reads.
type Reads int

const (
	readsHost Reads = 1 << iota
	// readsURL is r.URL.Host, which is empty in requests that a server gets, but for
	// those to a proxy.
	readsURL
	// readsForwarded is X-Forwarded-Host, which anybody can send.
	readsForwarded
)

// selector tells r.Host and r.URL.Host.
func (a *answer) selector(n *ast.SelectorExpr) Reads {
	if n.Sel.Name != "Host" {
		return 0
	}
	t := a.c.TypesInfo.TypeOf(n.X)
	if isRequest(t) {
		return readsHost
	}
	if !flow.IsType(t, "net/url", "URL") {
		return 0
	}
	for _, o := range a.c.x.Origins(a.value(n.X)) {
		if sel, ok := o.Expr.(*ast.SelectorExpr); ok && sel.Sel.Name == "URL" && isRequest(a.c.TypesInfo.TypeOf(sel.X)) {
			return readsURL
		}
	}
	return 0
}

// of are the words that an expression comes from.
func (a *answer) of(e ast.Expr) (r Reads) {
	if e == nil {
		return 0
	}
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if n.Op == token.ADD { // what is put together is the name of something else
				r |= (a.of(n.X) | a.of(n.Y)) & readsHost
				return false
			}
		case *ast.SelectorExpr:
			r |= a.selector(n)
		case *ast.Ident:
			if o, ok := a.c.TypesInfo.ObjectOf(n).(*types.Var); ok {
				r |= a.taint[o]
			}
		case *ast.CallExpr:
			r |= a.forwarded(n) | a.helper(n)
		case *ast.IndexExpr:
			if flow.IsType(a.c.TypesInfo.TypeOf(n.X), netHTTP, "Header") {
				r |= a.forwardedName(n.Index)
			}
		}
		return true
	})
	return r
}

// forwarded tells r.Header.Get("X-Forwarded-Host").
func (a *answer) forwarded(call *ast.CallExpr) Reads {
	fn := a.c.x.Callee(call)
	if fn == nil || len(call.Args) != 1 {
		return 0
	}
	if flow.Is(fn, netHTTP, "Header.Get", "Header.Values") || fn.Name() == "GetHeader" {
		return a.forwardedName(call.Args[0])
	}
	return 0
}

func (a *answer) forwardedName(name ast.Expr) Reads {
	values, _ := a.c.strings(a.value(name), 0)
	for _, v := range values {
		if strings.EqualFold(v, "X-Forwarded-Host") || strings.EqualFold(v, "X-Original-Host") {
			return readsForwarded
		}
	}
	return 0
}

// helper are the words that a function reads that is given the request.
func (a *answer) helper(call *ast.CallExpr) Reads {
	fn := a.c.x.Callee(call)
	if fn == nil || !slices.ContainsFunc(call.Args, func(e ast.Expr) bool {
		t := a.c.TypesInfo.TypeOf(e)
		return isRequest(t) || isContext(t)
	}) {
		return 0
	}
	// Proxies read r.URL.Host somewhere, which makes no check of what calls them.
	if f, ok := a.c.fact(fn); ok {
		return f.Reads &^ readsURL
	}
	return a.c.readsOf(fn) &^ readsURL
}

// readsOf are the words that a function of the package reads.
func (c *Chains) readsOf(fn *types.Func) Reads {
	if r, ok := c.reading[fn]; ok {
		return r
	}
	c.reading[fn] = 0 // if it calls itself
	b, ok := c.x.Open(fn)
	if !ok {
		return 0
	}
	a := &answer{c: c, b: b}
	var r Reads
	ast.Inspect(b.Block, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok {
			switch e := e.(type) {
			case *ast.SelectorExpr:
				r |= a.selector(e)
			case *ast.CallExpr:
				r |= a.forwarded(e) | a.helper(e)
			}
		}
		return true
	})
	c.reading[fn] = r
	return r
}

// spread finds the variables that come from the host, or are set under a condition on
// it.
func (a *answer) spread() {
	for changed, rounds := true, 0; changed && rounds < 5; rounds++ {
		changed = false
		var under []Reads
		var nodes []ast.Node
		ast.Inspect(a.b.Block, func(n ast.Node) bool {
			if n == nil {
				nodes, under = nodes[:len(nodes)-1], under[:len(under)-1]
				return true
			}
			on := Reads(0)
			if len(under) > 0 {
				on = under[len(under)-1]
			}
			if s, ok := n.(*ast.IfStmt); ok {
				on |= a.decided(s.Cond)
			}
			nodes, under = append(nodes, n), append(under, on)
			changed = a.mark(n, on) || changed
			return true
		})
	}
}

// mark taints what a statement assigns.
func (a *answer) mark(n ast.Node, on Reads) (changed bool) {
	mark := func(l ast.Expr, r Reads) {
		id, ok := ast.Unparen(l).(*ast.Ident)
		if !ok {
			return
		}
		if o, ok := a.c.TypesInfo.ObjectOf(id).(*types.Var); ok && a.taint[o]|r != a.taint[o] {
			a.taint[o] |= r
			changed = true
		}
	}
	switch n := n.(type) {
	case *ast.AssignStmt:
		for i, l := range n.Lhs {
			r := n.Rhs[0]
			if len(n.Rhs) == len(n.Lhs) {
				r = n.Rhs[i]
			}
			if !a.formal(l, r) {
				mark(l, a.of(r)|on)
			}
		}
	case *ast.ValueSpec:
		for i, l := range n.Names {
			if len(n.Values) == len(n.Names) {
				mark(l, a.of(n.Values[i])|on)
			} else if len(n.Values) == 1 {
				mark(l, a.of(n.Values[0])|on)
			}
		}
	}
	return changed
}

// formal tells an error of a function that takes a host apart, which says nothing of
// which host it is.
func (a *answer) formal(l, r ast.Expr) bool {
	t := a.c.TypesInfo.TypeOf(l)
	if t == nil || !types.Identical(t, types.Universe.Lookup("error").Type()) {
		return false
	}
	call, ok := ast.Unparen(r).(*ast.CallExpr)
	if !ok {
		return false
	}
	fn := a.c.x.Callee(call)
	return fn != nil && fn.Pkg() != nil && slices.Contains([]string{"net", "net/url", "net/netip", "strconv"}, fn.Pkg().Path())
}

// decided are the words about the host that a condition goes by. Whether there is any
// host at all is no question of which.
func (a *answer) decided(cond ast.Expr) Reads {
	switch e := ast.Unparen(cond).(type) {
	case nil:
		return 0
	case *ast.UnaryExpr:
		return a.decided(e.X)
	case *ast.BinaryExpr:
		switch e.Op {
		case token.LAND, token.LOR:
			return a.decided(e.X) | a.decided(e.Y)
		case token.EQL, token.NEQ, token.GTR, token.LSS, token.LEQ, token.GEQ:
			if a.empty(e.X) || a.empty(e.Y) {
				return 0
			}
		}
	}
	return a.of(cond)
}

// empty tells "", and 0 beside len.
func (a *answer) empty(e ast.Expr) bool {
	if call, ok := ast.Unparen(e).(*ast.CallExpr); ok {
		if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "len" {
			return true
		}
	}
	tv := a.c.TypesInfo.Types[e]
	return tv.Value != nil && tv.Value.Kind() == constant.String && constant.StringVal(tv.Value) == ""
}

// decide finds the conditions on the host, and what is answered to those that do not
// meet them.
func (a *answer) decide() {
	a.inspect(func(n ast.Node, around []ast.Node) {
		switch s := n.(type) {
		case *ast.IfStmt:
			if by := a.decided(s.Cond); by != 0 {
				a.judge(by, around, s.Body, s.Else)
			}
		case *ast.SwitchStmt:
			by := a.decided(s.Tag)
			for _, c := range s.Body.List {
				for _, e := range c.(*ast.CaseClause).List {
					by |= a.decided(e)
				}
			}
			if by != 0 {
				a.judge(by, around, s.Body)
			}
		}
	})
}

// judge says what a condition on the host is worth, by what its branches answer, or what
// follows it.
func (a *answer) judge(by Reads, around []ast.Node, branches ...ast.Node) {
	r := a.answered(branches)
	if !r.refuses() { // those that meet the condition may have been handled, and gone
		after := a.answered(following(around))
		if after.refuses() || len(r.codes) == 0 && !r.dark {
			r = after
		}
	}
	if len(r.codes) == 0 && !r.dark {
		return // it chooses among handlers, or writes a line
	}
	p := Part{}
	where := a.name()
	switch {
	case by&readsForwarded != 0:
		p = Part{Wrong, where + " goes by X-Forwarded-Host, which anybody can send; want r.Host"}
	case by&readsHost == 0:
		p = Part{Wrong, where + " goes by r.URL.Host, which is empty in a server's requests; want r.Host"}
	case r.refuses():
		p = Part{Level: Held}
	case r.dark:
		p = Part{Unknown, "what " + where + " answers to strange hosts is not in sight"}
	default:
		p = Part{Wrong, fmt.Sprintf("%s answers %d to strange hosts, want 400", where, r.least())}
	}
	// The end of the condition, which may ask for the path as well.
	if at := branches[0].Pos(); !a.judged.IsValid() || at < a.judged {
		a.judged = at
	}
	a.before.Host = best(a.before.Host, p)
}

// name is what people call the body.
func (a *answer) name() string {
	if a.b.Func != nil {
		return called(a.b.Func)
	}
	for _, f := range a.c.Files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && d.Pos() <= a.b.Block.Pos() && a.b.Block.End() <= d.End() {
				if o, ok := a.c.TypesInfo.Defs[fn.Name].(*types.Func); ok {
					return called(o)
				}
			}
		}
	}
	return "a handler"
}

// following are the statements after a condition that run whenever it did not leave.
func following(around []ast.Node) (out []ast.Node) {
	for i := len(around) - 2; i >= 0; i-- {
		var list []ast.Stmt
		switch b := around[i].(type) {
		case *ast.BlockStmt:
			list = b.List
		case *ast.CaseClause:
			list = b.Body
		}
		for j, s := range list {
			if s != around[i+1] {
				continue
			}
			for _, after := range list[j+1:] {
				switch after.(type) {
				case *ast.ExprStmt, *ast.ReturnStmt, *ast.AssignStmt:
					out = append(out, after)
				}
			}
		}
	}
	return out
}
