package workloads

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// What is wrong ten thousand times is told a hundred times, and then that there is
// more.
func TestManyFindings(t *testing.T) {
	const many = 10_000
	for name, body := range map[string]string{
		"unknown fields": "spec:\n  containers: [{name: a}]\n" + repeat(many, "  a%d: 1\n"),
		"mistyped items": "spec:\n  containers: [{name: a}]\n  volumes:\n" + repeat(many, "  - a%d\n"),
		"volumes":        "spec:\n  containers: [{name: a}]\n  volumes:\n" + repeat(many, "  - {name: a%d, hostPath: {path: /}}\n"),
		"twice":          "spec:\n  containers: [{name: a}]\n" + repeat(many, "  hostPID: true # %d\n"),
	} {
		t.Run(name, func(t *testing.T) {
			var set Set
			if _, err := set.Read("pod.yaml", []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"+body)); err != nil {
				t.Fatal(err)
			}
			reports, err := set.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			count, most := make(map[string]int), 0
			for _, f := range findings(reports) {
				count[f.Rule]++
				most = max(most, count[f.Rule])
			}
			if most < maxPlaces || most > maxPlaces+1 {
				t.Errorf("a rule has %d findings, want %d or one more", most, maxPlaces)
			}
		})
	}
}

func repeat(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// A pod of thousands of containers is none that anybody looks at.
func TestManyContainers(t *testing.T) {
	for _, kind := range []string{"v1", "example.com/v1"} {
		var set Set
		_, err := set.Read("pod.yaml", []byte("apiVersion: "+kind+"\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n"+repeat(maxContainers+1, "  - {name: a%d, image: a}\n")))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Line != 4 || !strings.Contains(syntax.Problem, "501 containers") {
			t.Errorf("%s: error %v, want one about line 4 and 501 containers", kind, err)
		}
	}
}

// What is read at once has an end, and says where to go on.
func TestManyObjects(t *testing.T) {
	pod := "{apiVersion: v1, kind: Pod}"
	// Aliases make much of little.
	values := "apiVersion: v1\nkind: A\na: &a ['x'" + strings.Repeat(",'x'", 239) + "]\nb: [*a" + strings.Repeat(",*a", 199) + "]\n"
	for name, c := range map[string]struct {
		files []string
		said  string
	}{
		"items":     {[]string{"apiVersion: v1\nkind: List\nitems:\n" + strings.Repeat("- "+pod+"\n", maxObjects+1)}, "name fewer files"},
		"documents": {[]string{strings.Repeat("---\n"+pod+"\n", maxObjects+1)}, "more than 50000 documents"},
		"JSON":      {[]string{strings.Repeat(`{"apiVersion": "v1", "kind": "Pod"}`, maxObjects+1)}, "more than 50000 documents"},
		"files":     {[]string{pod, strings.Repeat("---\n"+pod+"\n", maxObjects)}, "name fewer files"},
		"values":    {slices.Repeat([]string{strings.Repeat("---\n"+values, 21)}, 3), "name fewer files"},
		"one file":  {[]string{strings.Repeat("---\n"+values, 63)}, "more than 50000 documents or 3000000 values"},
	} {
		t.Run(name, func(t *testing.T) {
			var set Set
			for i, text := range c.files {
				_, err := set.Read("pods.yaml", []byte(text))
				if last := i == len(c.files)-1; !last && err != nil || last && (err == nil || !strings.Contains(err.Error(), c.said)) {
					t.Errorf("file %d: error %v, want one of the last that says %q", i, err, c.said)
				}
			}
			if len(set.Objects) > 2*21 {
				t.Errorf("%d objects are there nevertheless", len(set.Objects))
			}
		})
	}
}

// A pod that says nothing takes little: what it is, and what is said of it.
func TestSmallObjects(t *testing.T) {
	const many = 10_000
	text := []byte("apiVersion: v1\nkind: List\nitems:\n" + strings.Repeat("- {apiVersion: v1, kind: Pod}\n", many))
	taken := func() (held, made uint64) {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, m.TotalAlloc
	}
	held, made := taken()
	var set Set
	if _, err := set.Read("pods.yaml", text); err != nil {
		t.Fatal(err)
	}
	reports, err := set.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	heldNow, madeNow := taken()
	each, eachMade := int(heldNow-held)/many, int(madeNow-made)/many
	t.Logf("%d bytes are held for each object, of %d that were made", each, eachMade)
	if each > 2500 || eachMade > 8000 {
		t.Errorf("an object takes %d bytes, of %d that are made; want 2,500 and 8,000 at most", each, eachMade)
	}
	runtime.KeepAlive(set.Objects)
	runtime.KeepAlive(reports)
}
