package binary

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/service"
	"temper/pipeline/timing"
)

// Imports are the packages that go into a binary, and who imports whom.
type Imports struct {
	main string
	by   map[string]*Package
	all  []*Package
	// listed is the platform for which Go has just said so, or empty.
	listed string
}

// Packages are those of the binary, the standard library's included, each after those
// that it imports. The main package comes last.
func (g *Imports) Packages() []*Package { return g.all }

// Listed tells that Go was asked, and not what it said before ([Binary.Deps]).
func (g *Imports) Listed() bool { return g.listed != "" }

// newImports takes what Go says of packages, each after those that it imports.
func newImports(all []*Package) *Imports {
	g := &Imports{by: make(map[string]*Package), all: all}
	for _, p := range all {
		g.by[p.ImportPath] = p
		g.main = p.ImportPath // dependencies come first
	}
	return g
}

// Deps returns the packages that a binary from [Build] is made of, with the same toolchain
// and options. Where Go has been asked before and would say the same of all but the
// packages in which code has changed, it is not asked again: [Package.Export] is then
// empty for those packages and for those that import them.
func (b *Binary) Deps(ctx context.Context, svc *service.Service, t *Toolchain, opts Options) (*Imports, error) {
	if b.known != nil {
		if known := b.known(); known != nil && known.there() {
			return known, nil
		}
	}
	return Deps(ctx, svc, b.Platform, t, opts)
}

// List is [Binary.Deps] that asks Go in any case.
func (b *Binary) List(ctx context.Context, svc *service.Service, t *Toolchain, opts Options) (*Imports, error) {
	return Deps(ctx, svc, b.Platform, t, opts)
}

// Deps asks Go which packages the service's binary is made of. It answers for
// what [Build] has just compiled with the same toolchain and options, without
// the network, and so that nothing is compiled again.
func Deps(ctx context.Context, svc *service.Service, p v1.Platform, t *Toolchain, opts Options) (*Imports, error) {
	defer timing.Start(timing.About(ctx, svc.Name, p.String()), "list")()
	c, err := opts.cacheDir(svc, p, t)
	if err != nil {
		return nil, err
	}
	env, err := opts.environment(svc, p, t, c)
	if err != nil {
		return nil, err
	}
	all, err := list(ctx, svc, t, env, append(ListArguments(svc.BuildTags), noDebugInfo, svc.Package))
	if err != nil {
		return nil, fmt.Errorf("listing the packages of %s: %w", svc.Name, err)
	}
	g := newImports(all)
	g.listed = p.String()
	return g, nil
}

// list runs a go command that writes what [ParsePackages] reads, and may have other things
// to say to people. The error is in Go's words.
func list(ctx context.Context, svc *service.Service, t *Toolchain, env, args []string) ([]*Package, error) {
	cmd := exec.CommandContext(ctx, t.Go(), args...)
	cmd.Dir, cmd.Env = svc.Dir, append(env, "PWD="+svc.Dir)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, cmp.Or(ctx.Err(), errors.New(strings.TrimSpace(string(exit.Stderr))))
	}
	if err != nil {
		return nil, err
	}
	return ParsePackages(out)
}

// Way returns the shortest way from the main package to the package of that
// path, or to the first package of the module of that path, both ends
// included; nil if there is none.
func (g *Imports) Way(path string) []string {
	from := map[string]string{g.main: ""}
	for queue := []string{g.main}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		p := g.by[at]
		if p == nil {
			continue // "C" and "unsafe"
		}
		if p.is(path) {
			var way []string
			for ; at != ""; at = from[at] {
				way = append(way, at)
			}
			slices.Reverse(way)
			return way
		}
		for _, next := range p.Direct() {
			if _, seen := from[next]; !seen {
				from[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}
