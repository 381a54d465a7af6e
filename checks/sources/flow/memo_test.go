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
