package sources

import (
	"fmt"
	"go/ast"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"

	"temper/checks"
)

// Any driver takes the analyzers.
func TestAnalyzers(t *testing.T) {
	if err := analysis.Validate(Analyzers()); err != nil {
		t.Error(err)
	}
}

// Another driver sees what is found, in one line, and neither what the source accepts
// nor what it does not tell.
func TestAloud(t *testing.T) {
	const src = `package a

func f() {
	println()
	println() //temper:ignore printing it is for a debugger
	//temper:ignore printing
	println()
	//temper:ignore other it is another rule
	println()
	print()
}
`
	rule := code(checks.Rule{Name: "printing", Doc: "nothing is printed"}, func(p *pass) {
		each(p, func(call *ast.CallExpr) {
			switch call.Fun.(*ast.Ident).Name {
			case "println":
				p.report(call, "do not", "it prints")
			case "print":
				p.undecided(call, "does it print?")
			}
		})
	})
	p, _ := passOver(t, src)
	var got []string
	p.Report = func(d analysis.Diagnostic) {
		got = append(got, fmt.Sprintf("%d: %s", p.Fset.Position(d.Pos).Line, d.Message))
	}
	p.ResultOf = map[*analysis.Analyzer]any{inspect.Analyzer: inspector.New(p.Files)}
	p.ReadFile = func(name string) ([]byte, error) { return []byte(src), nil }
	p.Analyzer = rule.aloud()
	if _, err := p.Analyzer.Run(p.Pass); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"4: it prints; do not", "7: it prints; do not", "9: it prints; do not"}, got); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
}

// Some drivers write go before the version of a module's language.
func TestVersionsOfOtherDrivers(t *testing.T) {
	for says, old := range map[string]bool{"go1.26.0": false, "1.26": false, "go1.21": true, "1.21": true, "": false} {
		p := &pass{Pass: &analysis.Pass{Module: &analysis.Module{GoVersion: says}}}
		if got := p.oldServers(nil); got != old {
			t.Errorf("servers of a module that says %q are old: %v, want %v", says, got, old)
		}
	}
}
