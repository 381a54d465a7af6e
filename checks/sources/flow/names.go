package flow

import (
	"go/ast"
	"go/types"
)

// Callee is the function or method that a call names, nil for a function value, a
// conversion and a builtin.
func (x *Index) Callee(call *ast.CallExpr) *types.Func {
	if id := name(call.Fun); id != nil {
		if fn, ok := x.Info.Uses[id].(*types.Func); ok {
			return fn.Origin()
		}
	}
	return nil
}

// IsFunc tells whether the callee of a call is the function of a package, or the
// method as "Type.Method".
func (x *Index) IsFunc(call *ast.CallExpr, pkg string, names ...string) bool {
	fn := x.Callee(call)
	return fn != nil && Is(fn, pkg, names...)
}

// Is tells whether a function is one of those of a package; a method is
// "Type.Method", whether or not its receiver is a pointer.
func Is(fn *types.Func, pkg string, names ...string) bool {
	if fn == nil || fn.Pkg() == nil || fn.Pkg().Path() != pkg {
		return false
	}
	called := fn.Name()
	if r := fn.Signature().Recv(); r != nil {
		named, ok := types.Unalias(deref(r.Type())).(*types.Named)
		if !ok {
			return false
		}
		called = named.Obj().Name() + "." + called
	}
	for _, n := range names {
		if n == called {
			return true
		}
	}
	return false
}

// IsType tells whether a type, or what it points to, is the named one of a package.
func IsType(t types.Type, pkg, name string) bool {
	if t == nil {
		return false
	}
	named, ok := types.Unalias(deref(t)).(*types.Named)
	return ok && named.Obj().Name() == name && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == pkg
}
