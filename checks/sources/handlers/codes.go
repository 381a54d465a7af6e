package handlers

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/types"
	"maps"
	"slices"

	"temper/checks/sources/flow"
)

// A refused is what statements answer.
type refused struct {
	codes map[int]bool
	// dark tells that something is given the writer of which nobody sees what it
	// answers.
	dark bool
}

// answered are the codes that statements answer with.
func (a *answer) answered(nodes []ast.Node) refused {
	r := refused{codes: make(map[int]bool)}
	for _, n := range nodes {
		if n == nil {
			continue
		}
		ast.Inspect(n, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				a.codesOf(n, &r)
			case *ast.CompositeLit:
				for _, e := range n.Elts {
					a.code(plain(e), &r)
				}
			case *ast.ReturnStmt:
				for _, e := range n.Results {
					a.returnedCodes(e, &r)
				}
			}
			return true
		})
	}
	return r
}

// code notes a number that says that a request is refused.
func (a *answer) code(e ast.Expr, r *refused) bool {
	found := false
	t := a.c.TypesInfo.TypeOf(e)
	if basic, ok := t.(*types.Basic); !ok || basic.Kind() != types.Int && basic.Kind() != types.UntypedInt {
		return false
	}
	for _, o := range a.c.x.Origins(a.value(e)) {
		if tv := a.c.TypesInfo.Types[o.Expr]; tv.Value != nil && tv.Value.Kind() == constant.Int {
			if n, ok := constant.Int64Val(tv.Value); ok && n >= 300 && n < 600 {
				r.codes[int(n)], found = true, true
			}
		}
	}
	return found
}

// errorCodes are the errors of echo by the codes that they become.
var errorCodes = map[string]int{
	"ErrBadRequest": 400, "ErrUnauthorized": 401, "ErrForbidden": 403, "ErrNotFound": 404, "ErrMethodNotAllowed": 405,
	"ErrStatusRequestEntityTooLarge": 413, "ErrInternalServerError": 500, "ErrBadGateway": 502, "ErrServiceUnavailable": 503,
}

// returnedCodes notes the error that a handler of echo returns, or that something is
// given which answers with it.
func (a *answer) returnedCodes(e ast.Expr, r *refused) {
	if _, basic := a.c.TypesInfo.TypeOf(e).(*types.Basic); basic {
		return // no error, and nil
	}
	at := a.value(e)
	known, ok := a.c.coded[at]
	if !ok {
		of := refused{codes: make(map[int]bool)}
		a.originCodes(at, &of)
		known = slices.Collect(maps.Keys(of.codes))
		a.c.coded[at] = known
	}
	for _, n := range known {
		r.codes[n] = true
	}
}

// originCodes are those of all that a value may come from.
func (a *answer) originCodes(v flow.Value, r *refused) {
	for _, o := range a.c.x.Origins(v) {
		switch o := o.Expr.(type) {
		case *ast.CallExpr:
			for _, arg := range o.Args {
				a.code(arg, r)
			}
		case *ast.CompositeLit:
			for _, elt := range o.Elts {
				a.code(plain(elt), r)
			}
		case *ast.SelectorExpr:
			v, ok := a.c.TypesInfo.Uses[o.Sel].(*types.Var)
			if ok && v.Pkg() != nil && major(v.Pkg().Path()) == "github.com/labstack/echo" && errorCodes[v.Name()] != 0 {
				r.codes[errorCodes[v.Name()]] = true
			}
		}
	}
}

