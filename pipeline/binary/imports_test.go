package binary

import (
	"context"
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

import _ "expvar"
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
		{nil, "expvar", ""},
		{[]string{"debug"}, "expvar", "example.com/shop expvar"},
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
