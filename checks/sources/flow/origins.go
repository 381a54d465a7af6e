package flow

import (
	"go/ast"
	"go/token"
	"go/types"
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
	w := walk{x: x, seen: make(map[Value]bool)}
	w.from(v)
	return w.found
}

// A walk is one way back.
type walk struct {
	x     *Index
	seen  map[Value]bool
	found []Value
}

func (w *walk) from(v Value) {
	v.Expr = ast.Unparen(v.Expr)
	if w.seen[v] || len(w.seen) > maxSteps {
		return
	}
	w.seen[v] = true
	if tv, ok := w.x.Info.Types[v.Expr]; ok && tv.Value != nil {
		w.found = append(w.found, v)
		return
	}
	if v.elem {
		w.element(v)
		return
	}
	switch e := v.Expr.(type) {
	case *ast.Ident:
		w.ident(v, e)
	case *ast.SelectorExpr:
		w.selector(v, e)
	case *ast.CallExpr:
		w.call(v, e)
	case *ast.UnaryExpr:
		if e.Op == token.AND {
			w.from(Value{Expr: e.X, Frame: v.Frame})
		} else {
			w.found = append(w.found, v)
		}
	case *ast.StarExpr:
		w.from(Value{Expr: e.X, Frame: v.Frame})
	case *ast.TypeAssertExpr:
		w.from(Value{Expr: e.X, Frame: v.Frame})
	case *ast.IndexExpr:
		if _, generic := w.x.Info.Instances[nameOrNone(e.X)]; generic {
			w.from(Value{Expr: e.X, Frame: v.Frame})
		} else {
			w.element(Value{Expr: e.X, Frame: v.Frame, elem: true})
		}
	case *ast.SliceExpr:
		w.from(Value{Expr: e.X, Frame: v.Frame})
	default:
		w.found = append(w.found, v)
	}
}

func nameOrNone(e ast.Expr) *ast.Ident {
	if id := name(e); id != nil {
		return id
	}
	return &ast.Ident{}
}

func (w *walk) ident(v Value, id *ast.Ident) {
	o, ok := w.x.Info.ObjectOf(id).(*types.Var)
	if !ok {
		w.found = append(w.found, v)
		return
	}
	for f := v.Frame; f != nil; f = f.parent {
		if arg, ok := f.args[o]; ok {
			w.from(arg)
			if given := w.x.given[o]; len(given) > 0 { // and what the body makes of it
				w.all(given, v.Frame)
			}
			return
		}
	}
	given := w.x.given[o]
	open := len(given) == 0
	if p, ok := w.x.params[o]; ok {
		calls, all := w.x.Callers(p.fn)
		for _, c := range calls {
			if arg, ok := w.x.argument(c, p, nil); ok {
				w.from(arg)
			}
		}
		open = !all || len(calls) == 0
	}
	w.all(given, v.Frame)
	if open {
		w.found = append(w.found, v)
	}
}

// all goes on with what is assigned somewhere in the same function, or elsewhere.
func (w *walk) all(given []Value, in *Frame) {
	for _, g := range given {
		g.Frame = in
		w.from(g)
	}
}

func (w *walk) selector(v Value, e *ast.SelectorExpr) {
	var o *types.Var
	if s := w.x.Info.Selections[e]; s != nil {
		if s.Kind() != types.FieldVal {
			w.found = append(w.found, v)
			return
		}
		o = s.Obj().(*types.Var).Origin()
	} else {
		o, _ = w.x.Info.Uses[e.Sel].(*types.Var)
	}
	given := w.x.given[o]
	if o == nil || len(given) == 0 {
		w.found = append(w.found, v)
		return
	}
	for _, g := range given {
		w.from(g) // in whatever function it was assigned
	}
}

