package flow

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/go/analysis"
)

// index type-checks a package without imports, and returns what it says.
func index(t *testing.T, src string) (*Index, *ast.File) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "a.go", "package a\n"+src, 0)
	if err != nil {
		t.Fatal(err)
	}
	info := &types.Info{
		Types: make(map[ast.Expr]types.TypeAndValue), Defs: make(map[*ast.Ident]types.Object), Uses: make(map[*ast.Ident]types.Object),
		Implicits: make(map[ast.Node]types.Object), Selections: make(map[*ast.SelectorExpr]*types.Selection), Instances: make(map[*ast.Ident]types.Instance),
	}
	pkg, err := (&types.Config{Importer: importer.Default()}).Check("a", fset, []*ast.File{f}, info)
	if err != nil {
		t.Fatal(err)
	}
	x, err := Analyzer.Run(&analysis.Pass{Fset: fset, Files: []*ast.File{f}, Pkg: pkg, TypesInfo: info})
	if err != nil {
		t.Fatal(err)
	}
	return x.(*Index), f
}

// What the argument of show may be, as the source has it.
func TestOrigins(t *testing.T) {
	const declared = `
func show(any) {}
type T struct { next func() int; n int; in *T }
func one() int { return 1 }
func two() int { return 2 }
`
	for name, tc := range map[string]struct {
		src  string
		want []string
	}{
		"constant":           {`func f() { x := 1 + 2; show(x) }`, []string{"1 + 2"}},
		"several":            {`func f(b bool) { x := 1; if b { x = 2 }; show(x) }`, []string{"1", "2"}},
		"literal":            {`func f() { x := &T{n: 1}; y := x; show(y) }`, []string{"T{…}"}},
		"variable":           {`func f() { var x T; p := &x; show(p) }`, []string{"x"}},
		"result":             {`func g() (int, int) { return 3, 4 }; func f() { _, b := g(); show(b) }`, []string{"4"}},
		"named result":       {`func g() (n int) { n = 5; return }; func f() { show(g()) }`, []string{"5"}},
		"argument":           {`func id(x any) any { return x }; func f() { show(id(6)); id(7) }`, []string{"6"}},
		"arguments":          {`func g(x int) { show(x) }; func f() { g(8); g(9) }`, []string{"8", "9"}},
		"open parameter":     {`func G(x int) { show(x) }; func f() { G(8) }`, []string{"8", "x"}},
		"taken parameter":    {`func g(x int) { show(x) }; func f() { g(8); var h = g; _ = h }`, []string{"8", "x"}},
		"field":              {`func f() { t := T{next: one}; t.next = two; show(t.next) }`, []string{"one", "two"}},
		"positional field":   {`func f() { t := T{one, 1, nil}; show(t.next) }`, []string{"one"}},
		"method":             {`func (t *T) m() int { return t.n }; func f() { t := &T{n: 3}; show(t.m()) }`, []string{"3"}},
		"method value":       {`func (t *T) m() int { return 1 }; func f() { t := &T{}; x := t.m; show(x) }`, []string{"t.m"}},
		"closure":            {`func wrap(h func() int) func() int { return func() int { return h() } }; func f() { show(wrap(one)()) }`, []string{"1"}},
		"closure of another": {`func wrap(h func() int) func() int { return func() int { return h() } }; func f() { _ = wrap(one)(); show(wrap(two)()) }`, []string{"2"}},
		"conversion":         {`type N int; func f() { x := N(3); show(int(x)) }`, []string{"N(3)"}},
		"assertion":          {`func f(b any) { var x any = &T{}; y, ok := x.(*T); _ = ok; show(y) }`, []string{"T{}"}},
		"type switch":        {`func f() { var x any = &T{}; switch y := x.(type) { case *T: show(y) } }`, []string{"T{}"}},
		"range":              {`func f() { for _, x := range []int{1, 2} { show(x) } }`, []string{"1", "2"}},
		"element":            {`func f() { l := []int{1}; l = append(l, 2); show(l[0]) }`, []string{"1", "2"}},
		"variadic":           {`func g(l ...int) { show(l[0]) }; func f() { g(1, 2) }`, []string{"1", "2"}},
		"spread":             {`func g(l ...int) { show(l[0]) }; func f() { l := []int{3}; g(l...) }`, []string{"3"}},
		"generic":            {`func id[X any](x X) X { return x }; func f() { show(id[int](4)); show2 := id(5); _ = show2 }`, []string{"4"}},
		"recursion":          {`func g(n int) int { if n == 0 { return 1 }; return g(n - 1) }; func f() { show(g(5)) }`, []string{"1"}},
		"cycle":              {`func f() { x := 1; y := x; x = y; show(x) }`, []string{"1"}},
		"unknown":            {`func f(m map[string]int) { show(m["a"]) }`, []string{"m"}},
		"nil":                {`func f() { var p *T = nil; show(p) }`, []string{"nil"}},
		"new":                {`func f() { p := new(T); show(p) }`, []string{"new(T)"}},
		"global":             {`var g = 7; func f() { show(g) }`, []string{"7"}},
		"through pointer":    {`func f() { p := &T{}; v := *p; show(v) }`, []string{"T{}"}},
	} {
		t.Run(name, func(t *testing.T) {
			x, _ := index(t, declared+tc.src)
			var got []string
			for _, c := range x.Calls {
				if id, ok := c.Fun.(*ast.Ident); !ok || id.Name != "show" {
					continue
				}
				for _, o := range x.Origins(Value{Expr: c.Args[0]}) {
					got = append(got, types.ExprString(o.Expr))
				}
				break
			}
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, slices.Compact(got)); diff != "" {
				t.Errorf("origins (-want +got):\n%s", diff)
			}
		})
	}
}

