package flow

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each call of sink says in a comment where what it is given comes from.
const program = `
type F func(string) string

func sink(any)
func may() bool

func order() {
	h := "a"
	sink(h) // "a"
	h = "b"
	sink(h) // "b"
	h = h + "c"
	sink(h) // h + "c"
}

func conditions() {
	h := "a"
	if may() {
		h = "b"
	}
	sink(h) // "a" "b"
	if may() {
		h = "c"
		sink(h) // "c"
	} else {
		h = "d"
		sink(h) // "d"
	}
	sink(h) // "c" "d"
	if may() {
		h = "e"
		return
	}
	sink(h) // "c" "d"
	switch {
	case may():
		h = "f"
	default:
		sink(h) // "c" "d"
	}
}

func loops(h string, list []F) {
	for _, f := range list {
		sink(h) // "given" f(h)
		h = f(h)
	}
	sink(h) // "given" f(h)
	for range 3 {
		h = "x"
		sink(h) // "x"
	}
}

func given() { loops("given", nil) }

func closures() {
	h := "a"
	h = "b"
	f := func() {
		sink(h) // "b" "c"
	}
	h = "c"
	f()
	var set string
	func() { set = "d" }()
	set = "e"
	sink(set) // "d" "e"
}

func bound() {
	answer := func(path string) {
		sink(path) // "/a" "/b"
	}
	answer("/a")
	answer("/b")
	other := func(path string) {
		sink(path) // "/c" path
	}
	other("/c")
	sink(other) // func
}

func named(in string) (out string) {
	if may() {
		out = "a"
		return
	}
	out = "b"
	return
}

func callsNamed() {
	sink(named("x")) // "a" "b"
}

func appended() {
	var list []string
	list = append(list, "a")
	list = append(list, "b", "c")
	for _, e := range list {
		sink(e) // "a" "b" "c" list
	}
	sink(list[1]) // "a" "b" "c" list
}

func wrapped(h string) string {
	h = id(h)
	return h
}

func id(h string) string { return h }

type state func() state

func machine() {
	s := state(begin)
	for s != nil {
		s = s()
	}
	sink(s) // begin nil s()
}

func begin() state { return nil }

type tree []tree

func down(t tree) {
	for may() {
		t = t[0]
	}
	sink(t) // t
}

func callsWrapped() {
	sink(wrapped("w")) // "w"
}
`

func TestReaching(t *testing.T) {
	x, f := index(t, program)
	text := func(n ast.Node) string {
		if _, ok := n.(*ast.FuncLit); ok {
			return "func"
		}
		return types.ExprString(n.(ast.Expr))
	}
	lines, told := strings.Split(program, "\n"), 0
	start := f.Pos() + token.Pos(len("package a\n"))
	for _, call := range x.Calls {
		if id, ok := call.Fun.(*ast.Ident); !ok || id.Name != "sink" {
			continue
		}
		line := strings.Count(program[:call.Pos()-start], "\n")
		_, want, ok := strings.Cut(lines[line], " // ")
		if !ok {
			t.Errorf("%s: does not say where the value comes from", lines[line])
			continue
		}
		told++
		var got []string
		for _, o := range x.Origins(Value{Expr: call.Args[0]}) {
			got = append(got, text(o.Expr))
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, strings.Join(slices.Compact(got), " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", lines[line], diff)
		}
	}
	if told < 20 {
		t.Errorf("%d calls of sink tell where a value comes from", told)
	}
}

// What a body that was opened is given stays its parameter, whoever calls it.
func TestOpen(t *testing.T) {
	x, _ := index(t, "func g() { f(1) }\nfunc f(p int) int { return p }\n")
	for fn := range x.decls {
		if fn.Name() != "f" {
			continue
		}
		b, ok := x.Open(fn)
		if !ok {
			t.Fatal("f has no body")
		}
		from := x.Origins(x.Returns(b, 0)[0])
		if len(from) != 1 || !from[0].Open() {
			t.Errorf("f returns %v, want its open parameter", from)
		}
		return
	}
	t.Fatal("there is no f")
}
