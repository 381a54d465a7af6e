package images

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// What cannot be looked at is an error and has no report.
func TestCheckRefusesWhatItCannotRead(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		image      func(t *testing.T) v1.Image
	}{
		{"another digest than the config says", "the config says", func(t *testing.T) v1.Image {
			img := appendLayer(t, empty.Image, tarOf(t, tar.Header{Name: "a", Typeflag: tar.TypeReg, Mode: 0o444}))
			file, err := img.ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			file = file.DeepCopy()
			file.RootFS.DiffIDs[0].Hex = strings.Repeat("0", 64)
			if img, err = mutate.ConfigFile(img, file); err != nil {
				t.Fatal(err)
			}
			return img
		}},
		{"a path that leaves the image", "leaves the image", func(t *testing.T) v1.Image {
			return appendLayer(t, empty.Image, tarOf(t, tar.Header{Name: "a/../../etc/passwd", Typeflag: tar.TypeReg, Mode: 0o444}))
		}},
		{"a tar that breaks off", "unexpected EOF", func(t *testing.T) v1.Image {
			raw := tarOf(t, tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: 4096})
			return appendLayer(t, empty.Image, raw[:1024])
		}},
		{"a sparse file of zeros without end", "sparse files", func(t *testing.T) v1.Image {
			return appendLayer(t, empty.Image, sparse(t, 1<<60))
		}},
		{"an entry of a type that nobody knows", "cannot be looked at", func(t *testing.T) v1.Image {
			return appendLayer(t, empty.Image, tarOf(t, tar.Header{Name: "a", Typeflag: 'Z'}))
		}},
		{"a foreign layer", "cannot be looked at", func(t *testing.T) v1.Image {
			return appendRaw(t, types.DockerForeignLayer)
		}},
		{"an unknown media type", "cannot be looked at", func(t *testing.T) v1.Image {
			return appendRaw(t, "application/x-secret")
		}},
		{"a layer that is not there", "the disk is gone", func(t *testing.T) v1.Image {
			return many{empty.Image, []v1.Layer{lost{endless{}, nil}}}
		}},
		{"a layer of which the end is not there", "the disk is gone", func(t *testing.T) v1.Image {
			return many{empty.Image, []v1.Layer{lost{endless{}, tarOf(t, tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: 4096})[:2048]}}}
		}},
		{"a second tar after the end of the first", "something follows the end of its tar", func(t *testing.T) v1.Image {
			file := tarOf(t, tar.Header{Name: "etc/a", Typeflag: tar.TypeReg, Mode: 0o444})
			return appendLayer(t, empty.Image, append(file, file...))
		}},
		{"bytes that are no gzip", "", func(t *testing.T) v1.Image {
			return appendRaw(t, types.OCILayer)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := reportOn(tc.image(t))
			if err == nil {
				t.Fatalf("Check = %v, want an error", r)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("the error is %q, want it to say %q", err, tc.want)
			}
		})
	}
}

// A lost layer begins with what there is of it, if there is anything.
type lost struct {
	endless
	begin []byte
}

func (l lost) Uncompressed() (io.ReadCloser, error) {
	if l.begin == nil {
		return nil, errors.New("the disk is gone")
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(l.begin), failing{})), nil
}

// An index is as good as the worst image in it, and buildkit's statements in it
// are told by their layers, not by the platform that they claim.
func TestCheckLooksAtEveryImageOfAnIndex(t *testing.T) {
	good := withConfig(t, appendLayer(t, empty.Image, tarOf(t)), v1.Config{User: "1:1", Entrypoint: []string{"/app"}})
	bad := withConfig(t, appendLayer(t, empty.Image, tarOf(t)), v1.Config{User: "0:0", Entrypoint: []string{"/app"}})
	unknown := v1.Descriptor{Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}}
	statement, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte("{}"), "application/vnd.in-toto+json"))
	if err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: good},
		mutate.IndexAddendum{Add: statement, Descriptor: unknown},
		mutate.IndexAddendum{Add: bad, Descriptor: unknown},
	)
	r, err := reportOn(index)
	if err != nil {
		t.Fatal(err)
	}
	if got := findingsOf(r, "user"); !strings.Contains(got, `user "0" is root`) {
		t.Errorf("the bad image that calls itself unknown/unknown was not looked at: %q", got)
	}
	if r, err := reportOn(empty.Index); err == nil {
		t.Errorf("an index without images = %v, want an error", r)
	}
}

func tarOf(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(w, zeros{}, h.Size); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sparse returns a tar with one file, in GNU's form 1.0 of sparse files, that has
// size bytes and none of them in the tar.
func sparse(t *testing.T, size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	const holes = "0\n"
	content := holes + strings.Repeat("\x00", 512-len(holes))
	record := func(key, value string) string {
		line := " " + key + "=" + value + "\n"
		n := len(line) + 2
		return fmt.Sprint(n) + line
	}
	pax := record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") + record("GNU.sparse.name", "a") + record("GNU.sparse.realsize", fmt.Sprint(size))
	// The writer of the standard library refuses these keys: a file that becomes
	// the extended header when its type is changed, and its sum with it.
	for _, h := range []struct{ name, content string }{{"pax", pax}, {"a", content}} {
		if err := w.WriteHeader(&tar.Header{Name: h.name, Typeflag: tar.TypeReg, Size: int64(len(h.content)), Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, h.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	raw := b.Bytes()
	raw[156] = tar.TypeXHeader
	resum(raw)
	return raw
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func appendRaw(t *testing.T, mt types.MediaType) v1.Image {
	t.Helper()
	img, err := mutate.Append(empty.Image, mutate.Addendum{Layer: static.NewLayer([]byte("not a layer"), mt)})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// readBytes reads a file of one layer.
func readBytes(t *testing.T, name string, raw []byte) Entry {
	t.Helper()
	rd := &reading{ctx: t.Context(), unpacked: new(int64)}
	e, _, err := rd.entry(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o555, Size: int64(len(raw))}, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return *e
}

func TestPlacesArePrintable(t *testing.T) {
	e := &Entry{Path: "opt/\x1b[2J\nerror", Layer: 3}
	if got, want := e.Place(), `layer 3: "/opt/\x1b[2J\nerror"`; got != want {
		t.Errorf("place = %s, want %s", got, want)
	}
}
