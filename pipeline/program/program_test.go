package program

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/txtar"

	"temper/checks"
	"temper/checks/sources"
	"temper/pipeline/binary"
	"temper/pipeline/service"
)

// write puts a txtar on disk and returns its folder, free of symbolic links.
func write(t testing.TB, tree string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse([]byte(tree)).Files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// outline is what a program consists of: its packages, with the files of those that are
// the repository's own.
func outline(p *sources.Program) []string {
	var lines []string
	for _, pkg := range p.Packages {
		line := pkg.Path
		if !pkg.Own {
			line += " (not own)"
		} else {
			for _, f := range pkg.Files {
				line += " " + f.Name
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// shop has a module beside it that it takes from a folder of the repository, one
// from outside of it, a file for a tag, one for another system, and tests.
const shop = `
-- repo/shop/go.mod --
module example.com/shop

go 1.26

require (
	example.com/agent v1.0.0
	example.com/web v1.0.0
)

replace (
	example.com/agent => ../agent
	example.com/web => ../../outside/web
)
-- repo/shop/cmd/shop/main.go --
package main

import (
	"example.com/agent"
	"example.com/shop/internal/serve"
	"example.com/web/router"
)

func main() { agent.Start(); serve.Serve(router.New()) }
-- repo/shop/cmd/shop/main_test.go --
package main

import "testing"

func Test(*testing.T) {}
-- repo/shop/internal/serve/serve.go --
package serve

import "net/http"

func Serve(h http.Handler) { http.ListenAndServe("", h) }
-- repo/shop/internal/serve/debug.go --
//go:build debug

package serve

import _ "net/http/pprof"
-- repo/shop/internal/serve/windows.go --
//go:build windows

package serve
-- repo/shop/unused/unused.go --
package unused
-- repo/agent/go.mod --
module example.com/agent

go 1.25
-- repo/agent/agent.go --
package agent

import "example.com/web/quiet"

func Start() { quiet.Do() }
-- outside/web/go.mod --
module example.com/web

go 1.24
-- outside/web/router/router.go --
package router

import (
	"net/http"

	"example.com/web/deep"
	"example.com/web/quiet"
	_ "example.com/web/vars"
)

func New() http.Handler { quiet.Do(); return deep.New() }
-- outside/web/vars/vars.go --
package vars

import _ "expvar"
-- outside/web/deep/deep.go --
package deep

import "net/http"

func New() http.Handler { return http.NewServeMux() }
-- outside/web/quiet/quiet.go --
package quiet

import "example.com/web/behind"

func Do() { behind.Do() }
-- outside/web/behind/behind.go --
package behind

import "net/http"

func Do() { http.Get("") }
`

// looks returns a rule that reports the calls of ListenAndServe, and counts the packages
// that it looks at.
func looks(packages *atomic.Int32) *sources.Code {
	return &sources.Code{
		Rule: checks.Rule{Name: "no-listening", Severity: checks.Error, Doc: "nobody listens"},
		Analyzer: &analysis.Analyzer{Name: "nolistening", Doc: "nobody listens", Run: func(p *analysis.Pass) (any, error) {
			packages.Add(1)
			for id, o := range p.TypesInfo.Uses {
				if o.Name() == "ListenAndServe" && o.Pkg().Path() == "net/http" {
					p.Report(analysis.Diagnostic{Pos: id.Pos(), Message: "it listens"})
				}
			}
			return nil, nil
		}},
	}
}

// The program of a service is what was built: its main package and what that imports,
// with its tags, from the types that are in its own cache. What is remembered of it is
// not read again.
func TestOf(t *testing.T) {
	root := write(t, `
-- shop/go.mod --
module example.com/shop

go 1.26
-- shop/cmd/shop/main.go --
package main

import "example.com/shop/greeting"

func main() { println(greeting.Hello) }
-- shop/cmd/shop/debug.go --
//go:build debug

package main

var debug = true
-- shop/greeting/greeting.go --
package greeting

const Hello = "hello"
-- shop/unused/unused.go --
package unused
`)
	module := filepath.Join(root, "shop")
	platform := v1.Platform{OS: "linux", Architecture: "arm64"}
	svc := &service.Service{
		Name: "shop", Root: root, Dir: module, Module: module, Package: "./cmd/shop", Path: "/shop", User: service.DefaultUser,
		BuildTags: []string{"debug"},
	}
	repo := &service.Repository{Dir: root, Base: service.BuiltinBase, Platforms: []v1.Platform{platform}, Services: []*service.Service{svc}}
	ctx := t.Context()
	toolchain, err := binary.Select(ctx, repo, svc)
	if err != nil {
		t.Fatal(err)
	}
	imports, err := binary.Deps(ctx, svc, platform, toolchain, binary.Options{Cache: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Of(svc, platform, imports)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"example.com/shop/greeting shop/greeting/greeting.go",
		"example.com/shop/cmd/shop shop/cmd/shop/debug.go shop/cmd/shop/main.go",
	}
	if diff := cmp.Diff(want, outline(p)); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	if p.Arch != "arm64" {
		t.Errorf("the program is for %s, want arm64", p.Arch)
	}
	memory, err := sources.NewMemory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var looked atomic.Int32
	for range 2 {
		if _, err := sources.Check(ctx, "shop", []*sources.Code{looks(&looked)}, memory, p); err != nil {
			t.Error(err)
		}
		p.Export = nil
	}
	if n := looked.Load(); n != 2 {
		t.Errorf("looked at %d packages in two checks, want 2", n)
	}
}
