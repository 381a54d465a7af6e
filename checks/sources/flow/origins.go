package flow

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// Origins returns what a value may be, as far back as the package tells. What comes
// back is one of
//
//   - a constant, a composite literal, or a function literal;
//   - an identifier or selector: of a declared function or method, of nil, of a variable
//     or field that nothing is assigned to, of a parameter that callers unknown fill, or
//     of something in another package;
//   - a call of new or make, or of a function without a body in this package;
//   - any other expression, of which nothing is known, or an element of one ([Value.Elem]).
func (x *Index) Origins(v Value) []Value {
	if known, ok := x.memo.origins(v); ok {
		return known
	}
	return x.origins(v, nil)
}

func (x *Index) origins(v Value, within *walk) []Value {
	w := walk{x: x, at: v, within: within, seen: make(map[Value]bool), left: new(int)}
	*w.left = maxSteps
	if within != nil {
		w.left = within.left
	}
	w.from(v)
	w.found = slices.Clip(w.found) // callers may add to what they get
	if within == nil {
		x.memo.keep(v, w.found)
	}
	return w.found
}

// A walk is one way back.
type walk struct {
	x *Index
	// at is where it began, and within the walk that needs its answer to go on.
	at     Value
	within *walk
	seen   map[Value]bool
	found  []Value
	// left are the steps that may still be gone, by all that wait for the first walk's
	// answer together, and cut tells that there were none left.
	left *int
	cut  bool
}

// asks tells that a walk, or one that waits for it, began at a value: its answer would
// be part of the question, as in state = state().
func (w *walk) asks(v Value) bool {
	for ; w != nil; w = w.within {
		if w.at == v {
			return true
		}
	}
	return false
}

func (w *walk) from(v Value) {
	v.Expr = ast.Unparen(v.Expr)
	if w.seen[v] || w.cut {
		return
	}
	if *w.left--; *w.left < 0 { // nothing is known of what is further back
		w.cut, w.found = true, append(w.found, v)
		return
	}
	w.seen[v] = true
	if known, ok := w.x.memo.origins(v); ok {
		for _, o := range known {
			if o == v || !w.seen[o] {
				w.seen[o] = true
				w.found = append(w.found, o)
			}
		}
		return
	}
	next, end := w.x.step(v, w)
	for _, n := range next {
		w.from(n)
	}
	if end {
		w.found = append(w.found, v)
	}
}

// Step goes one step back from a value: to what it may be, and whether it may be
// something that the package does not tell as well, or is an end by itself.
// [Index.Origins] are the ends of all steps.
func (x *Index) Step(v Value) (next []Value, end bool) { return x.step(v, nil) }

func (x *Index) step(v Value, w *walk) (next []Value, end bool) {
	v.Expr = ast.Unparen(v.Expr)
	if tv, ok := x.Info.Types[v.Expr]; v.open || ok && tv.Value != nil {
		return nil, true
	}
	if v.elem {
		return x.element(v, w)
	}
	switch e := v.Expr.(type) {
	case *ast.Ident:
		return x.ident(v, e)
	case *ast.SelectorExpr:
		return x.selector(e)
	case *ast.CallExpr:
		return x.call(v, e, w)
	case *ast.UnaryExpr:
		if e.Op == token.AND {
			return []Value{{Expr: e.X, Frame: v.Frame}}, false
		}
	case *ast.StarExpr:
		return []Value{{Expr: e.X, Frame: v.Frame}}, false
	case *ast.TypeAssertExpr:
		return []Value{{Expr: e.X, Frame: v.Frame}}, false
	case *ast.IndexExpr:
		if _, generic := x.Info.Instances[nameOrNone(e.X)]; generic {
			return []Value{{Expr: e.X, Frame: v.Frame}}, false
		}
		return []Value{{Expr: e.X, Frame: v.Frame, elem: true}}, false
	case *ast.SliceExpr:
		return []Value{{Expr: e.X, Frame: v.Frame}}, false
	}
	return nil, true
}

func nameOrNone(e ast.Expr) *ast.Ident {
	if id := name(e); id != nil {
		return id
	}
	return &ast.Ident{}
}

