package checks

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// odd is the report of a number that breaks a rule on two platforms, and one of
// advice.
func odd(t *testing.T) *Report {
	t.Helper()
	var parts []*Report
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		r, err := Run(context.Background(), Subject{Name: "n"}, platform, 13, []*Check[int]{even, small})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, r)
	}
	whole, err := Merge(Subject{Name: "n"}, parts...)
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestWaive(t *testing.T) {
	evens := Waiver{Rule: "even", Subject: "n", Reason: "it was born odd", Expires: "2027-03-01"}
	for _, tc := range []struct {
		name     string
		waivers  []Waiver
		now      string
		ok       bool
		strict   bool // passes when strict
		waived   int
		verdict  string
		notices  []Notice
		errCount int
	}{
		{"no waiver", nil, "2027-01-01T00:00:00Z", false, false, 0, "1 error, 1 warning (2 rules)", nil, 2},
		{"the last moment", []Waiver{evens}, "2027-03-01T23:59:59Z", true, false, 2, "1 warning, 1 waived (2 rules)", nil, 0},
		{"the last moment, elsewhere", []Waiver{evens}, "2027-03-02T09:59:59+10:00", true, false, 2, "1 warning, 1 waived (2 rules)", nil, 0},
		{"expired", []Waiver{evens}, "2027-03-02T00:00:00Z", false, false, 0, "1 error, 1 warning (2 rules)",
			[]Notice{{WaiverExpired, "even", "", "the waiver expired on 2027-03-01: it was born odd"}}, 2},
		{"expired, elsewhere", []Waiver{evens}, "2027-03-01T20:00:00-10:00", false, false, 0, "1 error, 1 warning (2 rules)",
			[]Notice{{WaiverExpired, "even", "", "the waiver expired on 2027-03-01: it was born odd"}}, 2},
		{"another subject", []Waiver{{Rule: "even", Subject: "m", Reason: "r", Expires: "2027-03-01"}}, "2027-01-01T00:00:00Z", false, false, 0, "1 error, 1 warning (2 rules)", nil, 2},
		{"a name that begins so", []Waiver{{Rule: "even", Subject: "n/", Reason: "r", Expires: "2027-03-01"}}, "2027-01-01T00:00:00Z", false, false, 0, "1 error, 1 warning (2 rules)", nil, 2},
		{"unused", []Waiver{{Rule: "prime", Subject: "n", Reason: "r", Expires: "2027-03-01"}}, "2027-01-01T00:00:00Z", false, false, 0, "1 error, 1 warning (2 rules)",
			[]Notice{{WaiverUnused, "prime", "", "the waiver until 2027-03-01 matches nothing; remove it"}}, 2},
		{"unused and expired", []Waiver{{Rule: "prime", Subject: "n", Reason: "r", Expires: "2026-03-01"}}, "2027-01-01T00:00:00Z", false, false, 0, "1 error, 1 warning (2 rules)",
			[]Notice{{WaiverExpired, "prime", "", "the waiver expired on 2026-03-01 and matches nothing; remove it"}}, 2},
		{"everything", []Waiver{evens, {Rule: "small", Subject: "n", Reason: "r", Expires: "2027-03-01"}}, "2027-01-01T00:00:00Z", true, true, 4, "ok, 2 waived (2 rules)", nil, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			was := odd(t)
			r, err := Waive(was, tc.waivers, moment(t, tc.now))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(odd(t), was); diff != "" {
				t.Errorf("Waive changed the report that it was given (-want +got):\n%s", diff)
			}
			waived := 0
			for _, f := range r.Findings {
				if f.IsWaived() {
					waived++
				}
			}
			if len(r.Findings) != len(was.Findings) || waived != tc.waived {
				t.Errorf("%d of %d findings are waived, want %d of %d", waived, len(r.Findings), tc.waived, len(was.Findings))
			}
			if r.OK() != tc.ok || r.Passes(false) != tc.ok || r.Passes(true) != tc.strict {
				t.Errorf("OK %v, passes %v, strictly %v; want %v, %v, %v", r.OK(), r.Passes(false), r.Passes(true), tc.ok, tc.ok, tc.strict)
			}
			if got := r.Count(Error); got != tc.errCount {
				t.Errorf("%d errors count, want %d", got, tc.errCount)
			}
			if diff := cmp.Diff(tc.verdict, Verdict(r)); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.notices, r.Notices); diff != "" {
				t.Errorf("notices (-want +got):\n%s", diff)
			}
		})
	}
}

