// Package flow tells where the values of a Go package come from.
//
// [Analyzer] indexes a package once: what each variable, field and parameter may be
// given, and who calls whom. [Index.Origins] goes back from an expression to what it may
// be: literals, functions, parameters that nobody in the package fills, calls into other
// packages. Of a local variable it knows which assignments reach a place; otherwise it does
// not ask in which order statements run, and takes a field to be the same in all values
// of its struct. Calls of functions of the package are entered with their arguments, so
// that a wrapper around a handler leads to that very handler.
//
// Test files are left out: no binary is made of them.
package flow

import (
	"go/ast"
	"go/token"
	"go/types"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Analyzer makes the [*Index] of a package.
var Analyzer = &analysis.Analyzer{
	Name:       "flow",
	Doc:        "where the values of a package come from",
	ResultType: reflect.TypeFor[*Index](),
	Run: func(p *analysis.Pass) (any, error) {
		x := &Index{
			Info: p.TypesInfo, pkg: p.Pkg,
			given: make(map[*types.Var][]Value), calls: make(map[*types.Func][]*ast.CallExpr),
			decls: make(map[*types.Func]*ast.FuncDecl), taken: make(map[*types.Func]bool), params: make(map[*types.Var]param),
			ranges: make(map[*types.Var]*ast.RangeStmt), defs: make(map[*types.Var][]def),
			memo:  newMemo(),
			bound: make(map[*types.Var]bound), bindings: make(map[*types.Var]int), varCalls: make(map[*types.Var][]*ast.CallExpr), varTaken: make(map[*types.Var]bool),
		}
		for _, f := range p.Files {
			if !strings.HasSuffix(p.Fset.File(f.FileStart).Name(), "_test.go") {
				x.read(f)
			}
		}
		return x, nil
	},
}

// An Index knows the values of one package.
type Index struct {
	Info *types.Info
	// Stores are the assignments to fields, in the order of the source.
	Stores []Store
	// Calls are all calls, in the order of the source.
	Calls []*ast.CallExpr

	pkg    *types.Package
	given  map[*types.Var][]Value
	calls  map[*types.Func][]*ast.CallExpr
	decls  map[*types.Func]*ast.FuncDecl
	taken  map[*types.Func]bool
	params map[*types.Var]param
	ranges map[*types.Var]*ast.RangeStmt
	defs   map[*types.Var][]def
	// bound are the parameters of literals that a variable is bound to, and bindings how
	// many values such a variable has.
	bound    map[*types.Var]bound
	bindings map[*types.Var]int
	varCalls map[*types.Var][]*ast.CallExpr
	varTaken map[*types.Var]bool
	memo     *memo
}

// A bound parameter is one of a function literal that a variable is bound to.
type bound struct {
	to *types.Var
	param
}

// A Store gives a field a value: base.Field = value, or a key of a literal.
type Store struct {
	// Base is what the field is selected from, or the literal.
	Base ast.Expr
	// Through is the embedded field by which Base has the field, nil where it is its own.
	Through *types.Var
	Field   *types.Var
	Value   Value
	// At is the assignment or the key.
	At ast.Node
}

// A Value is an expression, seen from the calls that lead to it.
type Value struct {
	Expr ast.Expr
	// Result is which of the values of a call it is.
	Result int
	// Frame says what the parameters around it are, nil where that is not known.
	Frame *Frame
	// elem tells that it is an element of the expression.
	elem bool
	// open tells that it is a parameter of which nothing is known by intention.
	open bool
}

// Open tells that the value is a parameter of a body that [Index.Open] opened.
func (v Value) Open() bool { return v.open }

// Elem tells that the value is an element of Expr, of which nobody knows which.
func (v Value) Elem() bool { return v.elem }

// A Frame is a call that was entered: what its parameters are, and the frame of what
// surrounds the function, for a literal.
type Frame struct {
	args   map[*types.Var]Value
	parent *Frame
	block  *ast.BlockStmt
	caller *Frame
	depth  int
}

// runs tells whether a call of the block is under way already.
func (f *Frame) runs(block *ast.BlockStmt) bool {
	for ; f != nil; f = f.caller {
		if f.block == block {
			return true
		}
	}
	return false
}

// maxDepth bounds how many calls are entered one within the other, and maxSteps how
// far it goes from one expression.
const maxDepth, maxSteps = 16, 5000

// A param is a parameter or receiver of a declared function. Its index is -1 for a
// receiver.
type param struct {
	fn       *types.Func
	index    int
	variadic bool
}

func (x *Index) read(f *ast.File) {
	called := make(map[*ast.Ident]bool) // identifiers that are called
	var around []ast.Node
	ast.Inspect(f, func(n ast.Node) bool {
		if n == nil {
			around = around[:len(around)-1]
			return true
		}
		x.define(n, around)
		around = append(around, n)
		switch n := n.(type) {
		case *ast.FuncDecl:
			x.declare(n)
		case *ast.AssignStmt:
			x.assign(n, n.Lhs, n.Rhs)
		case *ast.ValueSpec:
			var left []ast.Expr
			for _, name := range n.Names {
				left = append(left, name)
			}
			x.assign(n, left, n.Values)
		case *ast.RangeStmt:
			if n.Value != nil {
				x.give(n, n.Value, Value{Expr: n.X, elem: true})
			}
			for _, e := range []ast.Expr{n.Key, n.Value} {
				if id, ok := e.(*ast.Ident); ok {
					if o, ok := x.Info.ObjectOf(id).(*types.Var); ok {
						x.ranges[o] = n
					}
				}
			}
		case *ast.TypeSwitchStmt:
			x.typeSwitch(n)
		case *ast.CompositeLit:
			x.literal(n)
		case *ast.CallExpr:
			x.Calls = append(x.Calls, n)
			if id := name(n.Fun); id != nil {
				called[id] = true
				if fn, ok := x.Info.Uses[id].(*types.Func); ok && fn.Pkg() == x.pkg {
					x.calls[fn.Origin()] = append(x.calls[fn.Origin()], n)
				}
				if o, ok := x.Info.Uses[id].(*types.Var); ok {
					x.varCalls[o] = append(x.varCalls[o], n)
				}
			}
		case *ast.Ident:
			switch o := x.Info.Uses[n].(type) {
			case *types.Func:
				if !called[n] {
					x.taken[o.Origin()] = true
				}
			case *types.Var:
				if !called[n] {
					x.varTaken[o] = true
				}
			}
		}
		return true
	})
}

// name is the identifier by which a function is called, nil for other expressions.
func name(fun ast.Expr) *ast.Ident {
	switch f := ast.Unparen(fun).(type) {
	case *ast.Ident:
		return f
	case *ast.SelectorExpr:
		return f.Sel
	case *ast.IndexExpr:
		return name(f.X)
	case *ast.IndexListExpr:
		return name(f.X)
	}
	return nil
}

func (x *Index) declare(d *ast.FuncDecl) {
	fn, ok := x.Info.Defs[d.Name].(*types.Func)
	if !ok {
		return
	}
	x.decls[fn] = d
	sig := fn.Signature()
	if r := sig.Recv(); r != nil {
		x.params[r] = param{fn, -1, false}
	}
	for i := range sig.Params().Len() {
		x.params[sig.Params().At(i)] = param{fn, i, sig.Variadic() && i == sig.Params().Len()-1}
	}
}

func (x *Index) assign(at ast.Node, left, right []ast.Expr) {
	for i, l := range left {
		switch {
		case len(right) == len(left):
			x.give(at, l, Value{Expr: right[i]})
		case len(right) == 1:
			if _, ok := ast.Unparen(right[0]).(*ast.CallExpr); ok {
				x.give(at, l, Value{Expr: right[0], Result: i})
			} else if i == 0 { // the other is whether there is one
				x.give(at, l, Value{Expr: right[0]})
			}
		}
	}
}

// give notes that a variable or field may have a value.
func (x *Index) give(at ast.Node, left ast.Expr, v Value) {
	switch l := ast.Unparen(left).(type) {
	case *ast.Ident:
		if o, ok := x.Info.ObjectOf(l).(*types.Var); ok {
			x.given[o] = append(x.given[o], v)
			x.bind(o, v)
		}
	case *ast.SelectorExpr:
		if s := x.Info.Selections[l]; s != nil && s.Kind() == types.FieldVal {
			field := s.Obj().(*types.Var).Origin()
			x.given[field] = append(x.given[field], v)
			x.Stores = append(x.Stores, Store{l.X, through(s), field, v, at})
		} else if o, ok := x.Info.Uses[l.Sel].(*types.Var); ok {
			x.given[o] = append(x.given[o], v) // a variable of another package
		}
	case *ast.StarExpr:
		x.give(at, l.X, v)
	}
}

// through is the embedded field that a promoted field is in, or nil.
func through(s *types.Selection) *types.Var {
	var last *types.Var
	t := s.Recv()
	for _, i := range s.Index()[:len(s.Index())-1] {
		st, ok := deref(t).Underlying().(*types.Struct)
		if !ok {
			return nil
		}
		last = st.Field(i).Origin()
		t = last.Type()
	}
	return last
}

func deref(t types.Type) types.Type {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}

func (x *Index) typeSwitch(n *ast.TypeSwitchStmt) {
	assign, ok := n.Assign.(*ast.AssignStmt)
	if !ok {
		return
	}
	for _, clause := range n.Body.List {
		if o, ok := x.Info.Implicits[clause].(*types.Var); ok {
			x.given[o] = append(x.given[o], Value{Expr: assign.Rhs[0]})
		}
	}
}

func (x *Index) literal(n *ast.CompositeLit) {
	st, ok := deref(x.Info.TypeOf(n)).Underlying().(*types.Struct)
	if !ok {
		return
	}
	for i, e := range n.Elts {
		var field *types.Var
		value, at := e, ast.Node(e)
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			key, _ := kv.Key.(*ast.Ident)
			field, _ = x.Info.Uses[key].(*types.Var)
			value = kv.Value
		} else if i < st.NumFields() {
			field = st.Field(i)
		}
		if field == nil {
			continue
		}
		field = field.Origin()
		x.given[field] = append(x.given[field], Value{Expr: value})
		x.Stores = append(x.Stores, Store{n, nil, field, Value{Expr: value}, at})
	}
}