func (x *Index) ident(v Value, id *ast.Ident) (next []Value, end bool) {
	o, ok := x.Info.ObjectOf(id).(*types.Var)
	if !ok {
		return nil, true
	}
	given, entry := x.reaching(id, o)
	for i := range given {
		given[i].Frame = v.Frame
	}
	for f := v.Frame; f != nil; f = f.parent {
		if arg, ok := f.args[o]; ok {
			if entry {
				given = append(given, arg)
			}
			return given, false
		}
	}
	open := len(given) == 0
	p, isParam := x.params[o]
	b, isBound := x.bound[o]
	switch {
	case isParam && entry:
		calls, all := x.Callers(p.fn)
		for _, c := range calls {
			if arg, ok := x.argument(c, p, nil); ok {
				given = append(given, arg)
			}
		}
		open = !all || len(calls) == 0
	case isBound && entry && x.bindings[b.to] == 1:
		for _, c := range x.varCalls[b.to] {
			if arg, ok := x.argument(c, b.param, v.Frame); ok {
				given = append(given, arg)
			}
		}
		open = x.varTaken[b.to] || len(x.varCalls[b.to]) == 0
	}
	return given, open
}

func (x *Index) selector(e *ast.SelectorExpr) (next []Value, end bool) {
	var o *types.Var
	if s := x.Info.Selections[e]; s != nil {
		if s.Kind() != types.FieldVal {
			return nil, true
		}
		o = s.Obj().(*types.Var).Origin()
	} else {
		o, _ = x.Info.Uses[e.Sel].(*types.Var)
	}
	// In whatever function it was assigned.
	return x.given[o], o == nil || len(x.given[o]) == 0
}

func (x *Index) call(v Value, call *ast.CallExpr, w *walk) (next []Value, end bool) {
	if tv, ok := x.Info.Types[call.Fun]; ok && tv.IsType() && len(call.Args) == 1 {
		return []Value{{Expr: call.Args[0], Frame: v.Frame}}, false
	}
	bodies, known := x.enter(call, v.Frame, w)
	for _, b := range bodies {
		next = append(next, x.Returns(b, v.Result)...)
	}
	return next, !known
}

// element goes back to the elements of lists that are written out.
func (x *Index) element(v Value, w *walk) (next []Value, end bool) {
	end = true
	from := Value{Expr: ast.Unparen(v.Expr), Frame: v.Frame}
	if w.asks(from) {
		return nil, true
	}
	lists := x.origins(from, w)
	for _, list := range lists {
		switch l := list.Expr.(type) {
		case *ast.CompositeLit:
			end = false
			for _, e := range l.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					e = kv.Value
				}
				next = append(next, Value{Expr: e, Frame: list.Frame})
			}
		case *ast.CallExpr:
			if x.IsFunc(l, "slices", "All", "Backward", "Values", "Clone") && len(l.Args) == 1 {
				end = false
				next = append(next, Value{Expr: l.Args[0], Frame: list.Frame, elem: true})
			}
			if id, ok := ast.Unparen(l.Fun).(*ast.Ident); ok && id.Name == "append" && len(l.Args) > 0 && !l.Ellipsis.IsValid() {
				end = false
				next = append(next, Value{Expr: l.Args[0], Frame: list.Frame, elem: true})
				for _, a := range l.Args[1:] {
					next = append(next, Value{Expr: a, Frame: list.Frame})
				}
			}
		}
	}
	return next, end
}

// Key tells values apart that are made in different places: the variable or field for
// what is declared, and the expression for everything else.
func (x *Index) Key(v Value) any {
	switch e := ast.Unparen(v.Expr).(type) {
	case *ast.Ident:
		if o := x.Info.ObjectOf(e); o != nil {
			return o
		}
	case *ast.SelectorExpr:
		if s := x.Info.Selections[e]; s != nil && s.Kind() == types.FieldVal {
			return s.Obj().(*types.Var).Origin()
		}
		if o := x.Info.Uses[e.Sel]; o != nil {
			return o
		}
	}
	return v.Expr
}
