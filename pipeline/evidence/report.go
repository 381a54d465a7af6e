package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks"
)

// A testResult is the predicate of a check report. Beside the fields of the
// specification it holds the report itself, so that a reader sees what was
// found and not only by which rule.
// https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md
type testResult struct {
	Result        string               `json:"result"`
	Configuration []resourceDescriptor `json:"configuration"`
	PassedTests   []string             `json:"passedTests"`
	WarnedTests   []string             `json:"warnedTests"`
	FailedTests   []string             `json:"failedTests"`
	Report        *checks.Report       `json:"report"`
}

type resourceDescriptor struct {
	Name string `json:"name"`
	URI  string `json:"uri"`
}

// StateReport states a report about the image it is about.
func StateReport(r *checks.Report) (*Statement, error) {
	digest, err := v1.NewHash(r.Subject.Digest)
	if err != nil {
		return nil, fmt.Errorf("stating the report of %s: %w", r.Subject.Name, err)
	}
	res := testResult{
		Result:        "PASSED",
		Configuration: []resourceDescriptor{{Name: "temper check", URI: "urn:temper:rules"}},
		PassedTests:   []string{}, WarnedTests: []string{}, FailedTests: []string{},
		Report: r,
	}
	for _, rule := range r.Rules {
		found, failed := false, false
		for _, f := range r.Findings {
			if f.Rule == rule {
				found = true
				failed = failed || f.Severity != checks.Warning && !f.IsWaived()
			}
		}
		switch {
		case failed:
			res.FailedTests = append(res.FailedTests, rule)
		case found: // a waived error has not passed, it is let through
			res.WarnedTests = append(res.WarnedTests, rule)
		default:
			res.PassedTests = append(res.PassedTests, rule)
		}
	}
	switch {
	case !r.OK():
		res.Result = "FAILED"
	case len(res.WarnedTests) > 0:
		res.Result = "WARNED"
	}
	return State(TestResult, res, r.Subject.Name, digest)
}

// Report reads the report out of a statement that [StateReport] made.
func (s *Statement) Report() (*checks.Report, error) {
	var res testResult
	if err := s.decode(TestResult, &res); err != nil {
		return nil, err
	}
	if res.Report == nil {
		return nil, fmt.Errorf("the test result holds no report")
	}
	return res.Report, nil
}

// Passed says why a check report is no leave to ship; nil if it is one. A report
// that says "failed" may well be signed, and so may the result of other tests,
// which are of the same type and no report of ours.
// https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md
func (s *Statement) Passed() error {
	var res testResult
	if err := s.decode(TestResult, &res); err != nil {
		return fmt.Errorf("a check report that cannot be read: %w", err)
	}
	switch r := res.Report; {
	case res.Result != "PASSED" && res.Result != "WARNED":
		return fmt.Errorf("a check report whose result is %q", res.Result)
	case r == nil:
		return errors.New("a test result that holds no check report")
	case !r.OK():
		return fmt.Errorf("a check report that calls itself %s and holds %d errors of %d rules", res.Result, r.Count(checks.Error), len(r.Rules))
	case !slices.ContainsFunc(s.Subject, func(sub Subject) bool { return "sha256:"+sub.Digest["sha256"] == r.Subject.Digest }):
		return fmt.Errorf("a check report of %s %s in a statement about another image", r.Subject.Name, r.Subject.Digest)
	}
	return nil
}

func decode(raw json.RawMessage, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("reading predicate: %w", err)
	}
	return nil
}