// Decl is the declaration of a function of the package, nil if it has no body here.
func (x *Index) Decl(fn *types.Func) *ast.FuncDecl { return x.decls[fn.Origin()] }

// Callers are the calls of a function of the package, and whether those are all: not if
// others can call it, or if it is used as a value.
func (x *Index) Callers(fn *types.Func) (calls []*ast.CallExpr, all bool) {
	fn = fn.Origin()
	visible := fn.Exported() && x.pkg.Name() != "main" || fn.Signature().Recv() != nil && fn.Exported()
	return x.calls[fn], !visible && !x.taken[fn]
}

// Keys tells which values a store is into, by their [Index.Key]: those that its base may
// be, or that the embedded field in it may hold.
func (x *Index) Keys(s Store) map[any]bool { return x.keys(s.Base, s.Through) }

// On tells which values a method is called on, by their [Index.Key], as Keys does for a
// store: for a promoted method that is what the embedded field holds. It is empty for a
// call that names no method.
func (x *Index) On(call *ast.CallExpr) map[any]bool {
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	s := x.Info.Selections[sel]
	if s == nil || s.Kind() != types.MethodVal {
		return nil
	}
	return x.keys(sel.X, through(s))
}

func (x *Index) keys(base ast.Expr, through *types.Var) map[any]bool {
	keys := make(map[any]bool)
	from := []Value{{Expr: base}}
	if through != nil {
		keys[through] = true
		from = x.given[through]
	}
	for _, v := range from {
		for _, o := range x.Origins(v) {
			keys[x.Key(o)] = true
		}
	}
	return keys
}

