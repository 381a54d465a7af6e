package sources

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// A setup is one value of a struct type as a package makes it: a literal, a variable
// without one, or new, and the places that hold it later.
type setup struct {
	o      *origins
	lit    *ast.CompositeLit // nil for a zero value
	at     inspector.Cursor
	places []place
}

// setups calls do for every value of a struct type, such as net/http.Cookie, that the
// package makes.
func (p *pass) setups(pkg, name string, do func(*setup)) {
	o := p.origins()
	for _, c := range placesOf(p.sites.made, pkg, name) {
		switch n := c.Node().(type) {
		case *ast.CompositeLit:
			do(o.setup(n, c))
		case *ast.ValueSpec:
			for _, id := range n.Names {
				if v := p.TypesInfo.Defs[id]; v != nil {
					do(&setup{o, nil, c, o.names(objectPlace(v))})
				}
			}
		case *ast.CallExpr:
			do(&setup{o, nil, c, o.names(o.holder(c))})
		}
	}
}

// made is the type of what a literal makes, of which its own type is a pointer where &
// is left out in a list.
func made(t types.Type) types.Type {
	if t == nil {
		return nil
	}
	if pointer, ok := t.Underlying().(*types.Pointer); ok {
		return pointer.Elem()
	}
	return t
}

func identOf(e ast.Expr) *ast.Ident {
	id, _ := ast.Unparen(e).(*ast.Ident)
	return id
}

// isNamed tells whether a type, and no pointer to it, is that of a package.
func isNamed(t types.Type, pkg, name string) bool {
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.Obj().Name() == name && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == pkg
}

func (o *origins) setup(lit *ast.CompositeLit, c inspector.Cursor) *setup {
	s := &setup{o, lit, c, o.names(o.holder(c))}
	if _, ok := o.around(c).(*ast.ReturnStmt); ok {
		for _, call := range o.calls[o.function(c)] {
			s.places = append(s.places, o.names(o.into[call])...)
		}
	}
	return s
}

// around is the node that a value is a part of, without & and parentheses.
func (o *origins) around(c inspector.Cursor) ast.Node {
	for up := c.Parent(); ; up = up.Parent() {
		switch n := up.Node().(type) {
		case *ast.UnaryExpr, *ast.ParenExpr:
		default:
			return n
		}
	}
}

// names are a place and the others that it is passed to: parameters, other variables,
// and what takes the result of a function that returns it.
func (o *origins) names(of place) []place {
	var all []place
	seen := make(map[place]bool)
	var add func(place)
	add = func(at place) {
		if at == "" || seen[at] {
			return
		}
		seen[at] = true
		all = append(all, at)
		for _, to := range o.passed[at] {
			add(to)
		}
		for fn, returned := range o.returned {
			for _, r := range returned {
				if r == at {
					for _, call := range o.calls[fn] {
						add(o.into[call])
					}
				}
			}
		}
	}
	add(of)
	return all
}

// holder is the place that a value is put in, or empty.
func (o *origins) holder(c inspector.Cursor) place {
	suffix := place("")
	for from, up := c, c.Parent(); ; from, up = up, up.Parent() {
		switch n := up.Node().(type) {
		case *ast.UnaryExpr, *ast.ParenExpr, *ast.StarExpr:
		case *ast.KeyValueExpr:
			id, ok := n.Key.(*ast.Ident)
			if !ok {
				return ""
			}
			field, ok := o.info.Uses[id].(*types.Var)
			if !ok || !field.IsField() {
				return ""
			}
			if field.Pkg() == o.pkg {
				return objectPlace(field) + suffix
			}
			suffix = "." + place(field.Name()) + suffix
			up = up.Parent() // the literal
		case *ast.CompositeLit:
			s, ok := made(o.info.TypeOf(n)).Underlying().(*types.Struct)
			i := slices.Index(n.Elts, from.Node().(ast.Expr))
			if !ok || i < 0 {
				return ""
			}
			if s.Field(i).Pkg() == o.pkg {
				return objectPlace(s.Field(i).Origin()) + suffix
			}
			suffix = "." + place(s.Field(i).Name()) + suffix
		case *ast.AssignStmt:
			for i, r := range n.Rhs {
				if r == from.Node() && len(n.Lhs) == len(n.Rhs) {
					if at := o.place(n.Lhs[i]); at != "" {
						return at + suffix
					}
				}
			}
			return ""
		case *ast.ValueSpec:
			for i, r := range n.Values {
				if r == from.Node() && len(n.Names) == len(n.Values) {
					if at := o.place(n.Names[i]); at != "" {
						return at + suffix
					}
				}
			}
			return ""
		case *ast.CallExpr:
			fn := typeutil.StaticCallee(o.info, n)
			if fn == nil || fn.Pkg() != o.pkg {
				return ""
			}
			for i, arg := range n.Args {
				if arg == from.Node() && i < fn.Signature().Params().Len() {
					return objectPlace(fn.Origin().Signature().Params().At(i)) + suffix
				}
			}
			return ""
		default:
			return ""
		}
	}
}

