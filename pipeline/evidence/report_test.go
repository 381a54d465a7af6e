package evidence

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/checks"
)

// What is waived has not passed, and what a baseline holds has failed.
func TestStateReport(t *testing.T) {
	finding := func(severity checks.Severity) checks.Finding {
		return checks.Finding{Rule: "shell", Severity: severity, Place: "layer 1: /bin/sh", Message: "sh is a shell"}
	}
	waived, known, broken := finding(checks.Error), finding(checks.Error), finding(checks.Error)
	waived.Waived = &checks.Waived{Reason: "the migration runs it", Expires: "2027-03-01"}
	known.Baseline = true
	broken.Waived = &checks.Waived{Reason: "for ever"}
	for _, tc := range []struct {
		name                   string
		findings               []checks.Finding
		result                 string
		passed, warned, failed []string
	}{
		{"nothing", []checks.Finding{}, "PASSED", []string{"shell", "user"}, []string{}, []string{}},
		{"advice", []checks.Finding{finding(checks.Warning)}, "WARNED", []string{"user"}, []string{"shell"}, []string{}},
		{"an error", []checks.Finding{finding(checks.Error)}, "FAILED", []string{"user"}, []string{}, []string{"shell"}},
		{"waived", []checks.Finding{waived}, "WARNED", []string{"user"}, []string{"shell"}, []string{}},
		{"waived by half", []checks.Finding{broken}, "FAILED", []string{"user"}, []string{}, []string{"shell"}},
		{"waived, and an error", []checks.Finding{waived, finding(checks.Error)}, "FAILED", []string{"user"}, []string{}, []string{"shell"}},
		{"in a baseline", []checks.Finding{known}, "FAILED", []string{"user"}, []string{}, []string{"shell"}},
		{"a severity that nobody knows", []checks.Finding{finding("fatal")}, "FAILED", []string{"user"}, []string{}, []string{"shell"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &checks.Report{
				Subject:  checks.Subject{Name: "orders", Digest: "sha256:" + strings.Repeat("0a", 32)},
				Rules:    []string{"shell", "user"},
				Findings: tc.findings,
			}
			s, err := StateReport(r)
			if err != nil {
				t.Fatal(err)
			}
			var got testResult
			if err := json.Unmarshal(s.Predicate, &got); err != nil {
				t.Fatal(err)
			}
			want := testResult{tc.result, got.Configuration, tc.passed, tc.warned, tc.failed, r}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("predicate (-want +got):\n%s", diff)
			}
			back, err := s.Report()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(r, back); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
		})
	}
}