// A store through an embedded field is one into that field.
func TestKeys(t *testing.T) {
	x, _ := index(t, `
type S struct { wait int }
type byValue struct { S }
type byPointer struct { *S }
func f() {
	v := byValue{}
	v.wait = 1
	p := byPointer{&S{}}
	p.wait = 2
	s := &S{}
	set(s)
}
func set(s *S) { s.wait = 3 }
`)
	var got []string
	for _, s := range x.Stores {
		if s.Field.Name() != "wait" {
			continue
		}
		var keys []string
		for k := range x.Keys(s) {
			switch k := k.(type) {
			case types.Object:
				keys = append(keys, k.Name())
			case ast.Expr:
				keys = append(keys, types.ExprString(k))
			}
		}
		slices.Sort(keys)
		got = append(got, fmt.Sprint(types.ExprString(s.Value.Expr), " into ", strings.Join(keys, ", ")))
	}
	want := []string{"1 into S", "2 into S, S{}", "3 into S{}"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stores (-want +got):\n%s", diff)
	}
}

// Functions that call each other for ever, and each with closures of the other, end.
func TestBounds(t *testing.T) {
	var b strings.Builder
	b.WriteString("type H func() H\nfunc show(any) {}\n")
	const n = 40
	for i := range n {
		fmt.Fprintf(&b, "func f%d(h, g H) H { if h == nil { return f%d(g, h) }; return f%d(func() H { return h }, f%d(g, h)) }\n", i, (i+1)%n, (i*7+3)%n, (i*5+1)%n)
	}
	b.WriteString("func main() { show(f0(nil, nil)) }\n")
	x, _ := index(t, b.String())
	for _, c := range x.Calls {
		if id, ok := c.Fun.(*ast.Ident); ok && id.Name == "show" {
			if got := len(x.Origins(Value{Expr: c.Args[0]})); got > maxSteps {
				t.Errorf("%d origins", got)
			}
		}
	}
}

// Elements of lists whose elements are asked for in turn share the steps of the first
// question, in however many ways they are asked for.
func TestBoundsOfElements(t *testing.T) {
	var b strings.Builder
	b.WriteString("type L []L\nvar c int\nfunc show(any) {}\n")
	const n = 14
	for i := range n {
		fmt.Fprintf(&b, "func f%[1]d() L { switch c { case 1: return f%[2]d()[1]; case 2: return f%[2]d()[2]; case 3: return f%[2]d()[3] }; return f%[2]d()[0] }\n", i, i+1)
	}
	fmt.Fprintf(&b, "func f%d() L { return L{{{}}} }\nfunc main() { show(f0()) }\n", n)
	x, _ := index(t, b.String())
	for _, c := range x.Calls {
		if id, ok := c.Fun.(*ast.Ident); ok && id.Name == "show" {
			if got := len(x.Origins(Value{Expr: c.Args[0]})); got == 0 || got > maxSteps {
				t.Errorf("%d origins", got)
			}
		}
	}
}
