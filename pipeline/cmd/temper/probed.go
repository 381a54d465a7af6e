package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"temper/checks"
	"temper/checks/probes"
)

// readProbed reads the reports of temper probe --json in the files that whoever
// releases stands by, by the digest of the image that was started. A release
// starts nothing itself: it holds the key, and does not run what is strange
// beside it.
func readProbed(files []string) (map[string]*checks.Report, error) {
	of := make(map[string]*checks.Report)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var told struct {
			Reports []*checks.Report `json:"reports"`
		}
		if err := json.Unmarshal(raw, &told); err != nil {
			return nil, fmt.Errorf("%s is nothing that temper probe --json writes: %w", file, err)
		}
		for _, r := range told.Reports {
			if err := isProbed(r); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			of[r.Subject.Digest] = bare(r)
		}
	}
	return of, nil
}

// countProbes counts the rules that look at a service while it runs.
func countProbes(rules []string) int {
	n := 0
	for _, rule := range rules {
		if isProbe(rule) {
			n++
		}
	}
	return n
}

func isProbe(rule string) bool {
	return slices.ContainsFunc(probes.AllRules(), func(known checks.Rule) bool { return known.Name == rule })
}

// isProbed holds a report against what probes can say: about anything else
// nobody has a say here.
func isProbed(r *checks.Report) error {
	if r == nil || r.Subject.Digest == "" || len(r.Rules) == 0 {
		return fmt.Errorf("it holds a report without a digest or without rules, which temper probe --json never writes")
	}
	for _, rule := range r.Rules {
		if !isProbe(rule) {
			return hintf("temper probe --json LAYOUT", "its report of %s is by the rule %q, which is none of temper probe's", r.Subject.Name, rule)
		}
	}
	for _, f := range r.Findings {
		if !slices.Contains(r.Rules, f.Rule) {
			return fmt.Errorf("its report of %s holds a finding of the rule %q, which is not among those that looked", r.Subject.Name, f.Rule)
		}
	}
	return nil
}

// bare is a report without what was waived and known then: a release has
// waivers of its own.
func bare(r *checks.Report) *checks.Report {
	out := &checks.Report{Subject: r.Subject, Rules: slices.Clone(r.Rules), Findings: slices.Clone(r.Findings)}
	for i := range out.Findings {
		out.Findings[i].Waived, out.Findings[i].Baseline = nil, false
	}
	return out
}
