package checks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The subject of these tests is a number; odd ones break the rule.
var even = &Check[int]{
	Rule: Rule{Name: "even", Severity: Error, Doc: "the number is even\n\nWhy not."},
	Run: func(n int, p *Pass) error {
		if n%2 != 0 {
			p.Reportf("number", "%d is odd", n)
			p.Fixf("add 1")
		}
		return nil
	},
}

var small = &Check[int]{
	Rule: Rule{Name: "small", Severity: Warning, Doc: "the number is small"},
	Run: func(n int, p *Pass) error {
		if n > 10 {
			p.Reportf("number", "%d is large", n)
		}
		return nil
	},
}

var errBlind = errors.New("no light")

var blind = &Check[int]{
	Rule: Rule{Name: "blind", Severity: Warning, Doc: "never known"},
	Run:  func(int, *Pass) error { return errBlind },
}

func TestRun(t *testing.T) {
	for _, tc := range []struct {
		n    int
		ok   bool
		want []Finding
	}{
		{2, true, []Finding{}},
		{12, true, []Finding{{Rule: "small", Severity: Warning, Platform: "linux/amd64", Place: "number", Message: "12 is large"}}},
		{3, false, []Finding{{Rule: "even", Severity: Error, Platform: "linux/amd64", Place: "number", Message: "3 is odd", Fix: "add 1"}}},
	} {
		r, err := Run(context.Background(), Subject{Name: "n"}, "linux/amd64", tc.n, []*Check[int]{small, even})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, r.Findings); diff != "" {
			t.Errorf("findings of %d (-want +got):\n%s", tc.n, diff)
		}
		if r.OK() != tc.ok {
			t.Errorf("OK of %d is %v, want %v", tc.n, r.OK(), tc.ok)
		}
		if diff := cmp.Diff([]string{"even", "small"}, r.Rules); diff != "" {
			t.Errorf("rules (-want +got):\n%s", diff)
		}
	}
}

// What could not be looked at has not passed: one blind check ends the run,
// and neither an empty set of rules nor a nil report is a pass.
func TestFailClosed(t *testing.T) {
	r, err := Run(context.Background(), Subject{Name: "n"}, "", 2, []*Check[int]{even, blind})
	if !errors.Is(err, errBlind) || r != nil {
		t.Errorf("Run with a blind check = %v, %v; want no report and its error", r, err)
	}
	if err == nil || !strings.Contains(err.Error(), "rule blind") {
		t.Errorf("the error %v does not name the rule", err)
	}
	if r, err := Run(context.Background(), Subject{Name: "n"}, "", 2, []*Check[int](nil)); err == nil {
		t.Errorf("Run without rules = %v, want an error", r)
	}
	if r, err := Merge(Subject{Name: "n"}); err == nil {
		t.Errorf("Merge of nothing = %v, want an error", r)
	}
	var none *Report
	odd := &Report{Rules: []string{"even"}, Findings: []Finding{{Rule: "even", Severity: "fatal"}}}
	if odd.OK() {
		t.Error("a report with a severity that nobody knows is OK")
	}
	if none.OK() || (&Report{}).OK() {
		t.Error("a report without rules is OK")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, Subject{Name: "n"}, "", 2, []*Check[int]{even}); !errors.Is(err, context.Canceled) {
		t.Errorf("Run when cancelled: %v", err)
	}
}

// A rule that ran on one platform only has not been run on the image.
func TestMergeCountsOnlyRulesThatRanEverywhere(t *testing.T) {
	a := &Report{Rules: []string{"even", "small"}}
	b := &Report{Rules: []string{"even"}}
	whole, err := Merge(Subject{Name: "n", Digest: "sha256:0"}, a, b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"even"}, whole.Rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

func TestWriteText(t *testing.T) {
	var parts []*Report
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		r, err := Run(context.Background(), Subject{Name: "n"}, platform, 13, []*Check[int]{even, small})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, r)
	}
	whole, err := Merge(Subject{Name: "n", Digest: "sha256:0"}, parts...)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := WriteText(&b, whole); err != nil {
		t.Fatal(err)
	}
	want := `n: 1 error, 1 warning (2 rules)  sha256:0
  error    even  number  (linux/amd64, linux/arm64)
           13 is odd
           fix: add 1
  warning  small  number  (linux/amd64, linux/arm64)
           13 is large
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

// A rule that many files break is one thing to read, and what weighs most comes
// first.
func TestWriteTextOfManyPlaces(t *testing.T) {
	r := &Report{Subject: Subject{Name: "n"}, Rules: []string{"even", "small"}}
	for i := range 25 {
		r.Findings = append(r.Findings, Finding{Rule: "small", Severity: Warning, Platform: "linux/amd64", Place: fmt.Sprint(100 + i), Message: "it is large"})
	}
	for _, place := range []string{"13", "15", "1\n7"} {
		r.Findings = append(r.Findings, Finding{Rule: "even", Severity: Error, Place: place, Message: "it is odd", Fix: "add 1"})
	}
	r.Findings = append(r.Findings, Finding{Rule: "even", Severity: Error, Place: "19", Message: "it is odd", Fix: "subtract 1"})
	var b strings.Builder
	if err := WriteText(&b, r); err != nil {
		t.Fatal(err)
	}
	var large strings.Builder
	for i := range 20 {
		fmt.Fprintf(&large, "           %d\n", 100+i)
	}
	want := `n: 4 errors, 25 warnings (2 rules)
  error    even  3 places
           it is odd
           13
           15
           1\n7
           fix: add 1
  error    even  19
           it is odd
           fix: subtract 1
  warning  small  25 places  (linux/amd64)
           it is large
` + large.String() + `           and 5 more, which --json lists
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}
