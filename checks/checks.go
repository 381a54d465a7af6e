// Package checks holds what every rule of Temper has in common: what a rule
// is, what it finds, and the report that a release asks for.
//
// A [Check] is a value that looks at one subject of type S and reports
// [Finding]s about it. [Run] runs a set of checks over one subject and returns
// a [Report], or an error if any of them could not look. Findings and errors
// are different things: a finding is about the subject; an error means that
// nobody looked, and then there is no report and no release.
//
// The rules themselves live below this package: executables for what a binary
// says of itself, images for what lies in an image's layers, sources for what it is
// made from, probes for what it does, workloads for what runs it.
package checks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// A Severity says what a finding does to the verdict.
type Severity string

const (
	// Error makes a subject unsafe: its report is not OK.
	Error Severity = "error"
	// Warning is advice: it shows and does not fail unless the caller is strict.
	Warning Severity = "warning"
)

// A Rule is what people are told of a check.
type Rule struct {
	// Name is the rule's identifier: lower case words joined by hyphens.
	// It is unique among all rules and never reused.
	Name string
	// Severity is that of every finding of the rule.
	Severity Severity
	// Doc's first line is the rule itself, no capital, no period. After a
	// blank line comes why it matters, and then how to comply.
	Doc string
	// Source is the address of the document the rule is taken from.
	Source string
	// Good and Bad are examples of what passes and of what does not, both empty
	// where there are none.
	Good, Bad string
}

// Title returns the first line of the rule's Doc.
func (r Rule) Title() string {
	title, _, _ := strings.Cut(r.Doc, "\n")
	return title
}

// A Check is a rule and the function that looks for what breaks it.
type Check[S any] struct {
	Rule
	// Run looks at the subject and reports what breaks the rule. An error
	// means that the check could not look; it ends the whole run.
	Run func(subject S, p *Pass) error
}

// A Pass collects the findings of one check over one subject.
type Pass struct {
	rule     *Rule
	platform string
	findings []Finding
	notices  []Notice
}

// Reportf adds a finding. The place says where in the subject: a field of the
// image configuration, or a layer and a path.
func (p *Pass) Reportf(place, format string, args ...any) {
	p.findings = append(p.findings, Finding{
		Rule:     p.rule.Name,
		Severity: p.rule.Severity,
		Platform: p.platform,
		Place:    place,
		Message:  fmt.Sprintf(format, args...),
	})
}

// Advises tells that what the rule finds are warnings.
func (p *Pass) Advises() bool { return p.rule.Severity == Warning }

// At says in which file of the sources the finding reported last stands, and
// where in it: a line and a column from 1 on, or 0 where that is not known.
func (p *Pass) At(file string, line, column int) {
	f := &p.findings[len(p.findings)-1]
	f.File, f.Line, f.Column = file, line, column
}

// Undecidedf says that the rule could not tell of a place whether it holds, and why.
// That is a notice, and no finding.
func (p *Pass) Undecidedf(place, format string, args ...any) {
	p.notices = append(p.notices, Notice{RuleUndecided, p.rule.Name, place, fmt.Sprintf(format, args...)})
}

// Ignored says that the source accepts the finding reported last, where it says so
// (FILE:LINE) and why.
func (p *Pass) Ignored(source, reason string) {
	p.findings[len(p.findings)-1].Waived = &Waived{Reason: reason, Source: source}
}

// Unused says that the source accepts at a place what the rule does not find there.
func (p *Pass) Unused(place, reason string) {
	p.notices = append(p.notices, Notice{IgnoreUnused, p.rule.Name, place, "what is ignored here is not found; remove the comment: " + reason})
}

// Fixf says what to do about the finding reported last.
func (p *Pass) Fixf(format string, args ...any) {
	p.findings[len(p.findings)-1].Fix = fmt.Sprintf(format, args...)
}

// Imported says of the finding reported last by which packages what was found
// comes into a program, from the main package to itself.
func (p *Pass) Imported(way ...string) {
	p.findings[len(p.findings)-1].Imports = way
}

// A Finding is one thing that breaks a rule.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	// Platform is the os/arch of the image looked at, empty where the subject
	// has no platform or the finding is about all of them.
	Platform string `json:"platform,omitempty"`
	// Place is where in the subject the finding stands.
	Place   string `json:"place"`
	Message string `json:"message"`
	// File is the file of the sources that it stands in, relative to the
	// repository, with slashes; empty for what is in an image. Line and Column
	// count from 1; 0 where they are not known.
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	// Fix is what to do about it, empty where the rule's Doc says all there is.
	Fix string `json:"fix,omitempty"`
	// Imports are the packages by which what was found comes into a program,
	// from its main package on; none where that is not known.
	Imports []string `json:"imports,omitempty"`
	// Waived is set by [Waive] on what temper.yaml accepts for a time, and by
	// [Pass.Ignored] on what the source accepts.
	Waived *Waived `json:"waived,omitempty"`
	// Baseline is set by [Baseline.Mark] on what was there before. It is a help
	// to whoever adopts the rules, and no leave to release.
	Baseline bool `json:"baseline,omitempty"`
}

// Where is the place as people go to it: with the line and the column in it, and
// before it the file, where the place is a field in one.
func (f Finding) Where() string {
	at, field := f.Place, ""
	if f.File != "" && f.File != f.Place {
		at, field = f.File, " "+f.Place
	}
	switch {
	case f.Line == 0:
		return at + field
	case f.Column == 0:
		return fmt.Sprintf("%s:%d%s", at, f.Line, field)
	}
	return fmt.Sprintf("%s:%d:%d%s", at, f.Line, f.Column, field)
}

