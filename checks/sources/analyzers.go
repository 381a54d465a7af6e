package sources

import (
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Analyzers are those of [CodeRules], for any driver of golang.org/x/tools/go/analysis,
// such as go vet. They report what is found and nothing else: neither what the source
// does not tell, nor what it accepts.
func Analyzers() []*analysis.Analyzer {
	var all []*analysis.Analyzer
	for _, c := range CodeRules {
		all = append(all, c.aloud())
	}
	return all
}

// aloud is the rule's analyzer, of which a driver sees no more than what is found.
func (c *Code) aloud() *analysis.Analyzer {
	a := *c.Analyzer
	a.Run = func(p *analysis.Pass) (any, error) {
		ignores, err := ignoresOf(p.Fset, p.Files, p.ReadFile)
		if err != nil {
			return nil, err
		}
		inner := *p
		inner.Report = func(d analysis.Diagnostic) {
			at := p.Fset.PositionFor(d.Pos, false)
			for _, one := range ignores {
				if one.accepts(c.Name, at.Filename, at.Line) {
					return
				}
			}
			if d.Category != Undecided {
				d.Message = strings.ReplaceAll(d.Message, "\n", "; ")
				p.Report(d)
			}
		}
		return c.Analyzer.Run(&inner)
	}
	return &a
}