func (w *walk) call(v Value, call *ast.CallExpr) {
	if tv, ok := w.x.Info.Types[call.Fun]; ok && tv.IsType() && len(call.Args) == 1 {
		w.from(Value{Expr: call.Args[0], Frame: v.Frame})
		return
	}
	bodies, known := w.x.Enter(call, v.Frame)
	for _, b := range bodies {
		for _, r := range w.x.Returns(b, v.Result) {
			w.from(r)
		}
	}
	if !known {
		w.found = append(w.found, v)
	}
}

// element goes back to the elements of lists that are written out.
func (w *walk) element(v Value) {
	known := false
	lists := w.x.Origins(Value{Expr: v.Expr, Frame: v.Frame})
	for _, list := range lists {
		switch l := list.Expr.(type) {
		case *ast.CompositeLit:
			known = true
			for _, e := range l.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					e = kv.Value
				}
				w.from(Value{Expr: e, Frame: list.Frame})
			}
		case *ast.CallExpr:
			if id, ok := ast.Unparen(l.Fun).(*ast.Ident); ok && id.Name == "append" && len(l.Args) > 0 && !l.Ellipsis.IsValid() {
				known = true
				w.from(Value{Expr: l.Args[0], Frame: list.Frame, elem: true})
				for _, a := range l.Args[1:] {
					w.from(Value{Expr: a, Frame: list.Frame})
				}
			}
		}
	}
	if !known {
		w.found = append(w.found, v)
	}
}

// A Body is a function that was entered by a call, or that is looked at without one.
type Body struct {
	// Func is what was declared, nil for a literal.
	Func  *types.Func
	Type  *ast.FuncType
	Block *ast.BlockStmt
	Frame *Frame
}

// Enter returns the bodies that a call may run, as far as they are of the package, with
// its arguments in their frames, and whether those are all. A function that calls itself
// is entered once: what it returns is what its other returns do.
func (x *Index) Enter(call *ast.CallExpr, in *Frame) (bodies []Body, all bool) {
	if in.deep() >= maxDepth {
		return nil, false
	}
	if fn := x.Callee(call); fn != nil {
		b, ok := x.body(fn, in)
		if !ok {
			return nil, false
		}
		if in.runs(b.Block) {
			return nil, true
		}
		x.fill(&b, call, in)
		return []Body{b}, true
	}
	if id := name(call.Fun); id != nil {
		if _, builtin := x.Info.Uses[id].(*types.Builtin); builtin {
			return nil, false
		}
	}
	functions := x.Origins(Value{Expr: call.Fun, Frame: in})
	all = len(functions) > 0
	for _, f := range functions {
		b, ok := x.Function(f)
		if !ok {
			all = false
			continue
		}
		if in.runs(b.Block) {
			continue
		}
		b.Frame.caller = in
		x.fill(&b, call, in)
		bodies = append(bodies, b)
	}
	return bodies, all
}

// Function is the body of a function value of the package: a literal, a declared
// function, or a method with its receiver. Its parameters are not known.
func (x *Index) Function(v Value) (Body, bool) {
	if v.Frame.deep() >= maxDepth {
		return Body{}, false
	}
	switch f := ast.Unparen(v.Expr).(type) {
	case *ast.FuncLit:
		return Body{Type: f.Type, Block: f.Body, Frame: &Frame{args: map[*types.Var]Value{}, parent: v.Frame, block: f.Body, caller: v.Frame, depth: v.Frame.deep() + 1}}, true
	case *ast.Ident, *ast.SelectorExpr, *ast.IndexExpr, *ast.IndexListExpr:
		id := name(f)
		if id == nil {
			return Body{}, false
		}
		fn, ok := x.Info.Uses[id].(*types.Func)
		if !ok {
			return Body{}, false
		}
		b, ok := x.body(fn, v.Frame)
		if sel, method := f.(*ast.SelectorExpr); ok && method {
			x.receive(&b, sel, v.Frame)
		}
		return b, ok
	}
	return Body{}, false
}

