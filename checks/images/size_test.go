package images

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A layer of any size takes a window and its entries of memory: here 1 GB in
// 20,000 files, of which one is large data, one a large program and one a large
// archive.
func TestMemoryIsBounded(t *testing.T) {
	layer := &generated{write: func(w *tar.Writer) error {
		for i := range 20_000 {
			h := &tar.Header{Name: fmt.Sprintf("srv/files/%d", i), Typeflag: tar.TypeReg, Mode: 0o444, Size: 2 << 10}
			if err := writeZeros(w, h, ""); err != nil {
				return err
			}
		}
		if err := writeZeros(w, &tar.Header{Name: "srv/zeros", Typeflag: tar.TypeReg, Mode: 0o444, Size: 700 << 20}, ""); err != nil {
			return err
		}
		if err := writeZeros(w, &tar.Header{Name: "srv/program", Typeflag: tar.TypeReg, Mode: 0o444, Size: 150 << 20}, "\x7fELF\x02\x01\x01"); err != nil {
			return err
		}
		return writeZeros(w, &tar.Header{Name: "srv/archive", Typeflag: tar.TypeReg, Mode: 0o444, Size: 150 << 20}, "PK\x03\x04")
	}}
	sum := sha256.New()
	r, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(sum, r); err != nil || n < 1_000_000_000 {
		t.Fatalf("the layer has %d bytes: %v", n, err)
	}
	debug.FreeOSMemory()
	before := heap()
	layer.during = func() { layer.peak = max(layer.peak, heap()) }
	entries, err := readLayer(&reading{ctx: t.Context(), unpacked: new(int64)}, layer, v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))})
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 20_003 {
		t.Errorf("%d entries", len(entries))
	}
	const bound = 150 << 20
	if layer.peak <= before {
		t.Logf("the heap of %d MB did not grow", before>>20)
	} else if grown := layer.peak - before; grown > bound {
		t.Errorf("reading takes %d MB of memory", grown>>20)
	} else {
		t.Logf("reading takes %d MB of memory", grown>>20)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapSys - m.HeapReleased
}

func writeZeros(w *tar.Writer, h *tar.Header, head string) error {
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	for left := h.Size - int64(len(head)); left > 0; left -= int64(len(block)) {
		if _, err := w.Write(block[:min(left, int64(len(block)))]); err != nil {
			return err
		}
	}
	return nil
}

// A generated layer is written anew whenever it is read.
type generated struct {
	v1.Layer
	write  func(w *tar.Writer) error
	during func() // called now and then while it is read
	peak   uint64
}

func (g *generated) MediaType() (types.MediaType, error) { return types.OCIUncompressedLayer, nil }

func (g *generated) Uncompressed() (io.ReadCloser, error) {
	r, w := io.Pipe()
	go func() {
		t := tar.NewWriter(w)
		err := g.write(t)
		if err == nil {
			err = t.Close()
		}
		w.CloseWithError(err)
	}()
	return &sampled{ReadCloser: r, during: g.during}, nil
}

type sampled struct {
	io.ReadCloser
	during func()
	n      int
}

func (s *sampled) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if s.n += n; s.during != nil && s.n > 4<<20 {
		s.n = 0
		s.during()
	}
	return n, err
}
