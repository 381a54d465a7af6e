package flow

import (
	"go/ast"
	"go/types"
	"testing"
)

// A method is called on what its receiver may be, and a promoted one on what the
// embedded field holds; a function is called on nothing.
func TestOn(t *testing.T) {
	const types = "type T struct{}\n\nfunc (*T) M() {}\n\nfunc f() {}\n\n"
	for name, tc := range map[string]struct{ src, want string }{
		"a variable":         {"func g() { var v T; v.M() }", "v"},
		"a literal":          {"func g() { v := &T{}; v.M() }", "T{}"},
		"a field":            {"type S struct{ t T }\nfunc g(s *S) { s.t.M() }", "t"},
		"an embedded field":  {"type S struct{ T }\nfunc g(s *S) { s.M() }", "T"},
		"an embedded value":  {"type S struct{ *T }\nfunc g() { s := &S{&T{}}; s.M() }", "T{}"},
		"deep below":         {"type R struct{ T }\ntype S struct{ *R }\nfunc g(s *S) { s.M() }", "T"},
		"a caller's":         {"func h(p *T) { p.M() }\nfunc g() { h(&T{}) }", "T{}"},
		"of an interface":    {"type I interface{ M() }\nfunc g() { var i I = &T{}; i.M() }", "T{}"},
		"a function":         {"func g() { f() }", ""},
		"a function's field": {"type S struct{ f func() }\nfunc g(s S) { s.f() }", ""},
	} {
		t.Run(name, func(t *testing.T) {
			x, _ := index(t, types+tc.src)
			var keys []any
			for _, c := range x.Calls {
				for k := range x.On(c) {
					keys = append(keys, k)
				}
			}
			if tc.want == "" {
				if len(keys) > 0 {
					t.Errorf("called on %v, want nothing", keys)
				}
				return
			}
			for _, k := range keys {
				if written(k) == tc.want {
					return
				}
			}
			t.Errorf("called on %v, want %s", keys, tc.want)
		})
	}
}

// written is how a key reads in the source.
func written(key any) string {
	switch k := key.(type) {
	case types.Object:
		return k.Name()
	case ast.Expr:
		return types.ExprString(k)
	}
	return ""
}