// Method is the body of a method of a value's type, where that is declared in the
// package.
func (x *Index) Method(v Value, called string) (Body, bool) {
	t := x.Info.TypeOf(v.Expr)
	if t == nil {
		return Body{}, false
	}
	o, _, _ := types.LookupFieldOrMethod(t, true, x.pkg, called)
	fn, ok := o.(*types.Func)
	if !ok {
		return Body{}, false
	}
	b, ok := x.body(fn.Origin(), v.Frame)
	if ok && fn.Signature().Recv() != nil {
		if r := b.Func.Signature().Recv(); r != nil {
			b.Frame.args[r] = v
		}
	}
	return b, ok
}

func (x *Index) body(fn *types.Func, in *Frame) (Body, bool) {
	d := x.decls[fn.Origin()]
	if d == nil || d.Body == nil {
		return Body{}, false
	}
	return Body{Func: fn.Origin(), Type: d.Type, Block: d.Body, Frame: &Frame{args: map[*types.Var]Value{}, block: d.Body, caller: in, depth: in.deep() + 1}}, true
}

func (f *Frame) deep() int {
	if f == nil {
		return 0
	}
	return f.depth
}

// fill puts the arguments of a call into a body's frame.
func (x *Index) fill(b *Body, call *ast.CallExpr, in *Frame) {
	if b.Func != nil {
		if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
			x.receive(b, sel, in)
		}
	}
	i := 0
	for _, field := range b.Type.Params.List {
		_, variadic := field.Type.(*ast.Ellipsis)
		for _, id := range field.Names {
			if o, ok := x.Info.Defs[id].(*types.Var); ok {
				if arg, ok := x.argument(call, param{index: i, variadic: variadic}, in); ok {
					b.Frame.args[o] = arg
				}
			}
			i++
		}
		if len(field.Names) == 0 {
			i++
		}
	}
}

func (x *Index) receive(b *Body, sel *ast.SelectorExpr, in *Frame) {
	if b.Func == nil || b.Func.Signature().Recv() == nil || x.Info.Selections[sel] == nil {
		return
	}
	b.Frame.args[b.Func.Signature().Recv()] = Value{Expr: sel.X, Frame: in}
}

// argument is what a call gives a parameter.
func (x *Index) argument(call *ast.CallExpr, p param, in *Frame) (Value, bool) {
	switch {
	case p.index < 0:
		sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
		if !ok {
			return Value{}, false
		}
		return Value{Expr: sel.X, Frame: in}, true
	case p.variadic && !call.Ellipsis.IsValid():
		list := &ast.CompositeLit{Lbrace: call.Lparen, Rbrace: call.Rparen}
		if p.index < len(call.Args) {
			list.Elts = call.Args[p.index:]
		}
		return Value{Expr: list, Frame: in}, true
	case p.index < len(call.Args):
		return Value{Expr: call.Args[p.index], Frame: in}, true
	case len(call.Args) == 1: // f(g()), where g returns several
		return Value{Expr: call.Args[0], Result: p.index, Frame: in}, true
	}
	return Value{}, false
}

// Returns are the values that a body returns as its result of that index.
func (x *Index) Returns(b Body, result int) []Value {
	var names []*ast.Ident
	if b.Type.Results != nil {
		for _, f := range b.Type.Results.List {
			names = append(names, f.Names...)
		}
	}
	var out []Value
	b.Inspect(func(n ast.Node) bool {
		r, ok := n.(*ast.ReturnStmt)
		switch {
		case !ok:
		case result < len(r.Results):
			out = append(out, Value{Expr: r.Results[result], Frame: b.Frame})
		case len(r.Results) == 1:
			out = append(out, Value{Expr: r.Results[0], Result: result, Frame: b.Frame})
		case len(r.Results) == 0 && result < len(names):
			out = append(out, Value{Expr: names[result], Frame: b.Frame})
		}
		return true
	})
	return out
}

// Inspect walks over the statements of a body that run when it does: not over those of
// literals in it.
func (b Body) Inspect(do func(ast.Node) bool) {
	ast.Inspect(b.Block, func(n ast.Node) bool {
		if _, literal := n.(*ast.FuncLit); literal {
			return false
		}
		return n == nil || do(n)
	})
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
