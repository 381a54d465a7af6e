package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"temper/pipeline/image"
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
		"My Image (copy).tar":                  "my-image-copy-.tar",
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
