package flow

import (
	"go/ast"
	"go/types"
)

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
	return x.enter(call, in, nil)
}

func (x *Index) enter(call *ast.CallExpr, in *Frame, w *walk) (bodies []Body, all bool) {
	if in.deep() >= maxDepth {
		return nil, false
	}
	known := w == nil || x.Callee(call) != nil
	return x.memo.bodies(entry{call, in}, known, func() ([]Body, bool) { return x.run(call, in, w) })
}

func (x *Index) run(call *ast.CallExpr, in *Frame, w *walk) (bodies []Body, all bool) {
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
	from := Value{Expr: ast.Unparen(call.Fun), Frame: in}
	if w.asks(from) {
		return nil, false
	}
	functions := x.origins(from, w)
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

// Open is the body of a declared function of the package whose parameters and receiver
// are ends of every way back, whoever calls it.
func (x *Index) Open(fn *types.Func) (Body, bool) {
	b, ok := x.body(fn, nil)
	if !ok {
		return b, false
	}
	d := x.decls[b.Func]
	for _, list := range []*ast.FieldList{d.Recv, d.Type.Params} {
		x.OpenParams(b, list)
	}
	return b, true
}

// OpenParams makes parameters of a body ends of every way back.
func (x *Index) OpenParams(b Body, list *ast.FieldList) {
	if list == nil {
		return
	}
	for _, f := range list.List {
		for _, id := range f.Names {
			if o, ok := x.Info.Defs[id].(*types.Var); ok {
				b.Frame.args[o] = Value{Expr: id, Frame: b.Frame, open: true}
			}
		}
	}
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

// On is what a method is called on, if that is known. Of a literal it has no more than the
// call in which that stands.
func (b Body) On() Value {
	switch {
	case b.Frame == nil:
		return Value{}
	case b.Func == nil:
		return Value{Frame: b.Frame.parent}
	case b.Func.Signature().Recv() == nil:
		return Value{}
	}
	return b.Frame.args[b.Func.Signature().Recv()]
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
