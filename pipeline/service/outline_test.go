package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

const outlined = `
-- temper.yaml --
services:
  - {name: orders, dir: orders, package: ./cmd/orders, files: [{from: assets, to: /srv}], manifests: [deploy]}
  - {name: stock, dir: stock}
-- go.work --
go 1.26

use ./stock
-- orders/go.mod --
module example.com/orders

go 1.26

require example.com/lib v0.0.0

replace example.com/lib => ../lib

replace example.com/elsewhere => ../../elsewhere
-- stock/go.mod --
module example.com/stock

go 1.26
-- lib/go.mod --
module example.com/lib

go 1.26
`

// Of a repository without its code as much is known as of one with it, as far as
// temper.yaml and the files of modules tell.
func TestLoadOutline(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse([]byte(outlined)).Files {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(t.Context(), dir); err == nil {
		t.Error("a repository without its code loads")
	}
	repo, err := LoadOutline(dir)
	if err != nil {
		t.Fatal(err)
	}
	type seen struct {
		Name, Module, Workfile, Package string
		Files, Manifests, Modules       []string
	}
	rel := func(paths ...string) []string {
		var list []string
		for _, path := range paths {
			list = append(list, slashed(dir, path))
		}
		return list
	}
	var got []seen
	for _, s := range repo.Services {
		modules, err := s.LocalModules()
		if err != nil {
			t.Fatal(err)
		}
		one := seen{Name: s.Name, Module: slashed(dir, s.Module), Package: s.Package, Manifests: rel(s.Manifests...), Modules: rel(modules...)}
		if s.Workfile != "" {
			one.Workfile = slashed(dir, s.Workfile)
		}
		for _, f := range s.Files {
			one.Files = append(one.Files, slashed(dir, f.From))
		}
		got = append(got, one)
	}
	want := []seen{
		{Name: "orders", Module: "orders", Package: "./cmd/orders", Files: []string{"orders/assets"}, Manifests: []string{"orders/deploy"}, Modules: []string{"lib", "orders"}},
		{Name: "stock", Module: "stock", Workfile: "go.work", Package: ".", Modules: []string{"stock", "vendor"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	for text, wrong := range map[string]string{
		"services: [{name: a, dir: ../b}]":                                 "leaves the repository",
		"services: [{name: a, dir: temper.yaml}]":                          "is not a folder",
		"services: [{name: a, files: [{from: /etc/passwd, to: /passwd}]}]": "is absolute",
		"services: [{name: a, dir: none}]":                                 "belongs to no module",
		"go: 1.26.8":                                                       "names no services",
	} {
		if err := os.WriteFile(filepath.Join(dir, ConfigName), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadOutline(dir); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s gives %v, want %q", text, err, wrong)
		}
	}
}
