package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"maps"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// A run is one look at a program.
type run struct {
	*Program
	rules  []*Code
	memory *Memory

	compiled types.Importer
	seen     map[string]*seen // by path
}

// seen is what was seen of a package.
type seen struct {
	*Package
	// key is what it is remembered by, empty if it is not.
	key string
	// known tells that it was remembered, and nobody need look.
	known bool
	found []Diagnostic
	facts *packageFacts
	// typed is the package, if it was looked at and is fresh.
	typed *types.Package
	// below are the facts of all packages that it imports, and of theirs. They and what
	// was found are there when ready is closed.
	below map[string]*packageFacts
	ready chan struct{}
}

// analyze returns what the rules say of the program. What is remembered is not looked at
// again.
func (p *Program) analyze(ctx context.Context, rules []*Code, memory *Memory) ([]Diagnostic, error) {
	r := &run{Program: p, rules: rules, memory: memory, seen: make(map[string]*seen)}
	for _, pkg := range p.Packages {
		s := &seen{Package: pkg, ready: make(chan struct{})}
		s.key = r.keyOf(s)
		r.seen[pkg.Path] = s
	}
	if err := r.each(ctx, r.recall); err != nil {
		return nil, err
	}
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	var broken []error
	var mu sync.Mutex
	err := r.each(ctx, func(ctx context.Context, s *seen) error {
		defer close(s.ready)
		if err := r.await(ctx, s); err != nil || s.known {
			return err
		}
		err := r.look(s)
		if wrong := (*TypeError)(nil); errors.As(err, &wrong) {
			mu.Lock()
			defer mu.Unlock()
			broken = append(broken, err)
			return nil // and tell of the others as well
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(broken) > 0 {
		slices.SortFunc(broken, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
		return nil, errors.Join(broken...)
	}
	r.boundElsewhere()
	var all []Diagnostic
	for _, pkg := range p.Packages {
		all = append(all, r.seen[pkg.Path].found...)
	}
	inOrder(all)
	return all, nil
}

// each does something for all packages, several at once and in their order, so that none
// waits for one that has not begun.
func (r *run) each(ctx context.Context, do func(context.Context, *seen) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, pkg := range r.Packages {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return do(ctx, r.seen[pkg.Path])
		})
	}
	return g.Wait()
}

// load reads the types of what is imported, by all packages that have to be looked at.
// It does so before any is: an importer adds to packages that it has given out when it
// reads of them again, and nobody may look at them meanwhile.
func (r *run) load(ctx context.Context) error {
	r.compiled = importer.ForCompiler(token.NewFileSet(), "gc", r.Export)
	done := make(map[string]bool)
	for _, pkg := range r.Packages {
		if r.seen[pkg.Path].known {
			continue
		}
		for _, path := range pkg.Direct {
			if err := ctx.Err(); err != nil {
				return err
			}
			if done[path] || path == "unsafe" || r.fresh(path) {
				continue
			}
			done[path] = true
			if _, err := r.compiled.Import(path); err != nil {
				return fmt.Errorf("reading what the compiler wrote about package %s, which package %s imports: %w (this program knows what compilers up to its own, %s, write)",
					path, pkg.Path, err, runtime.Version())
			}
		}
	}
	return nil
}

// mapped gives the types of packages to the one that imports them, from what the
// compiler wrote. They are the same types for all.
type mapped struct {
	*run
	of *Package
}

func (m mapped) Import(path string) (*types.Package, error) {
	if to, ok := m.of.Imports[path]; ok {
		path = to
	}
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	if !slices.Contains(m.of.Direct, path) {
		return nil, fmt.Errorf("package %s is not among those that %s was said to import", path, m.of.Path)
	}
	if m.fresh(path) {
		if typed := m.seen[path].typed; typed != nil {
			return typed, nil
		}
		return nil, fmt.Errorf("package %s does not type-check", path)
	}
	return m.compiled.Import(path) // which has read it
}

// fresh tells whether a package's types come from its files.
func (r *run) fresh(path string) bool {
	s, ok := r.seen[path]
	return ok && s.Fresh
}

// await returns when the facts of all that a package imports are there.
func (r *run) await(ctx context.Context, s *seen) error {
	s.below = make(map[string]*packageFacts)
	for _, path := range s.Direct {
		imported, ok := r.seen[path]
		if !ok {
			continue
		}
		select {
		case <-imported.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
		maps.Copy(s.below, imported.below)
		if imported.facts != nil {
			s.below[path] = imported.facts
		}
	}
	return nil
}