// field are the values that a field is given: in the literal, and later.
func (s *setup) field(name string) []ast.Expr {
	var all []ast.Expr
	if s.lit != nil {
		for _, el := range s.lit.Elts {
			if kv, ok := el.(*ast.KeyValueExpr); ok {
				if id, ok := kv.Key.(*ast.Ident); ok && id.Name == name {
					all = append(all, kv.Value)
				}
			}
		}
	}
	for _, at := range s.places {
		all = append(all, s.o.set[at+"."+place(name)]...)
	}
	return all
}

// callee is the full name of the function that a call names, such as
// net/http.SetCookie or (*net/http.Request).FormValue; empty for what is not known.
func (p *pass) callee(call *ast.CallExpr) string {
	fn, ok := typeutil.Callee(p.TypesInfo, call).(*types.Func)
	if !ok {
		return ""
	}
	return p.fullName(fn.Origin())
}

// settings calls do for every value that a field of a struct type is given, in a
// literal or later.
func (p *pass) settings(pkg, name string, do func(field string, value ast.Expr, at inspector.Cursor)) {
	is := func(t types.Type) bool { return t != nil && isNamed(made(t), pkg, name) }
	for _, c := range placesOf(p.sites.made, pkg, name) {
		n, ok := c.Node().(*ast.CompositeLit)
		if !ok {
			continue
		}
		for _, el := range n.Elts {
			if kv, ok := el.(*ast.KeyValueExpr); ok {
				if id, ok := kv.Key.(*ast.Ident); ok {
					do(id.Name, kv.Value, c)
				}
			}
		}
	}
	for _, c := range placesOf(p.sites.filled, pkg, name) {
		n := c.Node().(*ast.AssignStmt)
		for i, lhs := range n.Lhs {
			if sel, ok := ast.Unparen(lhs).(*ast.SelectorExpr); ok && is(p.fieldOf(sel)) {
				do(sel.Sel.Name, n.Rhs[i], c)
			}
		}
	}
}

// fieldOf is the type that a selected field is declared in, also where it is
// embedded in that of the operand.
func (p *pass) fieldOf(sel *ast.SelectorExpr) types.Type {
	s, ok := p.TypesInfo.Selections[sel]
	if !ok || s.Kind() != types.FieldVal {
		return nil
	}
	t := s.Recv()
	for _, i := range s.Index()[:len(s.Index())-1] {
		t = made(t).Underlying().(*types.Struct).Field(i).Type()
	}
	return t
}

// choice is the condition under which a place of a function is come to, where that
// is a matter of configuration and not of what went wrong or is missing; nil if none.
func (p *pass) choice(c inspector.Cursor) ast.Expr {
	for from, up := c, c.Parent(); up.Node() != nil; from, up = up, up.Parent() {
		switch n := up.Node().(type) {
		case *ast.FuncDecl, *ast.FuncLit:
			return nil
		case *ast.IfStmt:
			if from.Node() != n.Init && from.Node() != n.Cond && p.chooses(n.Cond) {
				return n.Cond
			}
		case *ast.CaseClause:
			sw, ok := up.Parent().Parent().Node().(*ast.SwitchStmt)
			if ok && sw.Tag != nil {
				return sw.Tag
			} else if ok && len(n.List) > 0 && p.chooses(n.List[0]) {
				return n.List[0]
			}
		}
	}
	return nil
}

// chooses tells whether a condition is not constant, and more than a look for what is
// missing.
func (p *pass) chooses(cond ast.Expr) bool {
	cond = ast.Unparen(cond)
	if p.TypesInfo.Types[cond].Value != nil {
		return false
	}
	if values, all := p.origins().constants(cond); all && len(values) == 1 {
		return false
	}
	b, ok := cond.(*ast.BinaryExpr)
	if !ok {
		return true
	}
	switch b.Op {
	case token.LAND, token.LOR:
		return p.chooses(b.X) || p.chooses(b.Y)
	case token.EQL, token.NEQ, token.LSS:
		for _, side := range []ast.Expr{b.X, b.Y} {
			tv := p.TypesInfo.Types[side]
			if tv.IsNil() || tv.Value != nil && b.Op != token.NEQ && isZero(tv.Value) {
				return false
			}
		}
	}
	return true
}

func isZero(v constant.Value) bool {
	switch v.Kind() {
	case constant.Int:
		return constant.Sign(v) == 0
	case constant.String:
		return constant.StringVal(v) == ""
	}
	return false
}
