package binary

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The way to a package is the shortest one, through replaced modules and the
// standard library's own imports, and by the service's build tags.
func TestWay(t *testing.T) {
	repo, svc := write(t, folder(t), `
-- go.mod --
module example.com/shop

go 1.26

require example.com/agent v1.0.0

replace example.com/agent => ./agent
-- main.go --
package main

import _ "example.com/shop/internal/serve"

func main() {}
-- debug.go --
//go:build debug

package main

import _ "container/ring"
-- internal/serve/serve.go --
package serve

import _ "example.com/agent/http"
-- agent/go.mod --
module example.com/agent

go 1.26
-- agent/http/http.go --
package http

import _ "example.com/agent/inner"
-- agent/inner/inner.go --
package inner

import _ "unicode/utf8"
`)
	ctx := context.Background()
	toolchain, err := Select(ctx, repo, svc)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		tags []string
		path string
		want string
	}{
		{nil, "unicode/utf8", "example.com/shop example.com/shop/internal/serve example.com/agent/http example.com/agent/inner unicode/utf8"},
		{nil, "example.com/agent", "example.com/shop example.com/shop/internal/serve example.com/agent/http"},
		{nil, "example.com/shop", "example.com/shop"},
		{nil, "container/ring", ""},
		{[]string{"debug"}, "container/ring", "example.com/shop container/ring"},
	} {
		svc.BuildTags = tc.tags
		deps, err := Deps(ctx, svc, amd64, toolchain, Options{Cache: cache})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, strings.Join(deps.Way(tc.path), " ")); diff != "" {
			t.Errorf("way to %s with tags %v (-want +got):\n%s", tc.path, tc.tags, diff)
		}
	}
}

// What was built is not compiled again to be listed, and the compiler's types are there.
func TestDepsCompilesNothing(t *testing.T) {
	repo, svc := write(t, folder(t), `
-- go.mod --
module example.com/hello

go 1.26
-- main.go --
package main

import "example.com/hello/greeting"

func main() { println(greeting.Hello, version) }

var version string
-- main_dev.go --
//go:build dev

package main

func init() { println("dev") }
-- greeting/greeting.go --
package greeting

const Hello = "hello"
`)
	svc.BuildTags = []string{"dev"}
	svc.Stamps = map[string]string{"main.version": "1"}
	ctx := context.Background()
	toolchain, err := Select(ctx, repo, svc)
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{Cache: t.TempDir()}
	if _, err := Build(ctx, svc, amd64, toolchain, opts); err != nil {
		t.Fatal(err)
	}
	count := func() (archives int) {
		outputs, err := filepath.Glob(filepath.Join(CachePath(opts.Cache, svc.Root, svc.Name, amd64.String()), toolchain.Version, "build", "??", "*-d"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range outputs {
			if isArchive(file) { // and no index of a module
				archives++
			}
		}
		if archives == 0 {
			t.Fatalf("none of the %d outputs in the build cache is the compiler's", len(outputs))
		}
		return archives
	}
	before := count()
	deps, err := Deps(ctx, svc, amd64, toolchain, opts)
	if err != nil {
		t.Fatal(err)
	}
	if after := count(); after != before {
		t.Errorf("listing has compiled %d packages", after-before)
	}
	own := make(map[string][]string)
	for _, p := range deps.Packages() {
		if _, err := os.Stat(p.Export); err != nil && p.ImportPath != "unsafe" {
			t.Errorf("%s: %v", p.ImportPath, err)
		}
		if !p.Standard {
			own[p.ImportPath] = p.GoFiles
		}
	}
	want := map[string][]string{"example.com/hello": {"main.go", "main_dev.go"}, "example.com/hello/greeting": {"greeting.go"}}
	if diff := cmp.Diff(want, own); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}
