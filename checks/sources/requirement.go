package sources

import (
	"slices"

	"temper/checks"
	"temper/checks/executables"
)

var debugRequirement = &checks.Check[*Module]{
	Rule: checks.Rule{
		Name:     "debug-requirement",
		Severity: checks.Warning,
		Source:   "https://go.dev/ref/mod#go-mod-file-tool",
		Doc: `the service's go.mod asks for no debug module

A debugger that only a tool line or a test needs is not in the binary, but it
chooses versions of what is: its requirements are part of the module graph. And it is
one import away from being linked in, without a line of go.mod that a
reviewer would see.

Give such tools a go.mod of their own (tools/go.mod, with go tool -modfile), or
run them by version: go run github.com/go-delve/delve/cmd/dlv@latest.`,
	},
	Run: func(m *Module, p *checks.Pass) error {
		// What is linked in is a finding of debug-module, and an error.
		report := func(module string, line int, how string) bool {
			debug, what := executables.DebugModule(module)
			if debug == "" || slices.Contains(m.Linked, debug) {
				return false
			}
			p.Reportf(m.File, "%s: %s", how, what)
			p.At(m.File, line, 0)
			return true
		}
		for _, t := range m.Mod.Tool {
			if report(t.Path, t.Syntax.Start.Line, "tool "+t.Path) {
				p.Fixf("go mod edit -droptool=%s && go mod tidy, and give it a go.mod of its own", t.Path)
			}
		}
		for _, r := range m.Mod.Require {
			if r.Indirect {
				continue // a tool's, or a dependency's
			}
			if report(r.Mod.Path, r.Syntax.Start.Line, "require "+r.Mod.String()+", which only tests or other binaries use") {
				p.Fixf("go mod why -m %s tells who imports it; move that to a module of its own", r.Mod.Path)
			}
		}
		return nil
	},
}
