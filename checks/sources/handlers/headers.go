package handlers

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"net/textproto"
	"strings"

	"temper/checks/sources/flow"
)

// dim says that headers may be set that are not in sight.
func (v *Verdict) dim(why string) {
	v.Sniff, v.Frame = best(v.Sniff, Part{Unknown, why}), best(v.Frame, Part{Unknown, why})
}

// set notes a header that is set, whose name and value may be a pair of a list.
func (c *Chains) set(v *Verdict, name, value flow.Value) {
	pairs := c.pairs(name)
	if len(pairs) == 0 {
		pairs = [][2]flow.Value{{name, value}}
	}
	for _, pair := range pairs {
		names, known := c.strings(pair[0], 0)
		if !known {
			v.dim("headers are set whose names are no constants")
		}
		for _, n := range names {
			c.setOne(v, n, pair[1])
		}
	}
}

func (c *Chains) setOne(v *Verdict, name string, value flow.Value) {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "X-Content-Type-Options":
		v.Sniff = best(v.Sniff, c.sniff(value))
	case "X-Frame-Options":
		v.Frame = best(v.Frame, c.frame(value))
	case "Content-Security-Policy":
		v.Frame = best(v.Frame, c.policy(value))
	}
}

func (c *Chains) sniff(v flow.Value) Part {
	values, known := c.strings(v, 0)
	if !known {
		return Part{Unknown, "the value of X-Content-Type-Options is no constant"}
	}
	for _, s := range values {
		if !strings.EqualFold(strings.TrimSpace(s), "nosniff") {
			return Part{Wrong, fmt.Sprintf("X-Content-Type-Options is %q, want nosniff", s)}
		}
	}
	return Part{Level: Held}
}

// frame judges X-Frame-Options. Browsers know DENY and SAMEORIGIN and take everything
// else for nothing.
// https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/X-Frame-Options
func (c *Chains) frame(v flow.Value) Part {
	values, known := c.strings(v, 0)
	if !known {
		return Part{Unknown, "the value of X-Frame-Options is no constant"}
	}
	for _, s := range values {
		if w := strings.ToUpper(strings.TrimSpace(s)); w != "DENY" && w != "SAMEORIGIN" {
			return Part{Wrong, fmt.Sprintf("X-Frame-Options is %q, want DENY or SAMEORIGIN", s)}
		}
	}
	return Part{Level: Held}
}

// policy judges a Content-Security-Policy, of which some piece may be a constant.
func (c *Chains) policy(v flow.Value) Part {
	known := true
	for _, o := range c.x.Origins(v) {
		found := false
		ast.Inspect(o.Expr, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			if tv := c.TypesInfo.Types[e]; tv.Value != nil && tv.Value.Kind() == constant.String {
				found = found || strings.Contains(strings.ToLower(constant.StringVal(tv.Value)), "frame-ancestors")
			}
			return true
		})
		if found {
			return Part{Level: Held}
		}
		known = known && c.TypesInfo.Types[o.Expr].Value != nil
	}
	if !known {
		return Part{Unknown, "the value of Content-Security-Policy is no constant"}
	}
	return Part{}
}

// strings are the constants that a value may be, also as the only element of a list or
// put together with +, and whether those are all.
func (c *Chains) strings(v flow.Value, deep int) (out []string, known bool) {
	const most = 5
	if deep > most {
		return nil, false
	}
	for _, o := range c.x.Origins(v) {
		if tv := c.TypesInfo.Types[o.Expr]; tv.Value != nil {
			if tv.Value.Kind() != constant.String {
				return nil, false
			}
			out = append(out, constant.StringVal(tv.Value))
			continue
		}
		switch e := o.Expr.(type) {
		case *ast.CompositeLit:
			if len(e.Elts) != 1 {
				return nil, false
			}
			more, known := c.strings(flow.Value{Expr: e.Elts[0], Frame: o.Frame}, deep+1)
			if !known {
				return nil, false
			}
			out = append(out, more...)
		case *ast.BinaryExpr:
			if e.Op != token.ADD {
				return nil, false
			}
			left, okLeft := c.strings(flow.Value{Expr: e.X, Frame: o.Frame}, deep+1)
			right, okRight := c.strings(flow.Value{Expr: e.Y, Frame: o.Frame}, deep+1)
			if !okLeft || !okRight || len(left)*len(right) > 64 {
				return nil, false
			}
			for _, l := range left {
				for _, r := range right {
					out = append(out, l+r)
				}
			}
		default:
			return nil, false
		}
	}
	return out, len(out) > 0
}

// pairs are the names and values that a loop goes through: the keys and values of a map,
// or the first two of each element of a list.
func (c *Chains) pairs(name flow.Value) (out [][2]flow.Value) {
	loop := c.loop(name.Expr)
	if loop == nil {
		return nil
	}
	for _, o := range c.x.Origins(flow.Value{Expr: loop.X, Frame: name.Frame}) {
		list, ok := o.Expr.(*ast.CompositeLit)
		if !ok {
			continue
		}
		for _, e := range list.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				out = append(out, [2]flow.Value{{Expr: kv.Key, Frame: o.Frame}, {Expr: kv.Value, Frame: o.Frame}})
				continue
			}
			if u, ok := e.(*ast.UnaryExpr); ok {
				e = u.X
			}
			if pair, ok := e.(*ast.CompositeLit); ok && len(pair.Elts) >= 2 {
				out = append(out, [2]flow.Value{{Expr: plain(pair.Elts[0]), Frame: o.Frame}, {Expr: plain(pair.Elts[1]), Frame: o.Frame}})
			}
		}
	}
	return out
}

func plain(e ast.Expr) ast.Expr {
	if kv, ok := e.(*ast.KeyValueExpr); ok {
		return kv.Value
	}
	return e
}

// loop is the range statement whose key or element, or a part of it, an expression is.
func (c *Chains) loop(e ast.Expr) *ast.RangeStmt {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		if o := c.variable(e); o != nil {
			return c.x.Range(o)
		}
	case *ast.SelectorExpr:
		return c.loop(e.X)
	case *ast.IndexExpr:
		return c.loop(e.X)
	}
	return nil
}
