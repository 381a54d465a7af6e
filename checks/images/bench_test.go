package images

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// A check of an image of 20 MB, of which the program of this very test is the
// most and the rest is text: read for the first time, and remembered.
func BenchmarkCheck(b *testing.B) {
	program, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	app, err := os.ReadFile(program)
	if err != nil {
		b.Fatal(err)
	}
	const size = 20 << 20
	text := bytes.Repeat([]byte("all that a service serves, and nothing that is secret\n"), max(0, size-len(app))/54)
	var layer bytes.Buffer
	z := gzip.NewWriter(&layer)
	w := tar.NewWriter(z)
	for name, content := range map[string][]byte{"app": app, "srv/text": text} {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o555, Size: int64(len(content))}); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		b.Fatal(err)
	}
	packed, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	if err != nil {
		b.Fatal(err)
	}
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: v1.Config{User: "65532:65532", Entrypoint: []string{"/app"}}})
	if err != nil {
		b.Fatal(err)
	}
	if img, err = mutate.AppendLayers(img, packed); err != nil {
		b.Fatal(err)
	}
	run := func(name string, memory func() (*Memory, error)) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				m, err := memory()
				if err != nil {
					b.Fatal(err)
				}
				if _, err := Check(b.Context(), "bench", img, Options{Memory: m}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	dir := b.TempDir()
	run("read", func() (*Memory, error) { return nil, nil })
	run("remembered", func() (*Memory, error) { return NewMemory(dir) })
}
