package sources

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// An origins knows which values the variables, parameters and fields of a package are
// given in it. It does not follow the order in which that happens.
type origins struct {
	info  *types.Info
	pkg   *types.Package
	given map[types.Object][]value
	// hidden are those that are given other values as well, which nobody sees here.
	hidden map[types.Object]bool
	// set holds what fields are given by the place that they are a field of.
	set map[place][]ast.Expr
	// into holds where the result of a call goes, and passed as which parameters a
	// variable is handed on.
	into   map[*ast.CallExpr]place
	passed map[place][]place
	calls  map[*types.Func][]*ast.CallExpr
	bodies map[*types.Func]*ast.FuncDecl
	// returned are the variables that a function returns.
	returned map[*types.Func][]place
}

// A value is an expression, or one of its results where it has several. Without an
// expression it is the zero value.
type value struct {
	expr ast.Expr
	of   int
	in   ast.Node // the block of the assignment; nil for arguments
}

// A place is a variable or a field of one, written down so that it can be compared.
// What a field of the program's own types holds is taken for the same in all values
// of the type.
type place string

// ofRange is the index of what a range gives.
const ofRange = -1

var originsOf = &analysis.Analyzer{
	Name:       "origins",
	Doc:        "which values the variables of a package are given",
	Requires:   []*analysis.Analyzer{inspect.Analyzer},
	ResultType: reflect.TypeFor[*origins](),
	Run: func(p *analysis.Pass) (any, error) {
		o := &origins{
			info: p.TypesInfo, pkg: p.Pkg, given: make(map[types.Object][]value), hidden: make(map[types.Object]bool),
			set: make(map[place][]ast.Expr), into: make(map[*ast.CallExpr]place), passed: make(map[place][]place),
			calls: make(map[*types.Func][]*ast.CallExpr), bodies: make(map[*types.Func]*ast.FuncDecl),
			returned: make(map[*types.Func][]place),
		}
		in := p.ResultOf[inspect.Analyzer].(*inspector.Inspector)
		for c := range in.Root().Preorder() {
			if n := c.Node(); !strings.HasSuffix(p.Fset.File(n.Pos()).Name(), "_test.go") {
				o.see(n, c)
			}
		}
		return o, nil
	},
}

// origins returns what is known of the values of the package, for rules that need
// [originsOf].
func (p *pass) origins() *origins { return p.ResultOf[originsOf].(*origins) }

// see learns from one node of the package.
func (o *origins) see(n ast.Node, c inspector.Cursor) {
	in := c.Parent().Node()
	if _, ok := n.(*ast.ValueSpec); ok {
		if of := c.Parent().Parent(); of.Node() != nil {
			in = of.Parent().Node() // of the declaration's statement
		}
	}
	switch n := n.(type) {
	case *ast.AssignStmt:
		for i, lhs := range n.Lhs {
			if len(n.Lhs) == len(n.Rhs) {
				o.assign(lhs, value{n.Rhs[i], 0, in})
			} else {
				o.assign(lhs, value{n.Rhs[0], i, in})
			}
			if n.Tok != token.ASSIGN && n.Tok != token.DEFINE {
				o.hide(lhs)
			}
		}
	case *ast.ValueSpec:
		for i, name := range n.Names {
			switch {
			case len(n.Values) == 0:
				o.assign(name, value{in: in})
			case len(n.Values) == len(n.Names):
				o.assign(name, value{n.Values[i], 0, in})
			default:
				o.assign(name, value{n.Values[0], i, in})
			}
		}
	case *ast.RangeStmt:
		for _, lhs := range []ast.Expr{n.Key, n.Value} {
			if lhs != nil {
				o.assign(lhs, value{n.X, ofRange, n.Body})
			}
		}
	case *ast.IncDecStmt:
		o.hide(n.X)
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			o.hide(n.X)
		}
	case *ast.CompositeLit:
		o.literal(n)
	case *ast.CallExpr:
		o.call(n)
	case *ast.FuncDecl:
		o.declared(n)
	case *ast.ReturnStmt:
		if fn := o.function(c); fn != nil {
			for _, r := range n.Results {
				if at := o.place(r); at != "" {
					o.returned[fn] = append(o.returned[fn], at)
				}
			}
		}
	case *ast.FuncLit:
		o.hideParameters(o.info.TypeOf(n).(*types.Signature))
	case *ast.Ident:
		if fn, ok := o.info.Uses[n].(*types.Func); ok && fn.Pkg() == o.pkg && !called(c) {
			o.hideParameters(fn.Signature())
		}
	}
}

// called tells whether an identifier stands where a call names its function.
func called(c inspector.Cursor) bool {
	at := c
	if sel, ok := c.Parent().Node().(*ast.SelectorExpr); ok && sel.Sel == c.Node() {
		at = c.Parent()
	}
	for {
		switch up := at.Parent().Node().(type) {
		case *ast.IndexExpr, *ast.IndexListExpr, *ast.ParenExpr:
			at = at.Parent()
			continue
		case *ast.CallExpr:
			return up.Fun == at.Node()
		}
		return false
	}
}

