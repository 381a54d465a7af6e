package engine

import (
	"context"
	"crypto/rand"
	"os"
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
	ctx := t.Context()
	dir, command := t.TempDir(), compiled(t, "linux")
	layDown(t, dir, shop)
	repository := "inputs-" + rand.Text()
	build := func() map[string]string {
		t.Helper()
		// A session each: what a folder holds is asked once in a session.
		client, err := dagger.Connect(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		p := New(client, client.Host().Directory(dir), Options{Temper: client.Host().File(command), Repository: repository})
		built, err := p.Layouts(ctx)
		if err != nil {
			t.Fatal(err)
		}
		digests := make(map[string]string)
		for _, one := range built {
			if digests[one.Name], err = one.Layout.Digest(context.WithoutCancel(ctx)); err != nil {
				t.Fatal(err)
			}
		}
		return digests
	}
	edit := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
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

func imageDigests(t *testing.T, dir, command, repository string) map[string]string {
	t.Helper()
	client, err := dagger.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	p := New(client, client.Host().Directory(dir), Options{Temper: client.Host().File(command), Repository: repository})
	all := make(map[string]string)
	built, err := p.Layouts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range built {
		digests, err := p.Digests(t.Context(), one.Layout)
		if err != nil {
			t.Fatal(err)
		}
		all[one.Name] = digests[one.Name]
	}
	return all
}
