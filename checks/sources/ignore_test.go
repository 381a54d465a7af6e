package sources

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

const ignoring = `
-- main.go --
package main

import "example.com/dep"

func main() {
	dep.Shout() //temper:ignore quiet it is on the line
	dep.Shout()
	//temper:ignore quiet it is on the line before
	dep.Shout()
	dep.Shout()
	//temper:ignore quiet it has more to say
	// than fits a line
	//temper:ignore other and another rule is about the same line
	dep.Shout()

	//temper:ignore quiet it is apart

	dep.Shout()
	//temper:ignore other another rule
	dep.Shout()
	//temper:ignore quiet
	dep.Shout()
	_ = "é"; dep.Shout() //temper:ignore quiet it stands behind more than ASCII
//line other.go:100
	dep.Shout() //temper:ignore quiet lines are those of the file
}

// Nothing is found here.
//
//temper:ignore quiet in vain
func quiet() {}
-- deps/example.com/dep/dep.go --
package dep

//temper:ignore quiet who says so is not the repository
func Shout() {}
`

// What the source accepts is waived with its reason, where it says so and nowhere else.
func TestIgnore(t *testing.T) {
	rules := []*Code{new(quiet).rule()}
	memory, err := NewMemory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"at first", "from memory"} {
		p := programOf(t, txtar.Parse([]byte(ignoring)).Files)
		p.Packages[0].Files = p.Packages[0].Files[:1]
		r, err := Check(t.Context(), "case", rules, memory, p)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range r.Findings {
			line := fmt.Sprintf("%s:%d", f.File, f.Line)
			if f.IsWaived() {
				line += " " + f.Waived.String()
			}
			got = append(got, line)
		}
		want := []string{
			"main.go:6 ignored by main.go:6: it is on the line",
			"main.go:7",
			"main.go:9 ignored by main.go:8: it is on the line before",
			"main.go:10",
			"main.go:14 ignored by main.go:11: it has more to say",
			"main.go:18",
			"main.go:20",
			"main.go:22",
			"main.go:23 ignored by main.go:23: it stands behind more than ASCII",
			"main.go:25 ignored by main.go:25: lines are those of the file",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: findings (-want +got):\n%s", how, diff)
		}
		var notices []string
		for _, n := range r.Notices {
			if n.Kind == "ignore-unused" {
				notices = append(notices, n.Place+" "+n.Message)
			}
		}
		want = []string{
			"main.go:16 what is ignored here is not found; remove the comment: it is apart",
			"main.go:30 what is ignored here is not found; remove the comment: in vain",
		}
		if diff := cmp.Diff(want, notices); diff != "" {
			t.Errorf("%s: notices (-want +got):\n%s", how, diff)
		}
	}
}

// A comment that one build needs is not in vain for another, and what both find is
// told once.
func TestIgnoreInPrograms(t *testing.T) {
	src := strings.ReplaceAll(ignoring, "it is apart\n\n", "it is apart\n")
	one := programOf(t, txtar.Parse([]byte(src)).Files)
	two := programOf(t, txtar.Parse([]byte(strings.Replace(src, "//temper:ignore quiet it is apart\n\tdep.Shout()", "//temper:ignore quiet it is apart\n", 1))).Files)
	rules := []*Code{new(quiet).rule()}
	for _, programs := range [][]*Program{{one, two}, {two, one}} {
		found, err := Analyze(t.Context(), rules, nil, programs...)
		if err != nil {
			t.Fatal(err)
		}
		lines := make(map[int]int)
		for _, d := range found {
			if d.Category == IgnoreUnused && d.Line == 16 {
				t.Errorf("the comment in line 16 is said to be in vain")
			}
			if d.Category == "" {
				lines[d.Line]++
			}
		}
		if lines[6] != 1 || lines[17] != 1 {
			t.Errorf("line 6 is told %d times and line 17 %d times, want once", lines[6], lines[17])
		}
	}
}

// A caller may name files in another way.
func TestIgnoreElsewhere(t *testing.T) {
	rules := []*Code{new(quiet).rule()}
	found, err := Analyze(t.Context(), rules, nil, programOf(t, txtar.Parse([]byte(ignoring)).Files))
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i].File = "shop/" + found[i].File
	}
	r, err := Report(t.Context(), "case", rules, found)
	if err != nil {
		t.Fatal(err)
	}
	waived := 0
	for _, f := range r.Findings {
		if f.IsWaived() {
			waived++
		}
	}
	if waived != 5 || r.Waivers()[0].Source != "shop/main.go:6" {
		t.Errorf("%d findings are waived, the first by %v; want 5, and shop/main.go:6", waived, r.Waivers())
	}
}

// What a program leaves out is told, and a program of nothing is no pass.
func TestLeftOut(t *testing.T) {
	rules := []*Code{new(quiet).rule()}
	p := programOf(t, txtar.Parse([]byte("-- main.go --\npackage main\n")).Files)
	p.Without = []string{"example.com/case/c"}
	r, err := Check(t.Context(), "case", rules, nil, p)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Notices) != 1 || r.Notices[0].Kind != "left-out" || r.Notices[0].Place != "example.com/case/c" {
		t.Errorf("notices %v, want one about example.com/case/c", r.Notices)
	}
	if r, err := Check(t.Context(), "case", rules, nil, new(Program)); err == nil {
		t.Errorf("of no package there is the report %v, want an error", r)
	}
}

// A comment without a reason is a finding, which a case cannot show: what it wants
// would be the reason.
func TestIgnoreWithoutReason(t *testing.T) {
	const src = "-- main.go --\npackage main\n\n//temper:ignore server-timeouts\nfunc main() {}\n\n//temper:ignore\nvar _ int\n"
	was := codeNames
	codeNames = func() []string { return []string{"server-timeouts"} }
	defer func() { codeNames = was }()
	found, err := programOf(t, txtar.Parse([]byte(src)).Files).analyze(t.Context(), []*Code{ignoreReason}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range found {
		got = append(got, fmt.Sprintf("%d: %s", d.Line, d.Message))
	}
	want := []string{
		"3: it gives no reason\nadd to it why server-timeouts does not matter here",
		"6: it does not say what to ignore, nor why\nwrite //temper:ignore RULE reason",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}
