package flow

import (
	"cmp"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// A def is an assignment to a local variable.
type def struct {
	at    ast.Node
	value Value
	// in are the nodes around it, from the outside.
	in []ast.Node
}

// define notes the assignments of a node to local variables, whose surroundings are
// needed to tell which places they reach.
func (x *Index) define(n ast.Node, around []ast.Node) {
	note := func(left ast.Expr, v Value) {
		id, ok := ast.Unparen(left).(*ast.Ident)
		if !ok {
			return
		}
		if o, ok := x.Info.ObjectOf(id).(*types.Var); ok && o.Parent() != x.pkg.Scope() {
			x.defs[o] = append(x.defs[o], def{n, v, slices.Clone(around)})
		}
	}
	pairs := func(left, right []ast.Expr) {
		for i, l := range left {
			switch {
			case len(right) == len(left):
				note(l, Value{Expr: right[i]})
			case len(right) == 1:
				if _, ok := ast.Unparen(right[0]).(*ast.CallExpr); ok {
					note(l, Value{Expr: right[0], Result: i})
				} else if i == 0 {
					note(l, Value{Expr: right[0]})
				}
			}
		}
	}
	switch n := n.(type) {
	case *ast.AssignStmt:
		pairs(n.Lhs, n.Rhs)
	case *ast.ValueSpec:
		var left []ast.Expr
		for _, id := range n.Names {
			left = append(left, id)
		}
		pairs(left, n.Values)
	}
}

// reaching are the values that a variable may have at a place where it is used, and
// whether that may also be what it had when its function began. For what is not a local
// variable, or is assigned by a closure, the order tells nothing, and all are returned.
func (x *Index) reaching(use *ast.Ident, o *types.Var) (values []Value, entry bool) {
	all := slices.Clone(x.given[o])
	defs := x.defs[o]
	if len(defs) != len(all) || len(defs) == 0 || x.Info.Defs[use] == o {
		return all, true // in a range or type switch too, or the result that a bare return returns
	}
	if slices.ContainsFunc(defs, func(d def) bool { return function(d.in) != function(defs[0].in) }) {
		return all, true
	}
	pos := use.Pos()
	home := function(defs[0].in)
	if home == nil || !holds(home, pos) || !holds(home, o.Pos()) {
		return all, true
	}
	var later []def
	if inner := closure(home, pos); inner != nil { // which may run at any later time
		for _, d := range defs {
			if d.at.Pos() >= inner.End() {
				later = append(later, d)
			}
		}
		pos = inner.Pos()
	}
	found, killer := before(defs, pos)
	entry = killer == nil
	for _, d := range defs {
		if carried(d, pos, o, killer) && !slices.ContainsFunc(found, func(f def) bool { return f.at == d.at }) {
			found = append(found, d)
		}
	}
	for _, d := range append(found, later...) {
		values = append(values, d.value)
	}
	return values, entry
}

// before are the definitions that reach a position from above, and the one that every
// way there goes through, if there is one.
func before(defs []def, pos token.Pos) (found []def, killer *def) {
	sorted := slices.SortedFunc(slices.Values(defs), func(a, b def) int { return cmp.Compare(b.at.Pos(), a.at.Pos()) })
	then := make(map[*ast.IfStmt]bool) // those whose else branch has a definition
	for i, d := range sorted {
		if d.at.End() > pos || excluded(d, pos) {
			continue
		}
		found = append(found, d)
		if holds(block(d.in), pos) {
			return found, &sorted[i]
		}
		branch, isElse := branchOf(d)
		if branch == nil {
			continue
		}
		if isElse {
			then[branch] = true
		} else if then[branch] && holds(blockAround(d.in, branch), pos) {
			return found, &sorted[i]
		}
	}
	return found, nil
}

// block is the innermost block, clause or statement with an Init around a definition.
func block(in []ast.Node) ast.Node {
	for _, n := range slices.Backward(in) {
		switch n.(type) {
		case *ast.BlockStmt, *ast.CaseClause, *ast.CommClause, *ast.IfStmt, *ast.ForStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt:
			return n
		}
	}
	return nil
}

// blockAround is the block that a statement around a definition stands in.
func blockAround(in []ast.Node, stmt ast.Node) ast.Node {
	return block(in[:slices.Index(in, stmt)])
}

// branchOf is the if statement whose branch a definition stands in directly.
func branchOf(d def) (stmt *ast.IfStmt, isElse bool) {
	b := block(d.in)
	i := slices.Index(d.in, b)
	if i < 1 {
		return nil, false
	}
	stmt, ok := d.in[i-1].(*ast.IfStmt)
	if !ok || stmt.Else == nil {
		return nil, false
	}
	return stmt, stmt.Else == b
}

// excluded tells that no way leads from a definition above to a position: it is in
// another branch, or its block ends with a return.
func excluded(d def, pos token.Pos) bool {
	for i, n := range d.in {
		switch n := n.(type) {
		case *ast.IfStmt:
			if n.Else != nil && holds(n.Else, pos) && holds(n.Body, d.at.Pos()) {
				return true
			}
		case *ast.CaseClause:
			if i > 0 && holds(d.in[i-1], pos) && !holds(n, pos) {
				return true
			}
		}
	}
	b := block(d.in)
	return !holds(b, pos) && returns(b)
}

func returns(block ast.Node) bool {
	var list []ast.Stmt
	switch b := block.(type) {
	case *ast.BlockStmt:
		list = b.List
	case *ast.CaseClause:
		list = b.Body
	}
	if len(list) == 0 {
		return false
	}
	_, ok := list[len(list)-1].(*ast.ReturnStmt)
	return ok
}

// carried tells that a definition below a position reaches it by a loop around both.
func carried(d def, pos token.Pos, o *types.Var, killer *def) bool {
	if d.at.End() <= pos {
		return false
	}
	for _, n := range d.in {
		switch n.(type) {
		case *ast.ForStmt, *ast.RangeStmt:
			if holds(n, pos) && !holds(n, o.Pos()) && (killer == nil || !holds(n, killer.at.Pos())) {
				return true
			}
		}
	}
	return false
}

// function is the innermost function in a list of surroundings.
func function(in []ast.Node) ast.Node {
	for _, n := range slices.Backward(in) {
		switch n.(type) {
		case *ast.FuncDecl, *ast.FuncLit:
			return n
		}
	}
	return nil
}

// closure is the outermost literal in a function that a position is in, or nil.
func closure(home ast.Node, pos token.Pos) (found *ast.FuncLit) {
	ast.Inspect(home, func(n ast.Node) bool {
		if n == nil || found != nil || !holds(n, pos) {
			return false
		}
		if l, ok := n.(*ast.FuncLit); ok && l != home {
			found = l
			return false
		}
		return true
	})
	return found
}

func holds(n ast.Node, pos token.Pos) bool { return n != nil && n.Pos() <= pos && pos < n.End() }

// bind notes that a variable is bound to a value: the parameters of a literal are then
// what its calls give.
func (x *Index) bind(o *types.Var, v Value) {
	x.bindings[o]++
	lit, ok := ast.Unparen(v.Expr).(*ast.FuncLit)
	if !ok || o.IsField() {
		return
	}
	i := 0
	for _, f := range lit.Type.Params.List {
		_, variadic := f.Type.(*ast.Ellipsis)
		for _, id := range f.Names {
			if p, ok := x.Info.Defs[id].(*types.Var); ok {
				x.bound[p] = bound{o, param{index: i, variadic: variadic}}
			}
			i++
		}
		i += max(0, 1-len(f.Names))
	}
}