// Range is the range statement that a variable is the key or the value of, or nil.
func (x *Index) Range(o *types.Var) *ast.RangeStmt { return x.ranges[o] }

// Given are the values that a variable or field is assigned somewhere in the package.
func (x *Index) Given(o *types.Var) []Value { return x.given[o] }

// Param tells of which declared function a variable is a parameter, and which: -1 is its
// receiver.
func (x *Index) Param(o *types.Var) (fn *types.Func, index int, ok bool) {
	p, ok := x.params[o]
	return p.fn, p.index, ok
}

// Bound tells that a variable is a parameter of a function literal which a variable of its
// own holds, so that the calls of that one say what it is.
func (x *Index) Bound(o *types.Var) bool {
	b, ok := x.bound[o]
	return ok && x.bindings[b.to] == 1
}

// Pos is where a value stands.
func (v Value) Pos() token.Pos { return v.Expr.Pos() }

// Fields calls do for each field of a struct, with the line that declares it.
func (x *Index) Fields(n *ast.StructType, do func(*ast.Field, *types.Var)) {
	st, ok := x.Info.TypeOf(n).(*types.Struct)
	if !ok {
		return
	}
	i := 0
	for _, f := range n.Fields.List {
		for range max(1, len(f.Names)) {
			do(f, st.Field(i))
			i++
		}
	}
}
