package sources

import (
	goversion "go/version"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"temper/checks"
)

var goDirective = &checks.Check[*Module]{
	Rule: checks.Rule{
		Name:     "go-directive",
		Severity: checks.Warning,
		Source:   "https://go.dev/doc/go1.25#container-aware-gomaxprocs",
		Doc: `go.mod says go 1.25 or later where a manifest limits the CPU

Since Go 1.25 GOMAXPROCS follows the CPU limit, but only in programs whose go.mod says
so, whatever compiles them. Below that a service takes itself to have all processors
of its node: it uses up its share early in each period and then stands still, in
the middle of requests and of collecting.

go mod edit -go=1.25, or the line godebug containermaxprocs=1. Without either, take
GOMAXPROCS from the limit: {name: GOMAXPROCS, valueFrom: {resourceFieldRef: {resource:
limits.cpu}}}.`,
	},
	Run: func(m *Module, p *checks.Pass) error {
		if m.CPULimit == "" {
			return nil
		}
		says, line := m.ignoresLimit()
		if says == "" {
			return nil
		}
		p.Reportf(m.File, "it says %s, by which GOMAXPROCS does not follow the CPU limit of %s", says, m.CPULimit)
		p.At(m.File, line, 0)
		p.Fixf("go mod edit -go=1.25 && go mod tidy")
		if strings.HasPrefix(says, "godebug ") {
			p.Fixf("take that line out")
		}
		return nil
	},
}

// ignoresLimit is what go.mod says by which GOMAXPROCS does not follow the CPU limit of
// the container, and in which line; empty if it does.
func (m *Module) ignoresLimit() (says string, line int) {
	says, version := "no go version", "go1.16" // which is what that means
	if m.Mod.Go != nil {
		says, version, line = "go "+m.Mod.Go.Version, "go"+m.Mod.Go.Version, m.Mod.Go.Syntax.Start.Line
	}
	for _, d := range m.Mod.Godebug {
		if d.Key == "default" {
			says, version, line = "godebug default="+d.Value, d.Value, d.Syntax.Start.Line
		}
	}
	for _, d := range m.Mod.Godebug {
		if d.Key == "containermaxprocs" && d.Value == "0" {
			return "godebug containermaxprocs=0", d.Syntax.Start.Line
		} else if d.Key == "containermaxprocs" {
			return "", 0
		}
	}
	const automatic = "go.uber.org/automaxprocs" // sets it when it is linked in
	if goversion.Compare(version, "go1.25") >= 0 || slices.ContainsFunc(m.Mod.Require, func(r *modfile.Require) bool {
		return r.Mod.Path == automatic && !r.Indirect
	}) {
		return "", 0
	}
	return says, line
}