// codesOf are those that a call answers with: as one of its arguments, or by the body of
// what is called.
func (a *answer) codesOf(call *ast.CallExpr, r *refused) {
	if tv := a.c.TypesInfo.Types[call.Fun]; tv.IsType() || tv.IsBuiltin() {
		return
	}
	fn := a.c.x.Callee(call)
	if fn != nil && flow.Is(fn, netHTTP, "NotFound") {
		r.codes[404] = true
		return
	}
	found := len(r.codes)
	for _, arg := range call.Args {
		if !a.code(arg, r) && fn != nil && a.answers(call) {
			a.returnedCodes(arg, r) // an error that knows its code
		}
	}
	if len(r.codes) > found || !a.answers(call) {
		return
	}
	a.c.steps--
	if fn == nil {
		bodies, _ := a.c.x.Enter(call, a.b.Frame)
		for _, b := range bodies {
			if plainly(b) {
				a.c.bodyCodes(b, r)
			}
		}
		return
	}
	if fn.Name() == "ServeHTTP" {
		if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && a.c.steps > 0 {
			a.c.codesOfHandler(a.value(sel.X), r)
		}
		return
	}
	if a.c.x.Decl(fn) == nil {
		if f, ok := a.c.fact(fn); ok && len(f.Codes) > 0 {
			for _, n := range f.Codes {
				r.codes[n] = true
			}
		} else if !written(fn) {
			r.dark = true
		}
		return
	}
	bodies, _ := a.c.x.Enter(call, a.b.Frame)
	for _, b := range bodies {
		a.c.bodyCodes(b, r)
	}
}

// answers tells that a call is given the writer.
func (a *answer) answers(call *ast.CallExpr) bool {
	for _, e := range call.Args {
		if t := a.c.TypesInfo.TypeOf(e); a.writer(t) || isContext(t) {
			return true
		}
	}
	return false
}

// written are functions that write to whatever they are given, with no code.
func written(fn *types.Func) bool {
	return fn.Pkg() != nil && (fn.Pkg().Path() == "fmt" || fn.Pkg().Path() == "io" || fn.Pkg().Path() == "encoding/json" || fn.Pkg().Path() == netHTTP)
}

// bodyCodes are the codes in a body, and in those that it calls.
func (c *Chains) bodyCodes(b flow.Body, r *refused) {
	at := entryOf(b)
	if c.within[at] || c.steps < 0 {
		return
	}
	c.within[at] = true
	defer delete(c.within, at)
	a := &answer{c: c, b: b}
	got := a.answered([]ast.Node{b.Block})
	for n := range got.codes {
		r.codes[n] = true
	}
	r.dark = r.dark || got.dark
}

// codesOfHandler are those of a handler that requests with strange hosts are given to,
// if it answers all of them alike: others are those that are guarded.
func (c *Chains) codesOfHandler(v flow.Value, r *refused) {
	for _, o := range c.x.Origins(v) {
		b, ok := c.x.Function(o)
		if !ok {
			if named := namedOf(c.TypesInfo.TypeOf(o.Expr)); named == nil || named.Obj().Pkg() != c.Pkg {
				continue
			}
			if b, ok = c.x.Method(o, "ServeHTTP"); !ok {
				continue
			}
		}
		if plainly(b) && len(c.body(b, nil).next) == 0 {
			c.bodyCodes(b, r)
		}
	}
}

// refusal judges a handler that answers to strange hosts.
func (c *Chains) refusal(v flow.Value) Part {
	r := refused{codes: make(map[int]bool)}
	c.codesOfHandler(v, &r)
	switch {
	case r.refuses():
		return Part{Level: Held}
	case len(r.codes) == 0 || r.dark:
		return Part{Unknown, "what is answered to strange hosts is not in sight"}
	}
	return Part{Wrong, fmt.Sprintf("strange hosts are answered %d, want 400", r.least())}
}

// refuses tells that 400 is answered, or 421, which says the same in the words of a newer
// standard, and which temper probe takes as well.
// https://www.rfc-editor.org/rfc/rfc9110#name-421-misdirected-request
func (r refused) refuses() bool { return r.codes[400] || r.codes[421] }

func (r refused) least() int { return slices.Min(slices.Collect(maps.Keys(r.codes))) }

// plainly tells a body that does the same for every request.
func plainly(b flow.Body) bool {
	plain := true
	b.Inspect(func(n ast.Node) bool {
		switch n.(type) {
		case *ast.IfStmt, *ast.SwitchStmt, *ast.ForStmt, *ast.RangeStmt, *ast.TypeSwitchStmt:
			plain = false
		}
		return plain
	})
	return plain
}
