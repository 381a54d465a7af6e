package engine

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"testing"

	"dagger.io/dagger"
)

const shop = `
-- go.mod --
module example.com/shop

go 1.26
-- temper.yaml --
go: 1.26.8
platforms: [linux/amd64]
services:
  - name: orders
    package: ./cmd/orders
    files: [{from: assets/orders, to: /srv}]
  - name: stock
    package: ./cmd/stock
    files: [{from: assets/stock.json, to: /srv/stock.json}]
-- cmd/orders/main.go --
package main

import "example.com/shop/shared"

func main() { println(shared.Name, "orders") }
-- cmd/stock/main.go --
package main

import "example.com/shop/shared"

func main() { println(shared.Name, "stock") }
-- shared/shared.go --
package shared

const Name = "shop"
-- assets/orders/list.json --
{}
-- assets/stock.json --
{}
-- LICENSE --
Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted.
`

// On a real engine: a change to one service builds that service again and leaves
// the others as they were, to the time in their provenance; a change to what they
// share builds both.
func TestLiveOneChangeBuildsOneService(t *testing.T) {
	needEngine(t)
	dir, command := t.TempDir(), compiled(t, "linux")
	layDown(t, dir, shop)
	repository := "inputs-" + rand.Text()
	build := func() map[string]string { return builtLayouts(t, dir, command, repository) }
	edit := func(name, content string) { write(t, filepath.Join(dir, filepath.FromSlash(name)), content) }
	first := build()
	edit("README.md", "Nothing that is compiled.\n")
	if again := build(); again["orders"] != first["orders"] || again["stock"] != first["stock"] {
		t.Error("a change to what goes into no service builds one again")
	}
	edit("assets/orders/list.json", "[]\n")
	second := build()
	if second["orders"] == first["orders"] {
		t.Error("a change to the files of orders does not build it again")
	}
	if second["stock"] != first["stock"] {
		t.Error("a change to the files of orders builds stock again")
	}
	edit("cmd/stock/main.go", "package main\n\nfunc main() { println(\"stock alone\") }\n")
	third := build()
	if third["stock"] == second["stock"] || third["orders"] != second["orders"] {
		t.Errorf("a change to the code of stock: stock is built again: %v, orders: %v, want true and false",
			third["stock"] != second["stock"], third["orders"] != second["orders"])
	}
	edit("shared/shared.go", "package shared\n\nconst Name = \"the shop\"\n")
	fourth := build()
	if fourth["orders"] == third["orders"] || fourth["stock"] != third["stock"] {
		t.Errorf("a change to what orders alone imports by now: orders is built again: %v, stock: %v, want true and false",
			fourth["orders"] != third["orders"], fourth["stock"] != third["stock"])
	}
	// What is filtered gives the digest of the whole.
	if got, want := imageDigests(t, dir, command, repository), onLaptop(t, command, dir, "orders", "--service", "orders"); got["orders"] != want {
		t.Errorf("orders has digest %s on the engine, %s on this machine", got["orders"], want)
	}
}

// On a real engine: services with modules of their own are built again for a change to
// these, and for no other; the licence of the repository is found all the same.
func TestLiveServicesApart(t *testing.T) {
	needEngine(t)
	dir, command := t.TempDir(), compiled(t, "linux")
	layDown(t, dir, separate)
	repository := "apart-" + rand.Text()
	edit := func(name, content string) { write(t, filepath.Join(dir, filepath.FromSlash(name)), content) }
	first := builtLayouts(t, dir, command, repository)
	edit("README.md", "Nothing that is compiled.\n")
	edit("stock/main.go", "package main\n\nfunc main() { println(\"stock alone\") }\n")
	second := builtLayouts(t, dir, command, repository)
	if second["orders"] != first["orders"] || second["stock"] == first["stock"] {
		t.Errorf("a change to the code of stock: orders is built again: %v, stock: %v, want false and true",
			second["orders"] != first["orders"], second["stock"] != first["stock"])
	}
	edit("lib/lib.go", "package lib\n\nconst Name = \"the shop\"\n")
	third := builtLayouts(t, dir, command, repository)
	if third["orders"] == second["orders"] || third["stock"] != second["stock"] {
		t.Errorf("a change to the module that orders is given: orders is built again: %v, stock: %v, want true and false",
			third["orders"] != second["orders"], third["stock"] != second["stock"])
	}
	got := imageDigests(t, dir, command, repository)
	for _, name := range []string{"orders", "stock"} {
		if want := onLaptop(t, command, dir, name, "--service", name); got[name] != want {
			t.Errorf("%s has digest %s on the engine, %s on this machine", name, got[name], want)
		}
	}
	edit("LICENSE", "All rights reserved.\n")
	if fourth := builtLayouts(t, dir, command, repository); fourth["orders"] == third["orders"] {
		t.Error("the licence of the repository goes into no SBOM")
	}
}

const separate = `
-- temper.yaml --
go: 1.26.8
platforms: [linux/amd64]
services:
  - {name: orders, dir: orders, files: [{from: assets, to: /srv}]}
  - {name: stock, dir: stock}
-- LICENSE --
Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted.
-- orders/go.mod --
module example.com/orders

go 1.26

require example.com/lib v0.0.0

replace example.com/lib => ../lib
-- orders/main.go --
package main

import "example.com/lib"

func main() { println(lib.Name) }
-- orders/assets/list.json --
{}
-- lib/go.mod --
module example.com/lib

go 1.26
-- lib/lib.go --
package lib

const Name = "shop"
-- stock/go.mod --
module example.com/stock

go 1.26
-- stock/main.go --
package main

func main() { println("stock") }
`

// builtLayouts builds all services and returns the digests of their layouts, which the
// time in the provenance is part of.
func builtLayouts(t *testing.T, dir, command, repository string) map[string]string {
	t.Helper()
	return digestsOf(t, dir, command, repository, func(_ *Pipeline, one Built) (string, error) {
		return one.Layout.Digest(context.WithoutCancel(t.Context()))
	})
}

// imageDigests builds all services and returns the digests of their images.
func imageDigests(t *testing.T, dir, command, repository string) map[string]string {
	t.Helper()
	return digestsOf(t, dir, command, repository, func(p *Pipeline, one Built) (string, error) {
		digests, err := p.Digests(t.Context(), one.Layout)
		return digests[one.Name], err
	})
}

func digestsOf(t *testing.T, dir, command, repository string, digest func(*Pipeline, Built) (string, error)) map[string]string {
	t.Helper()
	// A session each: what a folder holds is asked once in a session.
	client, err := dagger.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	p := New(client, client.Host().Directory(dir), Options{Temper: client.Host().File(command), Repository: repository})
	built, err := p.Layouts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	digests := make(map[string]string)
	for _, one := range built {
		if digests[one.Name], err = digest(p, one); err != nil {
			t.Fatal(err)
		}
	}
	return digests
}
