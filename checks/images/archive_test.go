package images

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// pack puts a file into an archive, or compresses it.
func pack(t testing.TB, kind, name string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch kind {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zstd":
		w, err = zstd.NewWriter(&b)
	case "tar":
		archive := tar.NewWriter(&b)
		w, err = archive, archive.WriteHeader(&tar.Header{Name: name, Mode: 0o6777, Size: int64(len(data))})
	case "zip":
		archive := zip.NewWriter(&b)
		var file io.Writer
		if file, err = archive.Create(name); err == nil {
			_, err = file.Write(data)
		}
		w, data = nopWriter{archive}, nil
	default:
		t.Fatalf("nothing packs %s", kind)
	}
	if err == nil && data != nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// nopWriter closes what is written to in another way.
type nopWriter struct{ io.Closer }

func (nopWriter) Write([]byte) (int, error) { return 0, nil }

func TestArchivesAreBounded(t *testing.T) {
	gz := func(n int64, w io.Writer) {
		z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(z, zeros{}, n); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name string
		make func(w *bytes.Buffer)
		want string
	}{
		{"zeros that fit", func(w *bytes.Buffer) { gz(minUnpacked-1, w) }, ""},
		{"zeros that do not", func(w *bytes.Buffer) { gz(minUnpacked+1, w) }, "unpacks to more than"},
		{"too many files", func(w *bytes.Buffer) {
			z := tar.NewWriter(w)
			for i := range maxMembers + 1 {
				if err := z.WriteHeader(&tar.Header{Name: fmt.Sprint(i)}); err != nil {
					t.Fatal(err)
				}
			}
			z.Close()
		}, "more than 131072 files"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			test.make(&b)
			e := readBytes(t, "opt/bomb", b.Bytes())
			if test.want == "" && e.unopened != "" || !strings.Contains(e.unopened, test.want) {
				t.Errorf("unopened = %q, want %q", e.unopened, test.want)
			}
		})
	}
}

// A layer that breaks off inside of an archive is an error about the layer.
func TestArchiveInABrokenLayer(t *testing.T) {
	raw := pack(t, "gzip", "", pack(t, "tar", "x", bytes.Repeat([]byte("data"), 4096)))
	rd := &reading{ctx: t.Context(), unpacked: new(int64)}
	broken := io.MultiReader(bytes.NewReader(raw[:len(raw)/2]), failing{})
	_, _, err := rd.entry(&tar.Header{Name: "x.tgz", Typeflag: tar.TypeReg, Size: int64(len(raw))}, broken)
	if err == nil || !strings.Contains(err.Error(), "the disk is gone") {
		t.Errorf("error = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rd = &reading{ctx: ctx, unpacked: new(int64)}
	if _, _, err := rd.entry(&tar.Header{Name: "x.tgz", Typeflag: tar.TypeReg, Size: int64(len(raw))}, bytes.NewReader(raw)); err == nil {
		t.Error("what was not unpacked because the context ended passes")
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, fmt.Errorf("the disk is gone") }

// FuzzArchive unpacks any bytes: the layer around them is whole, so there is an
// answer about them.
func FuzzArchive(f *testing.F) {
	for _, seed := range []string{"PK\x03\x04", "\x1f\x8b\x08", "BZh91AY&SY", "\x28\xb5\x2f\xfd"} {
		f.Add([]byte(seed))
	}
	for _, kind := range []string{"gzip", "zstd", "tar", "zip"} {
		f.Add(pack(f, kind, "bin/nc", []byte("\x7fELF")))
		f.Add(pack(f, "zip", "x", pack(f, kind, "bin/run", []byte("#!/bin/sh"))))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		rd := &reading{ctx: t.Context(), unpacked: new(int64)}
		e, inside, err := rd.entry(&tar.Header{Name: "x", Typeflag: tar.TypeReg, Size: int64(len(raw))}, bytes.NewReader(raw))
		if err != nil || e == nil {
			t.Fatalf("reading bytes = %v, %v, %v", e, inside, err)
		}
		for _, in := range inside {
			if !in.inside || in.Format == "" && len(in.secrets) == 0 && in.unopened == "" {
				t.Errorf("%+v is kept of an archive, and is no finding", in)
			}
		}
	})
}

// Whoever reads zip archives begins at their end, and finds one behind a picture.
func TestZipBehindSomethingElse(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n")
	w := zip.NewWriter(&b)
	if _, err := w.Create("busybox"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if e := readBytes(t, "logo.png", b.Bytes()); !strings.Contains(e.unopened, "ends as a zip archive") {
		t.Errorf("it is %q", e.unopened)
	}
	if e := readBytes(t, "logo.png", append(b.Bytes(), "and more"...)); e.unopened != "" {
		t.Errorf("one that breaks off is %q", e.unopened)
	}
}
