package service

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// What may go into a service is what its main package imports of the repository,
// by modules, workspaces and replace lines, for every system and build tag.
func TestInputs(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse([]byte(`
-- go.work --
go 1.26

use (
	./shop
	./lib
)
-- temper.yaml --
services:
  - {name: orders, dir: shop, package: ./cmd/orders}
  - {name: alone, dir: alone}
-- shop/go.mod --
module example.com/shop

go 1.26

replace example.com/forked => ../forked
-- shop/cmd/orders/main.go --
package main

import (
	_ "fmt"

	_ "example.com/forked/deep"
	_ "example.com/lib"
	_ "example.com/shop/a"
	_ "example.com/shopping"
)

func main() {}
-- shop/cmd/orders/main_test.go --
package main

import _ "example.com/shop/tested"
-- shop/a/a.go --
package a
-- shop/a/a_plan9.go --
package a

import _ "example.com/shop/plan9"
-- shop/a/tagged.go --
//go:build never

package a

import _ "example.com/shop/never"
-- shop/plan9/p.go --
package plan9
-- shop/never/n.go --
package never
-- shop/tested/t.go --
package tested
-- shop/b/b.go --
package b
-- lib/go.mod --
module example.com/lib

go 1.26
-- lib/lib.go --
package lib
-- forked/go.mod --
module example.com/forked

go 1.26
-- forked/deep/d.go --
package deep
-- alone/go.mod --
module example.com/alone

go 1.26
-- alone/main.go --
package main

func main() {}
-- alone/vendor/modules.txt --
`)).Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	repo, err := Load(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][2][]string{
		"orders": {{"forked/deep", "lib", "shop/a", "shop/cmd/orders", "shop/never", "shop/plan9"}, {"forked", "lib", "shop"}},
		"alone":  {{"alone", "alone/vendor"}, {"alone"}},
	} {
		svc, err := repo.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		packages, modules, err := svc.Inputs()
		if err != nil {
			t.Fatal(err)
		}
		var got [2][]string
		for i, list := range [][]string{packages, modules} {
			for _, path := range list {
				got[i] = append(got[i], slashed(dir, path))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: packages and modules (-want +got):\n%s", name, diff)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "alone", "broken.go"), []byte("no Go\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	svc, err := repo.Named("alone")
	if err != nil {
		t.Fatal(err)
	}
	if packages, _, err := svc.Inputs(); err == nil {
		t.Errorf("of what is no Go it says %q", packages)
	}
}
