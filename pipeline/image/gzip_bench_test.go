package image

import (
	"compress/gzip"
	"io"
	"testing"
	"time"

	kgzip "github.com/klauspost/compress/gzip"
)

// BenchmarkCompress compresses 20 MB of what looks like an executable, and in
// the same run the same bytes as one stream, with the same library and with the
// standard library as ko and docker do. It reports how many times faster than
// these the blocks are, and how much larger what comes out.
func BenchmarkCompress(b *testing.B) {
	content := noise(1, 20<<20)
	blocks := func(w io.Writer) error {
		return compress(w, func(z io.Writer) error {
			_, err := z.Write(content)
			return err
		})
	}
	streams := []struct {
		name     string
		compress func(io.Writer) error
	}{
		{"klauspost", func(w io.Writer) error {
			z, err := kgzip.NewWriterLevel(w, level)
			if err != nil {
				return err
			}
			return pour(z, content)
		}},
		{"std", func(w io.Writer) error { return pour(gzip.NewWriter(w), content) }},
	}
	var own cost
	others := make([]cost, len(streams))
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		own.add(b, blocks)
		for i, s := range streams {
			others[i].add(b, s.compress)
		}
	}
	b.ReportMetric(float64(own.size)/float64(b.N*len(content)), "compressed/byte")
	for i, s := range streams {
		b.ReportMetric(float64(others[i].took)/float64(own.took), "x-faster-than-"+s.name)
		b.ReportMetric(float64(own.size)/float64(others[i].size), "x-size-of-"+s.name)
	}
}

// A cost is what compressing has taken and given so far.
type cost struct {
	took time.Duration
	size int64
}

func (c *cost) add(b *testing.B, compress func(io.Writer) error) {
	b.Helper()
	var n counter
	start := time.Now()
	check(b, compress(&n))
	c.took += time.Since(start)
	c.size += int64(n)
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func pour(w io.WriteCloser, content []byte) error {
	if _, err := w.Write(content); err != nil {
		return err
	}
	return w.Close()
}
