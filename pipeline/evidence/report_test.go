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

// A report is leave to ship only if what it holds bears out what it calls itself.
func TestPassed(t *testing.T) {
	r := func(digest string, findings ...checks.Finding) string {
		raw, err := json.Marshal(&checks.Report{Subject: checks.Subject{Name: "orders", Digest: "sha256:" + strings.Repeat(digest, 32)}, Rules: []string{"shell"}, Findings: findings})
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	broken := checks.Finding{Rule: "shell", Severity: checks.Error}
	known := broken
	known.Baseline = true
	for _, tc := range []struct{ name, predicate, want string }{
		{"passed", `{"result": "PASSED", "report": ` + r("0a") + `}`, ""},
		{"warned", `{"result": "WARNED", "report": ` + r("0a", checks.Finding{Rule: "shell", Severity: checks.Warning}) + `}`, ""},
		{"failed", `{"result": "FAILED", "report": ` + r("0a", broken) + `}`, `a check report whose result is "FAILED"`},
		{"no result", `{"report": ` + r("0a") + `}`, `a check report whose result is ""`},
		{"a lie", `{"result": "PASSED", "report": ` + r("0a", broken) + `}`, "a check report that calls itself PASSED and holds 1 errors of 1 rules"},
		{"a baseline", `{"result": "WARNED", "report": ` + r("0a", known) + `}`, "a check report that calls itself WARNED and holds 1 errors of 1 rules"},
		{"nobody looked", `{"result": "PASSED", "report": {"subject": {"name": "orders"}}}`, "a check report that calls itself PASSED and holds 0 errors of 0 rules"},
		{"other tests", `{"result": "PASSED", "passedTests": ["TestOrders"]}`, "a test result that holds no check report"},
		{"another image", `{"result": "PASSED", "report": ` + r("0b") + `}`, "a check report of orders sha256:" + strings.Repeat("0b", 32) + " in a statement about another image"},
		{"malformed", `{"result": "PASSED", "report": 7}`, "a check report that cannot be read: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &Statement{PredicateType: TestResult, Predicate: json.RawMessage(tc.predicate),
				Subject: []Subject{{Name: "orders", Digest: map[string]string{"sha256": strings.Repeat("0a", 32)}}}}
			err := s.Passed()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.want)) {
				t.Errorf("Passed: %v, want %q", err, tc.want)
			}
		})
	}
}
