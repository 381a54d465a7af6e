package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	archives "github.com/google/go-containerregistry/pkg/v1/tarball"
)

// packed writes a tar of these entries.
func packed(t *testing.T, headers ...tar.Header) string {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, h := range headers {
		content := []byte(h.Linkname)
		if h.Typeflag == 0 {
			h.Typeflag, h.Linkname, h.Size = tar.TypeReg, "", int64(len(content))
		}
		h.Mode = 0o644
		check(t, w.WriteHeader(&h))
		if h.Typeflag == tar.TypeReg {
			must(w.Write(content))(t)
		}
	}
	check(t, w.Close())
	file := filepath.Join(t.TempDir(), "x.tar")
	check(t, os.WriteFile(file, buf.Bytes(), 0o600))
	return file
}

func TestUnpack(t *testing.T) {
	img := assemble(t, orders(t), Options{}, amd64).(v1.Image)
	file, dir := filepath.Join(t.TempDir(), "x.tar"), t.TempDir()
	check(t, WriteTarball(file, Entry{Name: "orders", Artifact: img}))
	check(t, Unpack(file, dir))
	entries := must(Read(dir))(t)
	if len(entries) != 1 || digestOf(t, entries[0].Artifact) != digestOf(t, img) {
		t.Errorf("what was written is not what is read: %v", entries)
	}
}

// The content of an entry stands in its link name.
func TestUnpackRefuses(t *testing.T) {
	layout := []tar.Header{{Name: "oci-layout", Linkname: mark}, {Name: "index.json", Linkname: "{}"}}
	for _, tt := range []struct {
		name    string
		headers []tar.Header
		tell    string
	}{
		{"a name twice", append(slices.Clone(layout), tar.Header{Name: "./index.json", Linkname: "other"}), "exists"},
		{"a file below a file", append(slices.Clone(layout), tar.Header{Name: "blobs/a", Linkname: "x"}, tar.Header{Name: "blobs/a/b", Linkname: "x"}), "blobs/a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mentions(t, Unpack(packed(t, tt.headers...), t.TempDir()), tt.tell)
		})
	}
}

// A tarball can say one thing to readers of layouts and another to docker.
func TestLoadable(t *testing.T) {
	img := assemble(t, orders(t), Options{}, amd64).(v1.Image)
	file, dir := filepath.Join(t.TempDir(), "x.tar"), t.TempDir()
	check(t, WriteTarball(file, Entry{Name: "orders", Artifact: img}))
	check(t, Unpack(file, dir))
	check(t, Loadable(dir, map[v1.Hash]bool{must(img.ConfigName())(t): true}))
	mentions(t, Loadable(dir, nil), "which its index.json does not lead to")
	check(t, os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(`[{"Config": "other.json"}]`), 0o600))
	mentions(t, Loadable(dir, map[v1.Hash]bool{must(img.ConfigName())(t): true}), "other.json")
	check(t, os.Remove(filepath.Join(dir, "manifest.json")))
	check(t, Loadable(dir, nil))
}

func TestUnambiguous(t *testing.T) {
	once := []tar.Header{{Name: "manifest.json", Linkname: "[]"}, {Name: "a", Typeflag: tar.TypeDir}, {Name: "./a/", Typeflag: tar.TypeDir}}
	check(t, Unambiguous(packed(t, once...)))
	mentions(t, Unambiguous(packed(t, append(once, tar.Header{Name: "./manifest.json", Linkname: "other"})...)), "holds /manifest.json twice")
}

// A sparse file is a few bytes that say they are many.
func TestUnpackIsBounded(t *testing.T) {
	var records string
	for _, r := range []string{"GNU.sparse.size=8589934592", "GNU.sparse.numblocks=1", "GNU.sparse.map=0,0"} {
		records += fmt.Sprintf("%d %s\n", len(r)+4, r)
	}
	file := packed(t, tar.Header{Name: "oci-layout", Linkname: mark}, tar.Header{Name: "records", Linkname: records}, tar.Header{Name: "blobs/a", Linkname: ""})
	raw := must(os.ReadFile(file))(t)
	header := raw[1024:1536] // of the records, which become those of the next file
	header[156] = tar.TypeXHeader
	copy(header[148:], "        ")
	sum := 0
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:], fmt.Sprintf("%06o\x00 ", sum))
	check(t, os.WriteFile(file, raw, 0o600))
	mentions(t, Unpack(file, t.TempDir()), "blobs/a is larger than the archive")
}

// What leads out of the folder, and what is not the layout's, stays packed.
func TestUnpackTakesTheLayoutOnly(t *testing.T) {
	outside := t.TempDir()
	dir := filepath.Join(outside, "in")
	check(t, os.Mkdir(dir, 0o700))
	check(t, Unpack(packed(t,
		tar.Header{Name: "oci-layout", Linkname: mark},
		tar.Header{Name: "../escaped", Linkname: "x"},
		tar.Header{Name: "blobs/../../escaped", Linkname: "x"},
		tar.Header{Name: "/escaped", Linkname: "x"},
		tar.Header{Name: "blobs/link", Typeflag: tar.TypeSymlink, Linkname: outside},
		tar.Header{Name: "other", Linkname: "x"},
	), dir))
	for _, path := range []string{filepath.Join(outside, "escaped"), filepath.Join(dir, "escaped"), filepath.Join(dir, "other"), filepath.Join(dir, "blobs/link")} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s was unpacked", path)
		}
	}
}

func TestUnpackOfDockersOwn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.tar")
	check(t, archives.WriteToFile(file, must(name.NewTag("example.com/x:v1"))(t), small(t, "x")))
	if err := Unpack(file, t.TempDir()); !errors.Is(err, ErrNoLayout) {
		t.Errorf("Unpack = %v, want %v", err, ErrNoLayout)
	}
	check(t, os.WriteFile(file, []byte("no tar at all, however long it may be"), 0o600))
	if err := Unpack(file, t.TempDir()); err == nil || errors.Is(err, ErrNoLayout) {
		t.Errorf("Unpack of what is no tar = %v", err)
	}
}
