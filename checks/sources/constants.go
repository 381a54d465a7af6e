package sources

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/types/typeutil"
)

// constants are the values that an expression can have, as far as they are constants,
// and whether those are all.
func (o *origins) constants(e ast.Expr) (values []constant.Value, all bool) {
	seen := make(map[any]bool)
	all = true
	var add func(e ast.Expr, not bool)
	zero := func(t types.Type, not bool) {
		if b, ok := t.Underlying().(*types.Basic); !ok {
			all = false
		} else if v := zeroOf(b); v == nil {
			all = false
		} else if not {
			values = append(values, constant.UnaryOp(token.NOT, v, 0))
		} else {
			values = append(values, v)
		}
	}
	add = func(e ast.Expr, not bool) {
		e = ast.Unparen(e)
		if tv := o.info.Types[e]; tv.Value != nil {
			if v := tv.Value; not {
				values = append(values, constant.UnaryOp(token.NOT, v, 0))
			} else {
				values = append(values, v)
			}
			return
		}
		if seen[e] {
			return
		}
		seen[e] = true
		switch e := e.(type) {
		case *ast.UnaryExpr:
			if e.Op == token.NOT {
				add(e.X, !not)
				return
			}
		case *ast.Ident, *ast.SelectorExpr:
			v, ok := o.object(e).(*types.Var)
			if !ok {
				break
			}
			if o.open(v) {
				all = false
			}
			for _, from := range o.given[v] {
				switch {
				case from.expr == nil:
					zero(v.Type(), not)
				case from.of != 0:
					all = false
				default:
					add(from.expr, not)
				}
			}
			return
		case *ast.CallExpr:
			if tv := o.info.Types[e.Fun]; tv.IsType() && len(e.Args) == 1 {
				add(e.Args[0], not)
				return
			}
			if results := o.results(e, 0); len(results) > 0 {
				for _, r := range results {
					add(r, not)
				}
				return
			}
		}
		all = false
	}
	add(e, false)
	return values, all && len(values) > 0 // a function that only calls itself gives none
}

// open tells whether a variable can have values that the package does not give it.
func (o *origins) open(v *types.Var) bool {
	switch {
	case o.hidden[v] || v.IsField() || v.Pkg() != o.pkg || len(o.given[v]) == 0:
		return true
	case v.Parent() == o.pkg.Scope():
		return v.Exported() && o.pkg.Name() != "main"
	}
	return false
}

func zeroOf(b *types.Basic) constant.Value {
	switch {
	case b.Info()&types.IsBoolean != 0:
		return constant.MakeBool(false)
	case b.Info()&types.IsInteger != 0:
		return constant.MakeInt64(0)
	case b.Info()&types.IsString != 0:
		return constant.MakeString("")
	}
	return nil
}

// results are what a function of the package returns at an index: none where it is not
// known, or where a return does not say it.
func (o *origins) results(call *ast.CallExpr, at int) []ast.Expr {
	fn := typeutil.StaticCallee(o.info, call)
	if fn == nil || o.bodies[fn.Origin()] == nil || o.bodies[fn.Origin()].Body == nil {
		return nil
	}
	var all []ast.Expr
	unknown := false
	ast.Inspect(o.bodies[fn.Origin()].Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			if len(n.Results) != fn.Signature().Results().Len() {
				unknown = true
			} else if at < len(n.Results) {
				all = append(all, n.Results[at])
			}
		}
		return true
	})
	if unknown {
		return nil
	}
	return all
}
