package image

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"
)

// gzipped compresses content that is written in pieces of the given size.
func gzipped(t testing.TB, content []byte, piece int) []byte {
	t.Helper()
	var buf bytes.Buffer
	check(t, compress(&buf, func(w io.Writer) error {
		for rest := content; len(rest) > 0; {
			n, err := w.Write(rest[:min(piece, len(rest))])
			if err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	}))
	return buf.Bytes()
}

// gunzipped is what the standard library reads, in one member and no more.
func gunzipped(t testing.TB, raw []byte) []byte {
	t.Helper()
	from := bytes.NewReader(raw)
	z := must(gzip.NewReader(from))(t)
	z.Multistream(false)
	content := must(io.ReadAll(z))(t)
	if from.Len() > 0 {
		t.Errorf("%d bytes follow the first member", from.Len())
	}
	if !z.ModTime.IsZero() || z.Name != "" || z.OS != 255 {
		t.Errorf("the header says %+v, want nothing", z.Header)
	}
	return content
}

// sizes are those around the seams between blocks.
var sizes = []int{0, 1, blockSize - 1, blockSize, blockSize + 1, 3*blockSize + 1}

func TestCompress(t *testing.T) {
	for _, size := range sizes {
		content := noise(1, size)
		raw := gzipped(t, content, 1<<30)
		if got := gunzipped(t, raw); !bytes.Equal(got, content) {
			t.Errorf("of %d bytes %d come back, and not the same ones", size, len(got))
		}
		if got := must(io.ReadAll(must(kgzip.NewReader(bytes.NewReader(raw)))(t)))(t); !bytes.Equal(got, content) {
			t.Errorf("of %d bytes klauspost/compress reads %d, and not the same ones", size, len(got))
		}
	}
}

// The bytes depend on neither the cores nor on how the content is cut.
func TestCompressIsDeterministic(t *testing.T) {
	for _, size := range sizes {
		content := noise(1, size)
		want := gzipped(t, content, 1<<30)
		for _, cores := range []int{1, 4} {
			before := runtime.GOMAXPROCS(cores)
			for _, piece := range []int{1 << 30, 4093, blockSize + 1} {
				if got := gzipped(t, content, piece); !bytes.Equal(got, want) {
					t.Errorf("%d bytes in pieces of %d on %d cores are %s, want %s", size, piece, cores, sum(got), sum(want))
				}
			}
			runtime.GOMAXPROCS(before)
		}
	}
}

// The bytes of Format 1. If they change, by another version of
// klauspost/compress or another block size, so does every image: raise Format.
func TestCompressFormat(t *testing.T) {
	const want = "sha256:e36d0d7ee42639f333b930d5fb3bb7a568fc7321571dd80c37711bc85bb3291b"
	if got := sum(gzipped(t, noise(1, 5<<19), 1<<30)).String(); got != want {
		t.Errorf("the compressed bytes are %s, want %s", got, want)
	}
}

func TestCompressErrors(t *testing.T) {
	broken := errors.New("broken")
	content := noise(1, 3*blockSize)
	fills := map[string]func(io.Writer) error{
		"at once": func(io.Writer) error { return broken },
		"late": func(w io.Writer) error {
			_, err := w.Write(content)
			return errors.Join(err, broken)
		},
	}
	for name, fill := range fills {
		if err := compress(io.Discard, fill); !errors.Is(err, broken) {
			t.Errorf("reading breaks %s, and the error is %v", name, err)
		}
	}
	for after := range 5 {
		w := &breaking{after: after, err: broken}
		err := compress(w, func(w io.Writer) error {
			_, err := w.Write(content)
			return err
		})
		if !errors.Is(err, broken) {
			t.Errorf("write %d breaks, and the error is %v", after+1, err)
		}
	}
}

// A breaking writer returns an error after some writes.
type breaking struct {
	after int
	err   error
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.after == 0 {
		return 0, b.err
	}
	b.after--
	return len(p), nil
}

// FuzzCompress joins a little content with itself, to cross the seams between
// blocks, and cuts it anywhere.
func FuzzCompress(f *testing.F) {
	f.Add([]byte(nil), 0, uint64(0))
	f.Add([]byte("temper"), 1, uint64(1))
	f.Add([]byte("temper"), blockSize/6+1, uint64(2))
	f.Add(noise(1, 1000), 1049, uint64(3))
	f.Add(make([]byte, 4096), 256, uint64(4))
	f.Fuzz(func(t *testing.T, piece []byte, times int, seed uint64) {
		if times < 0 || len(piece)*min(times, 4*blockSize) > 4*blockSize {
			t.Skip("too much for one round")
		}
		content := bytes.Repeat(piece, times)
		want := gzipped(t, content, 1<<30)
		if got := gunzipped(t, want); !bytes.Equal(got, content) {
			t.Fatalf("of %d bytes %d come back, and not the same ones", len(content), len(got))
		}
		r := rand.New(rand.NewPCG(seed, 0))
		if got := gzipped(t, content, 1+r.IntN(2*blockSize)); !bytes.Equal(got, want) {
			t.Fatalf("cut otherwise, %d bytes are %s, want %s", len(content), sum(got), sum(want))
		}
	})
}

// A block that was used before deflates like a new one, whatever was in it: the digests of
// images stand on that.
func TestUsedAgain(t *testing.T) {
	program := must(os.ReadFile(must(os.Executable())(t)))(t)
	random, text := noise(1, blockSize), bytes.Repeat([]byte("a layer of an image, "), blockSize/21)
	var contents [][]byte
	for at := 0; at < len(program) && at < 16*blockSize; at += blockSize {
		contents = append(contents, program[at:min(at+blockSize, len(program))])
	}
	// What was in the one before, at once, from its end, or a little further on: what the
	// tables know and may not be told.
	contents = append(contents, random, random, random[blockSize-100:], random[1:], random[:40_000], text, text[:1000], nil, text[5:], random[:7], program[1:blockSize])
	used := idle.New().(*block)
	for round := range 3 {
		for i, content := range contents {
			last := (i+round)%5 == 0
			fresh := idle.New().(*block)
			for _, b := range []*block{used, fresh} {
				b.in = append(b.in[:0], content...)
				check(t, b.deflate(last))
			}
			if !bytes.Equal(used.out.Bytes(), fresh.out.Bytes()) {
				t.Fatalf("round %d: content %d deflates to %d bytes, and anew to %d or others", round, i, used.out.Len(), fresh.out.Len())
			}
		}
	}
}
