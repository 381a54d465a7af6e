package workloads

import (
	"errors"
	"fmt"
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