func (o *origins) assign(lhs ast.Expr, v value) {
	lhs = ast.Unparen(lhs)
	switch to := lhs.(type) {
	case *ast.IndexExpr: // of which the whole is told
		if base := o.object(to.X); base != nil {
			o.given[base] = append(o.given[base], v)
			o.hidden[base] = true
		}
		return
	case *ast.StarExpr:
		o.hide(to.X)
	}
	obj := o.object(lhs)
	if obj == nil {
		return
	}
	o.given[obj] = append(o.given[obj], v)
	at := o.place(lhs)
	if _, field := lhs.(*ast.SelectorExpr); field && v.expr != nil && v.of == 0 {
		o.set[o.fieldPlace(lhs.(*ast.SelectorExpr))] = append(o.set[o.fieldPlace(lhs.(*ast.SelectorExpr))], v.expr)
	}
	if call, ok := unwrapped(v.expr).(*ast.CallExpr); ok && v.of == 0 && at != "" {
		o.into[call] = at
	}
	if from := o.place(v.expr); from != "" && at != "" && from != at {
		o.passed[from] = append(o.passed[from], at) // another name for it
	}
}

// hide says that a variable is also given values that are not seen.
func (o *origins) hide(e ast.Expr) {
	if obj := o.object(e); obj != nil {
		o.hidden[obj] = true
	}
}

func (o *origins) hideParameters(sig *types.Signature) {
	for v := range sig.Params().Variables() {
		o.hidden[v] = true
	}
}

func (o *origins) literal(n *ast.CompositeLit) {
	t := made(o.info.TypeOf(n))
	if t == nil {
		return
	}
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return
	}
	for i, el := range n.Elts {
		var field types.Object
		if kv, ok := el.(*ast.KeyValueExpr); ok {
			id, _ := kv.Key.(*ast.Ident)
			field, el = o.info.Uses[id], kv.Value
		} else if i < s.NumFields() {
			field = s.Field(i)
		}
		if field != nil {
			o.given[field] = append(o.given[field], value{expr: el})
		}
	}
}

func (o *origins) call(n *ast.CallExpr) {
	fn := typeutil.StaticCallee(o.info, n)
	if fn == nil || fn.Pkg() != o.pkg {
		return
	}
	fn = fn.Origin()
	o.calls[fn] = append(o.calls[fn], n)
	params := fn.Signature().Params()
	for i, arg := range n.Args {
		at := min(i, params.Len()-1)
		if _, several := o.info.TypeOf(arg).(*types.Tuple); at < 0 || several {
			return // f(g())
		}
		to := params.At(at)
		o.given[to] = append(o.given[to], value{expr: arg})
		if from := o.place(arg); from != "" {
			o.passed[from] = append(o.passed[from], objectPlace(to))
		}
	}
}

func (o *origins) declared(n *ast.FuncDecl) {
	fn, ok := o.info.Defs[n.Name].(*types.Func)
	if !ok {
		return
	}
	o.bodies[fn] = n
	if fn.Signature().Recv() != nil || fn.Exported() && o.pkg.Name() != "main" {
		o.hideParameters(fn.Signature())
	}
}

// function is the declared function that a node is in, and not in a literal of one.
func (o *origins) function(c inspector.Cursor) *types.Func {
	for up := range c.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		if decl, ok := up.Node().(*ast.FuncDecl); ok {
			fn, _ := o.info.Defs[decl.Name].(*types.Func)
			return fn
		}
		return nil
	}
	return nil
}

// object is the variable or field that an expression names, or nil.
func (o *origins) object(e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		if v, ok := o.info.ObjectOf(e).(*types.Var); ok {
			return v
		}
	case *ast.SelectorExpr:
		if sel, ok := o.info.Selections[e]; ok {
			if v, ok := sel.Obj().(*types.Var); ok {
				return v.Origin()
			}
			return nil
		}
		if v, ok := o.info.Uses[e.Sel].(*types.Var); ok {
			return v
		}
	}
	return nil
}

func objectPlace(o types.Object) place { return place(fmt.Sprintf("%p", o)) }

// place writes down the variable or field that an expression names or points to, or
// is empty.
func (o *origins) place(e ast.Expr) place {
	switch e := unwrapped(e).(type) {
	case *ast.Ident:
		if v, ok := o.info.ObjectOf(e).(*types.Var); ok {
			return objectPlace(v)
		}
	case *ast.SelectorExpr:
		return o.fieldPlace(e)
	case *ast.TypeAssertExpr:
		return o.place(e.X)
	}
	return ""
}

func (o *origins) fieldPlace(e *ast.SelectorExpr) place {
	v, ok := o.object(e).(*types.Var)
	switch {
	case !ok:
		return ""
	case !v.IsField() || v.Pkg() == o.pkg:
		return objectPlace(v)
	}
	if of := o.promoting(e); of != "" {
		return of + "." + place(v.Name())
	}
	return ""
}

// promoting is the place of what has a selected field: of the operand, or of what is
// embedded in it.
func (o *origins) promoting(e *ast.SelectorExpr) place {
	at := o.place(e.X)
	sel, ok := o.info.Selections[e]
	if !ok {
		return at
	}
	t := sel.Recv()
	for _, i := range sel.Index()[:len(sel.Index())-1] {
		s, ok := made(t).Underlying().(*types.Struct)
		if !ok {
			return ""
		}
		v := s.Field(i).Origin()
		switch {
		case v.Pkg() == o.pkg:
			at = objectPlace(v)
		case at != "":
			at += "." + place(v.Name())
		}
		t = v.Type()
	}
	return at
}

// unwrapped is an expression without parentheses, & and *.
func unwrapped(e ast.Expr) ast.Expr {
	for {
		switch up := e.(type) {
		case *ast.ParenExpr:
			e = up.X
		case *ast.StarExpr:
			e = up.X
		case *ast.UnaryExpr:
			if up.Op != token.AND {
				return e
			}
			e = up.X
		default:
			return e
		}
	}
}
