package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"temper/checks"
)

// reportFlags are what check and build have in common: how to judge what was
// found, and where to tell it.
type reportFlags struct {
	baseline string
	strict   bool
	json     bool

	known *checks.Baseline
}

func (f *reportFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.baseline, "baseline", "", "accept what is in `FILE`, of temper check --write-baseline, and fail on what is new")
	flags.BoolVar(&f.strict, "strict", false, "let warnings fail")
	flags.BoolVar(&f.json, "json", false, "write one JSON object")
}

// open reads what the flags name, before any work is done.
func (f *reportFlags) open() error {
	if f.baseline == "" {
		return nil
	}
	data, err := os.ReadFile(f.baseline)
	if err != nil {
		return hintf("temper check --write-baseline "+f.baseline+" LAYOUT", "reading baseline: %w", err)
	}
	if f.known, err = checks.ParseBaseline(data); err != nil {
		return fmt.Errorf("%s: %w", f.baseline, err)
	}
	return nil
}

// tell shows the reports, and returns them as the baseline leaves them together
// with the reasons that they give to say no.
func (f *reportFlags) tell(p *person, reports []*checks.Report) ([]*checks.Report, *noError, error) {
	no := &noError{next: "temper explain RULE"}
	var told []*checks.Report
	for _, r := range reports {
		if f.known != nil {
			r = f.known.Mark(r)
		}
		told = append(told, r)
		if err := p.report(r); err != nil {
			return nil, nil, err
		}
		if !r.Passes(f.strict) {
			no.reasons = append(no.reasons, broken(r, f.strict))
		}
	}
	return told, no, nil
}

// orNil is the answer: no where there is a reason, or nothing.
func (e *noError) orNil() error {
	if len(e.reasons) == 0 {
		return nil
	}
	return e
}
