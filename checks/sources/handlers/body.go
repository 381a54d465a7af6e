package handlers

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"temper/checks/sources/flow"
)

// An answer is what a body does that is given a request, or helps another that is.
type answer struct {
	c *Chains
	b flow.Body
	// taint says of variables which word about the host they come from.
	taint map[*types.Var]Reads

	before Verdict
	next   []Summary
	codes  map[int]bool
	// redirects tells that it sends elsewhere, writes that it answers by itself, and walked
	// that somebody has looked.
	redirects, writes, walked bool
	// paths are the conditions on the path around the node that is looked at.
	paths []ast.Node
	// again tells that the body is being looked at already: what else it does decides.
	again bool
	// kept names what keeps the writer, to answer by other means.
	kept string
	// apart are the constant paths that are told apart, and judged is where the host is
	// looked at first.
	apart  map[string]token.Pos
	judged token.Pos
}

// An entry is a body that is being looked at, for what it was called on, or by the call in
// which a literal stands: an adapter, such as http.HandlerFunc, and a middleware are around
// handlers that may be in the same.
type entry struct {
	block *ast.BlockStmt
	on    flow.Value
}

func entryOf(b flow.Body) entry { return entry{b.Block, b.On()} }

// body looks at a function that answers requests, with what its parameters come from.
func (c *Chains) body(b flow.Body, taint map[*types.Var]Reads) *answer {
	a := &answer{c: c, b: b, taint: make(map[*types.Var]Reads), codes: make(map[int]bool), apart: make(map[string]token.Pos)}
	if c.steps--; c.steps < 0 {
		a.before = all(Unknown, "the chain is too long to be followed")
		return a
	}
	at := entryOf(b)
	if a.again = c.within[at]; a.again {
		return a
	}
	c.within[at] = true
	defer delete(c.within, at)
	for o, r := range taint {
		a.taint[o] = r
	}
	a.spread()
	a.walk()
	a.walked = true
	a.decide()
	return a
}

// summary is what it comes to as a handler.
func (a *answer) summary() Summary {
	s := leaf(nothing)
	switch {
	case a.again:
		return leaf(exempt)
	case len(a.next) > 0:
		s = leaf(exempt)
		for _, n := range a.next {
			s = s.And(n)
		}
	case a.redirects && !a.writes:
		s = leaf(exempt)
	case a.walked && !a.writes && a.kept == "": // no word, or those of http.Error, which sets nosniff
		s.Own.Sniff, s.Own.Frame = exempt.Sniff, exempt.Frame
	}
	s.Mid = nothing
	if len(a.next) == 0 && a.kept != "" {
		s.Own.dim(a.kept + " has the writer, and sets headers that are not in sight")
	}
	s = s.After(a.before)
	if a.b.Func != nil {
		s.Own.name("those of " + called(a.b.Func))
	}
	apart := make(map[string]bool)
	for path, at := range a.apart {
		if a.judged.IsValid() && at < a.judged || a.before.Host.Level != Held {
			apart[path] = true
		}
	}
	s.Paths = union(s.Paths, apart)
	return s
}

// inspect calls do for all that the body does, with the nodes around each. Literals in it
// are part of it, but for those that are handlers by themselves.
func (a *answer) inspect(do func(n ast.Node, around []ast.Node)) {
	var around []ast.Node
	ast.Inspect(a.b.Block, func(n ast.Node) bool {
		if n == nil {
			around = around[:len(around)-1]
			return true
		}
		if lit, ok := n.(*ast.FuncLit); ok && isHandlerFunc(a.c.TypesInfo.TypeOf(lit)) {
			return false
		}
		around = append(around, n)
		do(n, around)
		return true
	})
}

// walk looks at all that the body does.
func (a *answer) walk() {
	a.inspect(func(n ast.Node, around []ast.Node) {
		switch n := n.(type) {
		case *ast.CallExpr:
			a.paths = around
			a.call(n)
		case *ast.AssignStmt:
			a.assign(n)
		case *ast.CompositeLit:
			for _, e := range n.Elts {
				if isWriter(a.c.TypesInfo.TypeOf(plain(e))) {
					a.kept = types.ExprString(n.Type)
				}
			}
		case *ast.BinaryExpr:
			if n.Op == token.EQL || n.Op == token.NEQ {
				a.tellApart(n.X, n.Y)
				a.tellApart(n.Y, n.X)
			}
		case *ast.SwitchStmt:
			for _, c := range n.Body.List {
				for _, e := range c.(*ast.CaseClause).List {
					a.tellApart(n.Tag, e)
				}
			}
		}
	})
}

