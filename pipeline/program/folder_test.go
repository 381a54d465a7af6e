package program

import (
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/checks/sources"
	"temper/pipeline/service"
)

// What is looked at are the packages of the repository, wherever in it their module
// lies, and those of others that speak HTTP to them without a silent one between.
func TestFolder(t *testing.T) {
	dir := write(t, shop)
	for _, tc := range []struct {
		tags []string
		want []string
	}{
		{nil, []string{
			"example.com/agent agent/agent.go",
			"example.com/shop/internal/serve shop/internal/serve/serve.go",
			"example.com/web/deep (not own)",
			"example.com/web/vars (not own)",
			"example.com/web/router (not own)",
			"example.com/shop/cmd/shop shop/cmd/shop/main.go",
			"example.com/shop/unused shop/unused/unused.go",
		}},
		{[]string{"debug"}, []string{
			"example.com/agent agent/agent.go",
			"example.com/shop/internal/serve shop/internal/serve/debug.go shop/internal/serve/serve.go",
			"example.com/web/deep (not own)",
			"example.com/web/vars (not own)",
			"example.com/web/router (not own)",
			"example.com/shop/cmd/shop shop/cmd/shop/main.go",
			"example.com/shop/unused shop/unused/unused.go",
		}},
	} {
		p, err := Folder(t.Context(), filepath.Join(dir, "repo"), filepath.Join(dir, "repo", "shop"), tc.tags)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, outline(p)); diff != "" {
			t.Errorf("tags %v (-want +got):\n%s", tc.tags, diff)
		}
		for i, want := range []string{"1.25", "1.26", "1.24"} {
			if got := p.Packages[i].Go; got != want {
				t.Errorf("%s is in Go %s, want %s", p.Packages[i].Path, got, want)
			}
		}
		report, err := sources.Check(t.Context(), "shop", []*sources.Code{looks(new(atomic.Int32))}, nil, p)
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Findings) != 1 || report.Findings[0].Where() != "shop/internal/serve/serve.go:5:35 example.com/shop/internal/serve.Serve" {
			t.Errorf("found %v, want one in shop/internal/serve/serve.go", report.Findings)
		}
	}
}