// What is not whole accepts nothing.
func TestWaiveFailsClosed(t *testing.T) {
	for _, w := range []Waiver{
		{Rule: "", Subject: "n", Reason: "r", Expires: "2027-03-01"},
		{Rule: "even", Subject: "", Reason: "r", Expires: "2027-03-01"},
		{Rule: "even", Subject: "n", Reason: "", Expires: "2027-03-01"},
		{Rule: "even", Subject: "n", Reason: "r", Expires: ""},
		{Rule: "even", Subject: "n", Reason: "r", Expires: "never"},
		{Rule: "even", Subject: "other", Reason: "r", Expires: "2027-02-29"},
	} {
		if r, err := Waive(odd(t), []Waiver{w}, moment(t, "2027-01-01T00:00:00Z")); err == nil {
			t.Errorf("the waiver %+v gives %v, want an error", w, r)
		}
	}
	for _, mark := range []Waived{
		{Expires: "2027-03-01"}, {Reason: "r"}, {Reason: "r", Expires: "never"},
		{Source: "main.go:3"}, {Reason: "r", Source: "other.go:3"}, {Reason: "r", Source: "main.go:3", Expires: "never"},
	} {
		r := &Report{Rules: []string{"even"}, Findings: []Finding{{Rule: "even", Severity: Error, File: "main.go", Waived: &mark}}}
		if r.OK() || r.Passes(false) || r.Count(Error) != 1 {
			t.Errorf("a report passes by the mark %+v", mark)
		}
	}
	r := &Report{Rules: []string{"even"}, Findings: []Finding{{Rule: "even", Severity: "fatal", Waived: &Waived{Reason: "r", Expires: "2027-03-01"}}}}
	if r.OK() || r.Passes(false) {
		t.Error("a severity that nobody knows can be waived")
	}
}

func TestWriteTextOfWaivers(t *testing.T) {
	r, err := Waive(odd(t), []Waiver{
		{Rule: "even", Subject: "n", Reason: "it was born odd", Expires: "2027-03-01"},
		{Rule: "prime", Subject: "n", Reason: "r", Expires: "2027-03-01"},
	}, moment(t, "2027-01-01T00:00:00Z"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := WriteText(&b, r); err != nil {
		t.Fatal(err)
	}
	want := `n: 1 warning, 1 waived (2 rules)
  warning  small  number  (linux/amd64, linux/arm64)
           13 is large
  waived   even  number  (linux/amd64, linux/arm64)
           13 is odd
           waived until 2027-03-01: it was born odd
           fix: add 1
  notice   prime
           the waiver until 2027-03-01 matches nothing; remove it
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Waiver{{Rule: "even", Subject: "n", Reason: "it was born odd", Expires: "2027-03-01"}}, r.Waivers()); diff != "" {
		t.Errorf("waivers of the report (-want +got):\n%s", diff)
	}
}

// A file in an image is named by whoever made the image.
func TestWriteTextEscapes(t *testing.T) {
	r := &Report{Subject: Subject{Name: "n"}, Rules: []string{"even"}, Findings: []Finding{
		{Rule: "even", Severity: Error, Place: "/a\n::error::b", Message: "\x1b[2J \"é\" \xff"},
		{Rule: "even", Severity: Error, Place: "p", Message: "::stop-commands::x ##[group]y"},
	}}
	var b strings.Builder
	if err := WriteText(&b, r); err != nil {
		t.Fatal(err)
	}
	want := "n: 2 errors (1 rule)\n  error    even  /a\\n::error::b\n           \\x1b[2J \"é\" \\xff\n" +
		"  error    even  p\n           \\x3a:stop-commands::x #\\x23[group]y\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}
