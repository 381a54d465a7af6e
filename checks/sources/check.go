package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"temper/checks"
)

// Check looks at programs by the rules, and reports what it finds in any of them once:
// they are the same code for other platforms or by other build tags. The name is what
// the report calls it all. What the memory holds is not looked at again.
func Check(ctx context.Context, name string, rules []*Code, memory *Memory, programs ...*Program) (*checks.Report, error) {
	found, err := Analyze(ctx, rules, memory, programs...)
	if err != nil {
		return nil, err
	}
	return Report(ctx, name, rules, found)
}

// Analyze returns what the rules say about programs, each thing once.
func Analyze(ctx context.Context, rules []*Code, memory *Memory, programs ...*Program) ([]Diagnostic, error) {
	packages := 0
	var all []Diagnostic
	for _, p := range programs {
		found, err := p.analyze(ctx, rules, memory)
		if err != nil {
			return nil, err
		}
		packages += len(p.Packages)
		all = append(all, found...)
	}
	if packages == 0 {
		return nil, errors.New("there is no Go package to look at")
	}
	slices.SortStableFunc(all, Diagnostic.compare)
	return slices.CompactFunc(all, func(a, b Diagnostic) bool { return a.compare(b) == 0 }), nil
}

// Report makes a report of what [Analyze] returned.
func Report(ctx context.Context, name string, rules []*Code, found []Diagnostic) (*checks.Report, error) {
	var set []*checks.Check[[]Diagnostic]
	for _, rule := range rules {
		set = append(set, &checks.Check[[]Diagnostic]{Rule: rule.Rule, Run: rule.tell})
	}
	return checks.Run(ctx, checks.Subject{Name: name}, "", found, set)
}

// A Diagnostic is what an analyzer says about a place in a program.
type Diagnostic struct {
	Rule, Category, Message string
	// In is the function that it stands in, with its package, or the package alone.
	In           string
	File         string
	Line, Column int
	Fixes        []Fix `json:",omitempty"`
}

// A Fix replaces the bytes from Start to End of a file, which count from 0.
type Fix struct {
	File       string
	Start, End int
	New        string
}

// tell reports the diagnostics of a rule.
func (c *Code) tell(all []Diagnostic, p *checks.Pass) error {
	for _, d := range all {
		if d.Rule != c.Name {
			continue
		}
		message, fix, _ := strings.Cut(d.Message, "\n")
		if d.Category == Undecided {
			p.Undecidedf(fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Column), "%s; temper probe asks the running server", message)
			continue
		}
		p.Reportf(d.In, "%s", message)
		p.At(d.File, d.Line, d.Column)
		if fix != "" {
			p.Fixf("%s", fix)
		}
	}
	return nil
}

// compare puts diagnostics in the order of a reader of the source.
func (d Diagnostic) compare(e Diagnostic) int {
	return cmp.Or(cmp.Compare(d.File, e.File), d.Line-e.Line, d.Column-e.Column,
		cmp.Compare(d.Rule, e.Rule), cmp.Compare(d.Category, e.Category), cmp.Compare(d.Message, e.Message))
}
