package sources

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"

	"temper/checks/sources/flow"
)

// A work is what the analyzers do with a package that is typed. One package may be most
// of a program, so the rules go on in lanes, several at once.
type work struct {
	*seen
	rules []*Code
	fset  *token.FileSet
	files []*ast.File
	typed *types.Package
	info  *types.Info
	sizes types.Sizes
	// walked gives the result of [inspect.Analyzer], once.
	walked <-chan *inspector.Inspector

	parts map[*analysis.Analyzer]*part
}

// A part is the work of one analyzer. Whoever needs it first does it.
type part struct {
	sync.Once
	result any
	err    error
}

// do runs the analyzers of the rules. Of a package of others it runs those that state
// facts.
func (w *work) do() error {
	found := make([][]analysis.Diagnostic, len(w.rules))
	errs := make([]error, len(w.rules))
	lanes := make(map[*analysis.Analyzer][]int)
	for i, rule := range w.rules {
		w.expect(rule.Analyzer)
		lanes[laneOf(rule.Analyzer)] = append(lanes[laneOf(rule.Analyzer)], i)
	}
	var g errgroup.Group
	for _, lane := range lanes {
		g.Go(func() error {
			for _, i := range lane {
				if errs[i] = w.rule(w.rules[i], &found[i]); errs[i] != nil {
					break
				}
			}
			return nil
		})
	}
	g.Wait()
	for i, rule := range w.rules {
		if errs[i] != nil {
			return errs[i]
		}
		for _, d := range found[i] {
			w.found = append(w.found, w.told(rule, d, w.fset, w.files))
		}
	}
	return nil
}

// laneOf is what the rules of a lane have in common: they need an analyzer that remembers
// what it was asked, and so ask it one after the other, in the order of the list. All that
// need none are in one lane.
func laneOf(a *analysis.Analyzer) *analysis.Analyzer {
	for _, lane := range []*analysis.Analyzer{clients, flow.Analyzer} {
		if needs(a, lane) {
			return lane
		}
	}
	return nil
}

func needs(a, what *analysis.Analyzer) bool {
	if a == what {
		return true
	}
	for _, need := range a.Requires {
		if needs(need, what) {
			return true
		}
	}
	return false
}

// expect makes room for the result of an analyzer, and of those that it needs.
func (w *work) expect(a *analysis.Analyzer) {
	if w.parts[a] != nil {
		return
	}
	w.parts[a] = new(part)
	for _, need := range a.Requires {
		w.expect(need)
	}
}

func (w *work) rule(rule *Code, found *[]analysis.Diagnostic) error {
	if w.Own {
		return w.analyze(rule.Analyzer, func(d analysis.Diagnostic) { *found = append(*found, d) })
	}
	for _, a := range stating(rule.Analyzer) {
		if err := w.analyze(a, func(analysis.Diagnostic) {}); err != nil {
			return err
		}
	}
	return nil
}

// analyze runs an analyzer, unless it has run.
func (w *work) analyze(a *analysis.Analyzer, report func(analysis.Diagnostic)) error {
	of := w.parts[a]
	of.Do(func() {
		if a == inspect.Analyzer {
			of.result = <-w.walked
			return
		}
		results := make(map[*analysis.Analyzer]any)
		for _, need := range a.Requires {
			if of.err = w.analyze(need, func(analysis.Diagnostic) {}); of.err != nil {
				return
			}
			results[need] = w.parts[need].result
		}
		p := &analysis.Pass{
			Analyzer: a, Fset: w.fset, Files: w.files, Pkg: w.typed, TypesInfo: w.info, TypesSizes: w.sizes, ResultOf: results,
			Report: report, Module: &analysis.Module{Path: w.Module, GoVersion: w.Go},
			ReadFile: w.content,
		}
		w.give(p)
		if of.result, of.err = a.Run(p); of.err != nil {
			of.err = fmt.Errorf("%s of package %s: %w", a.Name, w.Path, of.err)
		}
	})
	return of.err
}

// stating are the analyzers that say something about a package to those that import it,
// of one and those that it needs.
func stating(a *analysis.Analyzer) []*analysis.Analyzer {
	if len(a.FactTypes) > 0 {
		return []*analysis.Analyzer{a} // which has those run that it needs
	}
	var all []*analysis.Analyzer
	for _, need := range a.Requires {
		all = append(all, stating(need)...)
	}
	return all
}
