package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"temper/pipeline/binary"
	"temper/pipeline/image"
	"temper/pipeline/license"
	"temper/pipeline/service"
)

// Several images want a name; #NAME is one where the argument does not exist as
// it is.
func TestFindOne(t *testing.T) {
	layout := filepath.Join(t.TempDir(), "oci")
	want := make(map[string]v1.Hash)
	var entries []image.Entry
	for _, name := range []string{"orders", "web"} {
		img, err := random.Image(16, 1)
		if err != nil {
			t.Fatal(err)
		}
		if want[name], err = img.Digest(); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, image.Entry{Name: name, Artifact: img})
	}
	if err := image.Write(layout, entries...); err != nil {
		t.Fatal(err)
	}
	find := func(arg string) (subject, error) {
		return findOne(context.Background(), arg, filepath.Join(t.TempDir(), "unpacked"))
	}
	for name := range want {
		got, err := find(layout + "#" + name)
		if err != nil {
			t.Fatal(err)
		}
		if digest, err := got.artifact.Digest(); err != nil || digest != want[name] {
			t.Errorf("%s is %s, %v, want %s", name, digest, err, want[name])
		}
	}
	for arg, says := range map[string]string{
		layout:           "holds 2 images: orders, web",
		layout + "#":     "holds 2 images: orders, web",
		layout + "#none": `holds no image "none"; it holds: orders, web`,
	} {
		_, err := find(arg)
		var usage *usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q as a usage error", arg, err, says)
		}
	}
}

func TestDocumentName(t *testing.T) {
	got := make(map[string]string)
	want := map[string]string{
		"orders":                               "orders",
		"ghcr.io/acme/shop/orders:v1":          "orders",
		"localhost:5000/orders@sha256:0123":    "orders",
		"localhost:5000/orders:v1@sha256:0123": "orders",
		"My Image (copy).tar":                  "my-image-copy",
		`"\x1b[2J"`:                            "x1b-2j",
		"..":                                   "image",
		"":                                     "image",
	}
	for name := range want {
		got[name] = documentName(name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names of documents (-want +got):\n%s", diff)
	}
}

// Licences are looked for where Go has compiled from.
func TestSourcesOf(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{"vendored/vendor/modules.txt", "plain/vendor/notes.txt", "work/vendor/modules.txt", "work/vendored/vendor/modules.txt"} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, test := range map[string]struct {
		svc  service.Service
		want license.Folders
	}{
		"a vendor folder":         {service.Service{Module: at("vendored")}, license.Folders{Vendor: at("vendored/vendor")}},
		"a folder of that name":   {service.Service{Module: at("plain")}, license.Folders{}},
		"a workspace's":           {service.Service{Module: at("work/shop"), Workfile: at("work/go.work")}, license.Folders{Work: at("work"), Vendor: at("work/vendor")}},
		"not that of its modules": {service.Service{Module: at("vendored"), Workfile: at("plain/go.work")}, license.Folders{Work: at("plain")}},
	} {
		test.svc.Root = dir
		test.want.ModCache, test.want.Go, test.want.Repository, test.want.Module = "/modules", "/go", dir, test.svc.Module
		got := sourcesOf(&test.svc, &binary.Toolchain{Root: "/go", ModCache: "/modules"})
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
