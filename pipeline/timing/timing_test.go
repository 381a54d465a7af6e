package timing

import (
	"context"
	"testing"
)

// Steps come out in the order in which they began, with what they were about.
func TestSteps(t *testing.T) {
	r := New()
	ctx := Record(context.Background(), r)
	all := Start(ctx, "find")
	done := Start(About(ctx, "api", "linux/arm64"), "compile")
	Start(About(ctx, "web", ""), "check")()
	done()
	all()
	var got []Step
	for _, s := range r.Steps() {
		if s.Began < 0 || s.Took < 0 || s.Began+s.Took > r.Elapsed() {
			t.Errorf("%s began at %v, took %v, and only %v have passed", s.Name, s.Began, s.Took, r.Elapsed())
		}
		s.Began, s.Took = 0, 0
		got = append(got, s)
	}
	want := []Step{{Name: "find"}, {Service: "api", Platform: "linux/arm64", Name: "compile"}, {Service: "web", Name: "check"}}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("step %d is %v, want %v", i, got[i], want[i])
		}
	}
}

// Without a recorder nothing is noted, and nobody has to ask whether there is one.
func TestNoRecorder(t *testing.T) {
	ctx := About(context.Background(), "api", "")
	if ctx != context.Background() {
		t.Error("a context without a recorder was changed")
	}
	Start(ctx, "compile")()
}
