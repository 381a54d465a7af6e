package evidence

import (
	"encoding/json"
	"fmt"

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

func decode(raw json.RawMessage, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("reading predicate: %w", err)
	}
	return nil
}
