package checks

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// found is a report of an image with these places, all by one rule.
func found(subject string, places ...string) *Report {
	r := &Report{Subject: Subject{Name: subject}, Rules: []string{"shell", "user"}}
	for _, place := range places {
		r.Findings = append(r.Findings, Finding{Rule: "shell", Severity: Error, Platform: "linux/amd64", Place: place, Message: "it is a shell"})
	}
	r.sort()
	return r
}

func TestBaselineFile(t *testing.T) {
	b := NewBaseline(found("b", "layer 2: /bin/sh", "layer 1: /bin/ash"), found("a", "layer 7: /bin/sh", "layer 3: /bin/sh"))
	got, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "version": 1,
  "findings": [
    {
      "subject": "a",
      "rule": "shell",
      "place": "layer: /bin/sh",
      "message": "it is a shell"
    },
    {
      "subject": "b",
      "rule": "shell",
      "place": "layer: /bin/ash",
      "message": "it is a shell"
    },
    {
      "subject": "b",
      "rule": "shell",
      "place": "layer: /bin/sh",
      "message": "it is a shell"
    }
  ]
}
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	again, err := ParseBaseline(got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.known, again.known); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if empty, err := NewBaseline().Bytes(); err != nil || string(empty) != "{\n  \"version\": 1,\n  \"findings\": []\n}\n" {
		t.Errorf("an empty baseline is %q, %v", empty, err)
	}
}

func TestBaselineMark(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0a", 32)
	other := "sha256:" + strings.Repeat("b1", 32)
	b := NewBaseline(found("a", "layer 1: /bin/sh", "layer 2: /opt/layer 3/sh", "config "+digest), found("b", "layer 1: /bin/gone"), found("r@"+digest, "layer 1: /x"))
	for _, tc := range []struct {
		name    string
		report  *Report
		passes  bool
		verdict string
		gone    []string
	}{
		{"the same", found("a", "layer 1: /bin/sh", "layer 2: /opt/layer 3/sh", "config "+digest), true, "ok, 3 in the baseline (2 rules)", nil},
		{"other layers and digests", found("a", "layer 9: /bin/sh", "layer 8: /opt/layer 3/sh", "config "+other), true, "ok, 3 in the baseline (2 rules)", nil},
		{"another path", found("a", "layer 1: /bin/sh", "layer 2: /opt/layer 4/sh", "config "+other), false, "1 error, 2 in the baseline (2 rules)", []string{"layer: /opt/layer 3/sh"}},
		{"something new", found("a", "layer 1: /bin/sh", "layer 2: /opt/layer 3/sh", "config "+digest, "layer 1: /bin/zsh"), false, "1 error, 3 in the baseline (2 rules)", nil},
		{"another subject", found("c", "layer 1: /bin/sh"), false, "1 error (2 rules)", nil},
		{"nothing left", found("b"), true, "ok (2 rules)", []string{"layer: /bin/gone"}},
		{"a reference by another digest", found("r@"+other, "layer 1: /x"), true, "ok, 1 in the baseline (2 rules)", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			marked := b.Mark(tc.report)
			if marked.Passes(false) != tc.passes || marked.Passes(true) != tc.passes {
				t.Errorf("it passes: %v, want %v", marked.Passes(false), tc.passes)
			}
			if diff := cmp.Diff(tc.verdict, Verdict(marked)); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
			var gone []string
			for _, n := range marked.Notices {
				if n.Kind != BaselineGone || n.Rule != "shell" {
					t.Errorf("notice %+v", n)
				}
				gone = append(gone, n.Place)
			}
			if diff := cmp.Diff(tc.gone, gone); diff != "" {
				t.Errorf("gone (-want +got):\n%s", diff)
			}
			// A baseline is no leave to release.
			if len(marked.Findings) > 0 && marked.OK() {
				t.Error("it passes the gate of a release")
			}
			if marked.Count(Error) != len(marked.Findings) {
				t.Errorf("%d errors count, want %d", marked.Count(Error), len(marked.Findings))
			}
		})
	}
}

// A rule that has not run has not found that anything is gone.
func TestBaselineOfARuleThatDidNotRun(t *testing.T) {
	b := NewBaseline(found("a", "layer 1: /bin/sh"))
	r := &Report{Subject: Subject{Name: "a"}, Rules: []string{"user"}}
	if marked := b.Mark(r); len(marked.Notices) > 0 {
		t.Errorf("notices %+v", marked.Notices)
	}
}

// What is waived is no part of a baseline: it comes back when the waiver ends.
func TestBaselineLeavesWaiversAlone(t *testing.T) {
	waived, err := Waive(found("a", "layer 1: /bin/sh"), []Waiver{{Rule: "shell", Subject: "a", Reason: "r", Expires: "2027-03-01"}}, moment(t, "2027-01-01T00:00:00Z"))
	if err != nil {
		t.Fatal(err)
	}
	if b := NewBaseline(waived); len(b.known) > 0 {
		t.Errorf("the baseline holds %v", b.known)
	}
	marked := NewBaseline(found("a", "layer 1: /bin/sh")).Mark(waived)
	if marked.Findings[0].Baseline || len(marked.Notices) > 0 || !marked.OK() {
		t.Errorf("a waived finding becomes %+v, %+v", marked.Findings[0], marked.Notices)
	}
}

func TestParseBaselineRefuses(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `null`, `{}`, `{"version": 2, "findings": []}`, `{"version": 1, "findings": [], "more": 1}`,
		`{"version": 1, "findings": []} {}`, `{"version": 1, "findings": [{"rule": "shell"}]}`,
		`{"version": 1, "findings": [{"subject": "a", "place": "p"}]}`, `{"version": 1, "findings": [{"subject": "a", "rule": "shell", "severity": "error"}]}`,
	} {
		if b, err := ParseBaseline([]byte(text)); err == nil {
			t.Errorf("%s is the baseline %v", text, b.known)
		}
	}
}