// tellApart notes a path that something is compared with.
func (a *answer) tellApart(path, constant ast.Expr) {
	if path == nil || a.c.TypesInfo.Types[constant].Value == nil || !isString(a.c.TypesInfo.TypeOf(constant)) || !a.isPath(path) {
		return
	}
	values, _ := a.c.strings(a.value(constant), 0)
	for _, v := range values {
		if at, ok := a.apart[v]; !ok || constant.Pos() < at {
			a.apart[v] = constant.Pos()
		}
	}
}

// value is an expression of the body.
func (a *answer) value(e ast.Expr) flow.Value { return flow.Value{Expr: e, Frame: a.b.Frame} }

// assign notes h["X-Frame-Options"] = []string{"DENY"}.
func (a *answer) assign(n *ast.AssignStmt) {
	for i, l := range n.Lhs {
		index, ok := ast.Unparen(l).(*ast.IndexExpr)
		if ok && len(n.Rhs) == len(n.Lhs) && flow.IsType(a.c.TypesInfo.TypeOf(index.X), netHTTP, "Header") {
			a.set(index.Index, n.Rhs[i])
		}
	}
}

// set notes a header; one that is for some paths alone does not hold of the others.
func (a *answer) set(name, value ast.Expr) {
	v := nothing
	a.c.set(&v, a.value(name), a.value(value))
	if on := a.onPath(); on != anyPath {
		for _, p := range v.parts() {
			if p.Level == Held {
				*p = Part{Unknown, "it is set for some paths alone"}
			}
		}
	}
	a.before = a.before.After(v)
}

func (a *answer) call(call *ast.CallExpr) {
	info := a.c.TypesInfo
	if tv := info.Types[call.Fun]; tv.IsType() || tv.IsBuiltin() {
		return
	}
	fn := a.c.x.Callee(call)
	switch {
	case fn == nil:
		a.callValue(call)
		return
	case flow.Is(fn, netHTTP, "Header.Set", "Header.Add"), isHeaderOfContext(fn):
		if len(call.Args) == 2 {
			a.set(call.Args[0], call.Args[1])
		}
		return
	case fn.Name() == "ServeHTTP" && len(call.Args) >= 2:
		if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
			a.serve(call, fn, sel)
			return
		}
	}
	a.note(call, fn)
	if a.c.x.Decl(fn) != nil {
		a.enter(call)
		return
	}
	a.outside(call, fn)
}

// isHeaderOfContext tells the method by which gin sets a header.
func isHeaderOfContext(fn *types.Func) bool {
	r := fn.Signature().Recv()
	return r != nil && fn.Name() == "Header" && isGin(r.Type(), "Context")
}

// serve goes on into the handler whose ServeHTTP is called.
func (a *answer) serve(call *ast.CallExpr, fn *types.Func, sel *ast.SelectorExpr) {
	s := a.c.handler(a.value(sel.X))
	if len(call.Args) > 2 { // and the next one, as in negroni
		for _, arg := range call.Args[2:] {
			if isHandler(a.c.TypesInfo.TypeOf(arg)) {
				self := s.Own // what it answers by itself, where that is not in sight
				s = leaf(exempt).And(a.c.argument(a.value(arg))).After(a.c.prefix(a.value(sel.X)))
				if self.Sniff.Level == Unknown {
					s.Own = s.Own.And(self)
				}
			}
		}
	}
	a.goOn(s)
}

// goOn notes what requests are handed to; health paths may go anywhere.
func (a *answer) goOn(s Summary) {
	if a.onPath() == healthPath {
		s = leaf(exempt)
	}
	a.next = append(a.next, s)
}

// callValue goes on into a function that is a value, if it answers requests.
func (a *answer) callValue(call *ast.CallExpr) {
	if a.handsOn(call) && isHandlerFunc(a.c.TypesInfo.TypeOf(call.Fun)) {
		a.goOn(a.c.callee(a.value(call.Fun)))
		return
	}
	a.writes = a.writes || slices.ContainsFunc(call.Args, func(e ast.Expr) bool { return a.writer(a.c.TypesInfo.TypeOf(e)) })
	bodies, all := a.c.x.Enter(call, a.b.Frame)
	if len(bodies) == 0 && !all && a.handsOn(call) {
		a.goOn(unknown("the function " + types.ExprString(call.Fun) + " is not in sight"))
	}
	if a.concerns(call) {
		for _, b := range bodies {
			a.merge(a.c.body(b, a.tainted(call, b)))
		}
	}
}

// handsOn tells that a call is given the request and the writer, or what stands for
// them.
func (a *answer) handsOn(call *ast.CallExpr) bool {
	var writer, request bool
	for _, arg := range call.Args {
		t := a.c.TypesInfo.TypeOf(arg)
		if isContext(t) {
			return true
		}
		writer, request = writer || a.writer(t), request || isRequest(t)
	}
	return writer && request
}

