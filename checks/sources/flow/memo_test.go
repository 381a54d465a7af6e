package flow

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Many who ask at once, as the analyzers of go vet do, are told what one is who asks
// alone, and one who adds to an answer does not add to what others are told.
func TestManyAsk(t *testing.T) {
	var b strings.Builder
	b.WriteString("func show(any) {}\nfunc id(x any) any { return x }\n")
	const n = 2000
	for i := range n {
		fmt.Fprintf(&b, "func f%d(b bool) { x := id(%d); if b { x = id(%d) }; show(x) }\n", i, i, i+n)
	}
	asked := func(x *Index) (told []string) {
		for _, c := range x.Calls {
			for _, a := range c.Args {
				origins := x.Origins(Value{Expr: a})
				var said []string
				for _, o := range append(origins, Value{Expr: c.Fun}) {
					said = append(said, written(o.Expr))
				}
				told = append(told, strings.Join(said, " "))
			}
		}
		return told
	}
	alone, _ := index(t, b.String())
	want := asked(alone)
	x, _ := index(t, b.String())
	got := make([][]string, 8)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() { got[i] = asked(x) })
	}
	all.Wait()
	for _, told := range got {
		if diff := cmp.Diff(want, told); diff != "" {
			t.Fatalf("told (-alone +with others):\n%s", diff)
		}
	}
	if diff := cmp.Diff(want, asked(x)); diff != "" {
		t.Errorf("told again (-alone +again):\n%s", diff)
	}
}

// A way back that is longer than anybody follows ends somewhere, and further away where
// parts of it are known. Whoever asks apart is told the same whatever others have asked.
func TestApart(t *testing.T) {
	var b strings.Builder
	b.WriteString("func show(any) {}\nfunc id(x any) any { return x }\nfunc f(c int) {\n\tvar x any\n")
	for i := range maxSteps / 2 {
		fmt.Fprintf(&b, "\ty%d := id(%d)\n\tif c == %d { x = y%d }\n", i, i, i, i)
	}
	b.WriteString("\tshow(x)\n}\n")
	x, _ := index(t, b.String())
	last := x.Calls[len(x.Calls)-1].Args[0]
	asked := func(x *Index) (told []string) {
		for _, o := range x.Origins(Value{Expr: last}) {
			told = append(told, written(o.Expr))
		}
		return told
	}
	want := asked(x.Apart())
	for _, c := range x.Calls[:len(x.Calls)-1] {
		x.Origins(Value{Expr: c})
	}
	if diff := cmp.Diff(want, asked(x.Apart())); diff != "" {
		t.Errorf("told apart (-before others asked +after):\n%s", diff)
	}
	if cmp.Equal(want, asked(x)) {
		t.Error("what others have asked makes no difference, so this case shows nothing")
	}
}