// Counts tells whether the finding weighs anything in a check: nothing that
// holds accepts it. What the gate lets through is [Report.OK]'s to say.
func (f Finding) Counts() bool { return !f.IsWaived() && !f.Baseline }

// A Subject names what a report is about.
type Subject struct {
	// Name is what people call it: a service, a reference, a file.
	Name string `json:"name"`
	// Digest is its content's digest as "sha256:hex", empty where the subject
	// has none.
	Digest string `json:"digest,omitempty"`
}

// A Report says which rules looked at a subject and what they found.
type Report struct {
	Subject Subject `json:"subject"`
	// Rules are the names of the rules that ran, sorted.
	Rules []string `json:"rules"`
	// Findings are sorted by platform, rule, place, position and message.
	Findings []Finding `json:"findings"`
	// Notices are about waivers and the baseline, and about what a rule could not
	// tell, sorted by rule and place.
	Notices []Notice `json:"notices,omitempty"`
}

// OK tells whether the subject passes the gate of a release: at least one rule
// looked at it, and what was found are warnings, or errors that a whole waiver
// accepts. A nil report is not OK, nor is one with a severity that nobody knows.
// A baseline makes no difference.
func (r *Report) OK() bool {
	if r == nil || len(r.Rules) == 0 {
		return false
	}
	for _, f := range r.Findings {
		switch {
		case f.Severity == Warning:
		case f.Severity == Error && f.IsWaived():
		default:
			return false
		}
	}
	return true
}

// Passes tells whether a check of the subject passes: as OK does, but what the
// baseline holds does not count, and warnings do where the caller is strict.
func (r *Report) Passes(strict bool) bool {
	if r == nil || len(r.Rules) == 0 {
		return false
	}
	for _, f := range r.Findings {
		if f.Severity != Error && f.Severity != Warning {
			return false
		}
		if f.Counts() && (f.Severity == Error || strict) {
			return false
		}
	}
	return true
}

// Count returns the number of findings of one severity that no waiver accepts.
func (r *Report) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s && !f.IsWaived() {
			n++
		}
	}
	return n
}

// Run runs every check over the subject, which the report will call by the
// given name, and returns the report. An empty set of checks is an error, as
// is any check that could not look: there is no partial report.
//
// The platform, os/arch or empty, is written into the findings.
func Run[S any](ctx context.Context, of Subject, platform string, subject S, set []*Check[S]) (*Report, error) {
	if len(set) == 0 {
		return nil, fmt.Errorf("checking %s: no rules to check it by", of.Name)
	}
	r := &Report{Subject: of, Rules: make([]string, 0, len(set))}
	var errs []error
	p := &Pass{platform: platform}
	for _, c := range set {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p.rule, p.findings, p.notices = &c.Rule, nil, nil
		if err := c.Run(subject, p); err != nil {
			errs = append(errs, fmt.Errorf("rule %s: %w", c.Name, err))
			continue
		}
		r.Rules = append(r.Rules, c.Name)
		r.Findings = append(r.Findings, p.findings...)
		r.Notices = append(r.Notices, p.notices...)
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("checking %s: %w", of.Name, errors.Join(errs...))
	}
	r.sort()
	return r, nil
}

// Merge joins reports about parts of one subject (the platforms of an index)
// into a report about the whole. A rule counts as run only if it ran on every
// part. Merging no reports is an error: nothing was looked at.
func Merge(of Subject, parts ...*Report) (*Report, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("checking %s: there is nothing in it to check", of.Name)
	}
	whole := &Report{Subject: of}
	ran := make(map[string]int)
	for _, part := range parts {
		for _, rule := range part.Rules {
			ran[rule]++
		}
		whole.Findings = append(whole.Findings, part.Findings...)
		whole.Notices = append(whole.Notices, part.Notices...)
	}
	for rule, n := range ran {
		if n == len(parts) {
			whole.Rules = append(whole.Rules, rule)
		}
	}
	whole.sort()
	return whole, nil
}

// Join adds what other rules found about the same subject to a report, or the same
// rules in another part of it.
func Join(r *Report, more ...*Report) *Report {
	whole := r.clone()
	for _, m := range more {
		whole.Rules = append(whole.Rules, m.Rules...)
		whole.Findings = append(whole.Findings, m.Findings...)
		whole.Notices = append(whole.Notices, m.Notices...)
	}
	whole.sort()
	whole.Rules = slices.Compact(whole.Rules)
	return whole
}

func (r *Report) sort() {
	slices.Sort(r.Rules)
	sort.SliceStable(r.Findings, func(i, j int) bool { return r.Findings[i].key() < r.Findings[j].key() })
	sort.SliceStable(r.Notices, func(i, j int) bool {
		a, b := r.Notices[i], r.Notices[j]
		return cmp.Or(strings.Compare(a.Rule, b.Rule), strings.Compare(a.Place, b.Place), strings.Compare(a.Message, b.Message)) < 0
	})
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
}

// clone returns a report whose lists are its own.
func (r *Report) clone() *Report {
	c := *r
	c.Rules = slices.Clone(r.Rules)
	c.Findings = slices.Clone(r.Findings)
	c.Notices = slices.Clone(r.Notices)
	return &c
}

func (f Finding) key() string {
	position := fmt.Sprintf("%08d:%08d", f.Line, f.Column)
	return strings.Join([]string{f.Platform, f.Rule, f.Place, position, f.Message}, "\x00")
}
