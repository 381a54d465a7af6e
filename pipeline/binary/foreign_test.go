package binary

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A module of others may import one that the repository replaces by a folder of its own:
// compiling the former compiles the latter, so neither is shared.
func TestForeign(t *testing.T) {
	root := t.TempDir()
	cache := t.TempDir()
	module := func(path string) *Module { return &Module{Path: path, Version: "v1.0.0"} }
	at := func(path string) string { return filepath.Join(cache, path) }
	replaced := module("example.com/replaced")
	replaced.Replace = &Module{Path: "./replaced"}
	forked := module("example.com/forked")
	forked.Replace = module("example.com/fork")
	all := []*Package{
		{ImportPath: "unsafe", Standard: true},
		{ImportPath: "vendor/golang.org/x/net", Standard: true, Imports: []string{"unsafe"}},
		{ImportPath: "net", Standard: true, Imports: []string{"golang.org/x/net"}, ImportMap: map[string]string{"golang.org/x/net": "vendor/golang.org/x/net"}},
		{ImportPath: "example.com/plain", Dir: at("plain"), Module: module("example.com/plain"), Imports: []string{"net"}},
		{ImportPath: "example.com/forked", Dir: at("fork"), Module: forked, Imports: []string{"example.com/plain"}},
		{ImportPath: "example.com/replaced", Dir: filepath.Join(root, "replaced"), Module: replaced},
		{ImportPath: "example.com/outside", Dir: at("outside"), Module: &Module{Path: "example.com/outside", Version: "v1.0.0", Replace: &Module{Path: "../outside"}}},
		{ImportPath: "example.com/vendored", Dir: filepath.Join(root, "vendor", "example.com", "vendored"), Module: module("example.com/vendored")},
		{ImportPath: "example.com/over", Dir: at("over"), Module: module("example.com/over"), Imports: []string{"net", "example.com/replaced"}},
		{ImportPath: "example.com/above", Dir: at("above"), Module: module("example.com/above"), Imports: []string{"example.com/over"}},
		{ImportPath: "example.com/shop", Dir: root, Module: &Module{Path: "example.com/shop", Main: true}, Imports: []string{"example.com/above", "example.com/plain"}},
	}
	want := []string{"vendor/golang.org/x/net", "net", "example.com/plain", "example.com/forked"}
	if diff := cmp.Diff(want, foreign(root, all)); diff != "" {
		t.Errorf("packages to share (-want +got):\n%s", diff)
	}
}