// writer tells writers, also those that are put around others.
func (a *answer) writer(t types.Type) bool {
	if isWriter(t) {
		return true
	}
	if t == nil {
		return false
	}
	o, _, _ := types.LookupFieldOrMethod(t, true, a.c.Pkg, "WriteHeader")
	fn, ok := o.(*types.Func)
	return ok && fn.Signature().Params().Len() == 1
}

// concerns tells that a call is given something of the request or the answer.
func (a *answer) concerns(call *ast.CallExpr) bool {
	exprs := call.Args
	if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		exprs = append(exprs[:len(exprs):len(exprs)], sel.X)
	}
	for _, e := range exprs {
		t := a.c.TypesInfo.TypeOf(e)
		if a.writer(t) || isRequest(t) || isContext(t) || flow.IsType(t, netHTTP, "Header") || a.of(e) != 0 {
			return true
		}
	}
	return false
}

// enter looks at a function of the package that helps.
func (a *answer) enter(call *ast.CallExpr) {
	if !a.concerns(call) {
		return
	}
	bodies, _ := a.c.x.Enter(call, a.b.Frame)
	for _, b := range bodies {
		a.merge(a.c.body(b, a.tainted(call, b)))
	}
}

// tainted are the parameters of a body that are given something about the host.
func (a *answer) tainted(call *ast.CallExpr, b flow.Body) map[*types.Var]Reads {
	out := make(map[*types.Var]Reads)
	i := 0
	for _, f := range b.Type.Params.List {
		for _, id := range f.Names {
			if o, ok := a.c.TypesInfo.Defs[id].(*types.Var); ok && i < len(call.Args) {
				if r := a.of(call.Args[i]); r != 0 {
					out[o] = r
				}
			}
			i++
		}
		i += max(0, 1-len(f.Names))
	}
	return out
}

// merge takes over what a helper does.
func (a *answer) merge(o *answer) {
	on := a.onPath()
	if on == healthPath {
		if len(o.next) > 0 {
			a.next = append(a.next, leaf(exempt))
		}
		return
	}
	a.before = a.before.After(o.before)
	a.next = append(a.next, o.next...)
	a.redirects, a.writes = a.redirects || o.redirects, a.writes || o.writes
	if o.kept != "" {
		a.kept = o.kept
	}
}

// outside takes over what a function of another package does.
func (a *answer) outside(call *ast.CallExpr, fn *types.Func) {
	if v, ok := a.c.knownSetter(call, fn, a.b.Frame); ok {
		a.before = a.before.After(v)
		return
	}
	f, ok := a.c.fact(fn)
	if a.keeps(call, fn, ok) {
		a.kept = called(fn)
	}
	if ok && f.Answers {
		if len(f.Holes) > 0 {
			a.goOn(a.c.filled(f, call, a.b.Frame))
		} else if a.onPath() != healthPath {
			a.before = a.before.After(f.Mid)
		}
		return
	}
	if !a.handsOn(call) {
		return
	}
	for _, arg := range call.Args {
		if t := a.c.TypesInfo.TypeOf(arg); isHandler(t) && !isRequest(t) {
			a.goOn(a.c.argument(a.value(arg)))
		}
	}
}

// keeps tells that a function of another package may answer later with the writer that
// it is given: it returns something, or nobody has looked at it.
func (a *answer) keeps(call *ast.CallExpr, fn *types.Func, looked bool) bool {
	if fn.Pkg() == nil || !strings.Contains(fn.Pkg().Path(), ".") { // the standard library
		return false
	}
	if !slices.ContainsFunc(call.Args, func(e ast.Expr) bool { return isWriter(a.c.TypesInfo.TypeOf(e)) }) {
		return false
	}
	results := fn.Signature().Results()
	for i := range results.Len() {
		if t := results.At(i).Type(); namedOf(t) != nil && t.String() != "error" {
			return true
		}
	}
	return !looked
}

// note keeps what a call answers with.
func (a *answer) note(call *ast.CallExpr, fn *types.Func) {
	if flow.Is(fn, netHTTP, "Redirect") {
		a.redirects = true
		return
	}
	// A code alone has no body that could be sniffed or framed.
	if flow.Is(fn, netHTTP, "Error", "NotFound", "ResponseWriter.WriteHeader") {
		return
	}
	exprs := call.Args
	if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && fn.Name() != "Header" {
		exprs = append(exprs[:len(exprs):len(exprs)], sel.X)
	}
	for _, e := range exprs {
		if t := a.c.TypesInfo.TypeOf(e); isWriter(t) || isContext(t) {
			a.writes = true
		}
	}
}