// Vendored code is of the repository if what it is a copy of is.
func TestVendored(t *testing.T) {
	dir := write(t, `
-- repo/go.mod --
module example.com/shop

go 1.26

require (
	example.com/agent v1.0.0
	example.com/web v1.0.0
	example.com/far v1.0.0
)

replace (
	example.com/agent => ./agent
	example.com/web => ../web
)
-- repo/main.go --
package main

import (
	_ "example.com/agent"
	_ "example.com/far"
	_ "example.com/web"
)

func main() {}
-- repo/agent/go.mod --
module example.com/agent
-- repo/agent/agent.go --
package agent
-- repo/vendor/modules.txt --
# example.com/agent v1.0.0 => ./agent
## explicit; go 1.26
example.com/agent
# example.com/far v1.0.0
## explicit; go 1.26
example.com/far
# example.com/web v1.0.0 => ../web
## explicit; go 1.26
example.com/web
# example.com/agent => ./agent
# example.com/web => ../web
-- repo/vendor/example.com/agent/agent.go --
package agent
-- repo/vendor/example.com/far/far.go --
package far

import _ "net/http"
-- repo/vendor/example.com/web/web.go --
package web
`)
	root := filepath.Join(dir, "repo")
	p, err := Folder(t.Context(), root, root, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"example.com/agent vendor/example.com/agent/agent.go", "example.com/far (not own)", "example.com/shop main.go"}
	if diff := cmp.Diff(want, outline(p)); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

// All that is wrong is told at once, with files and lines, and by what to see it again.
func TestBroken(t *testing.T) {
	dir := write(t, `
-- go.mod --
module example.com/shop

go 1.26
-- a/a.go --
package a

func F() int { return "text" }
-- b/b.go --
package b

import "example.com/shop/nowhere"

var _ = nowhere.F
-- c/c.go --
package c

func F( {
-- d/d.go --
package d

import "example.com/shop/a"

var _ = a.F
-- e/e.go --
package e
-- e/f.go --
package f
`)
	_, err := Folder(t.Context(), dir, dir, []string{"debug"})
	var broken *BrokenError
	if !errors.As(err, &broken) {
		t.Fatalf("error %v, want one of what is broken", err)
	}
	for _, want := range []string{
		"a/a.go:3:23: cannot use", "b/b.go:3:8: no required module provides package example.com/shop/nowhere", "c/c.go:3:9: syntax error",
		"found packages e (e.go) and f (f.go)", "CGO_ENABLED=0 go build -tags=debug ./...",
	} {
		if n := strings.Count(err.Error(), want); n != 1 {
			t.Errorf("it says %d times, want once: %s", n, want)
		}
	}
	if strings.Contains(err.Error(), "\n"+dir) {
		t.Error("files are not named relative to the folder")
	}
	if t.Failed() {
		t.Log(err)
	}
}

// What needs cgo is no part of an image's program, nor is what needs that; and a
// workspace is all of its modules.
func TestWithoutCgo(t *testing.T) {
	dir := write(t, `
-- go.work --
go 1.26

use (
	./one
	./two
)
-- one/go.mod --
module example.com/one

go 1.26
-- one/c/c.go --
package c

// int f(void) { return 1; }
import "C"

func F() int { return int(C.f()) }
-- one/part/part.go --
package part

func G() int { return f() }
-- one/part/cgo.go --
package part

import "C"

func f() int { return 1 }
-- one/either/cgo.go --
package either

import "C"

func F() {}
-- one/either/pure.go --
//go:build !cgo

package either

func F() {}
-- one/windows/windows.go --
//go:build windows

package windows
-- two/go.mod --
module example.com/two

go 1.26
-- two/uses/uses.go --
package uses

import "example.com/one/c"

var _ = c.F
-- two/again/again.go --
package again

import "example.com/two/uses"

var _ = uses.X
-- two/pure/pure.go --
package pure

import "example.com/one/either"

var _ = either.F
`)
	p, err := Folder(t.Context(), dir, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"example.com/one/either one/either/pure.go", "example.com/two/pure two/pure/pure.go"}, outline(p)); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"example.com/one/c", "example.com/one/part", "example.com/two/again", "example.com/two/uses"}, p.Without); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
}

// A folder with nothing for an image in it is an answer of its own.
func TestNone(t *testing.T) {
	dir := write(t, `
-- go.mod --
module example.com/none

go 1.26
-- a_test.go --
package a
-- windows/windows.go --
//go:build windows

package windows
`)
	if p, err := Folder(t.Context(), dir, dir, nil); !errors.Is(err, ErrNone) {
		t.Errorf("program %v, error %v; want %v", p, err, ErrNone)
	}
}

// A repository is all modules of its services, by the tags of each.
func TestRepository(t *testing.T) {
	dir := write(t, shop+`
-- repo/temper.yaml --
services:
  - {name: shop, dir: shop, package: ./cmd/shop}
  - {name: debug, dir: shop, package: ./cmd/shop, tags: [debug]}
  - {name: again, dir: shop, package: ./cmd/shop, tags: [debug]}
`)
	repo, err := service.Load(t.Context(), filepath.Join(dir, "repo"))
	if err != nil {
		t.Fatal(err)
	}
	programs, err := Repository(t.Context(), repo)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, p := range programs {
		for _, pkg := range p.Packages {
			if pkg.Path == "example.com/shop/internal/serve" {
				for _, f := range pkg.Files {
					files = append(files, f.Name)
				}
			}
		}
	}
	want := []string{"shop/internal/serve/debug.go", "shop/internal/serve/serve.go", "shop/internal/serve/serve.go"}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("files of both programs (-want +got):\n%s", diff)
	}
}
