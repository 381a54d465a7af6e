package binary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/service"
)

// Imports are the packages that go into a binary, and who imports whom.
type Imports struct {
	main string
	by   map[string]*imported
}

// imported is what go list says of a package.
type imported struct {
	ImportPath string
	Imports    []string
	ImportMap  map[string]string
	Module     *struct {
		Path    string
		Replace *struct{ Path string }
	}
}

// Deps asks Go which packages the service's binary is made of. It answers for
// what [Build] has just compiled with the same toolchain and options, without
// the network.
func Deps(ctx context.Context, svc *service.Service, p v1.Platform, t *Toolchain, opts Options) (*Imports, error) {
	c, err := opts.cacheDir(svc, p, t)
	if err != nil {
		return nil, err
	}
	args := []string{"list", "-deps", "-json=ImportPath,Imports,ImportMap,Module"}
	if len(svc.BuildTags) > 0 {
		args = append(args, "-tags="+strings.Join(svc.BuildTags, ","))
	}
	cmd := exec.CommandContext(ctx, t.Go(), append(args, svc.Package)...)
	cmd.Dir = svc.Dir
	cmd.Env = append(compiling(svc, p, t, c), "PWD="+svc.Dir)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = errors.New(strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return nil, fmt.Errorf("listing the packages of %s: %w", svc.Name, err)
	}
	g := &Imports{by: make(map[string]*imported)}
	for stream := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(imported)
		if err := stream.Decode(p); err == io.EOF {
			return g, nil
		} else if err != nil {
			return nil, fmt.Errorf("listing the packages of %s: %w", svc.Name, err)
		}
		g.by[p.ImportPath] = p
		g.main = p.ImportPath // dependencies come first
	}
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
		for _, next := range p.Imports {
			if to, ok := p.ImportMap[next]; ok {
				next = to
			}
			if _, seen := from[next]; !seen {
				from[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// is tells whether the path is that of the package or of its module.
func (p *imported) is(path string) bool {
	return p.ImportPath == path || p.Module != nil &&
		(p.Module.Path == path || p.Module.Replace != nil && p.Module.Replace.Path == path)
}
