package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/flate"
)

// blockSize and level are part of every image's digest, as is the version of
// klauspost/compress that go.mod pins: to change one is to change [Format].
//
// At 1 MiB a block, a 20 MB executable keeps twenty cores busy and is 0.2%
// larger than in one piece. Level 6 comes within 3% of the standard library's
// default in a third of its time on one core.
const (
	blockSize = 1 << 20
	level     = 6
)

// maxBlocks bounds the blocks in flight, and so the memory, whatever the
// number of cores.
const maxBlocks = 16

// gzipHeader is that of a member without name and time, from an unknown
// operating system.
// https://www.rfc-editor.org/rfc/rfc1952#section-2.3
var gzipHeader = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}

// compress writes to w, as one gzip member, what fill writes.
//
// The blocks are deflated independently and in parallel. Each ends on a byte
// boundary (a flush), so that they follow one another in a single deflate
// stream, as pigz -i does it: not every reader of layers takes a gzip file
// with more than one member. The bytes depend on neither the number of cores
// nor on how fill cuts its writes.
func compress(w io.Writer, fill func(io.Writer) error) error {
	z := &compressor{
		block: idle.Get().(*block),
		parts: make(chan chan part, min(runtime.GOMAXPROCS(0), maxBlocks)),
		done:  make(chan error),
	}
	go z.collect(w)
	err := fill(z)
	z.deflate(true)
	close(z.parts)
	return errors.Join(err, <-z.done)
}

// A compressor cuts what is written to it into blocks.
type compressor struct {
	block *block
	crc   uint32
	size  uint32 // modulo 2^32, as gzip has it
	// parts are the blocks in their order, each to come when it is ready.
	parts chan chan part
	done  chan error
}

// A part is a deflated block.
type part struct {
	*block
	err error
}

func (z *compressor) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		room := min(blockSize-len(z.block.in), len(p))
		z.block.in = append(z.block.in, p[:room]...)
		p = p[room:]
		if len(z.block.in) == blockSize {
			z.deflate(false)
		}
	}
	return n, nil
}

// deflate hands the block over and begins the next.
func (z *compressor) deflate(last bool) {
	b := z.block
	z.crc = crc32.Update(z.crc, crc32.IEEETable, b.in)
	z.size += uint32(len(b.in))
	z.block = nil
	if !last {
		z.block = idle.Get().(*block)
	}
	ready := make(chan part, 1)
	z.parts <- ready // waits while too many are in flight
	go func() { ready <- part{b, b.deflate(last)} }()
}

// A block is deflated in memory that it keeps for the next one: what a system hands out
// anew takes it a third as long again.
type block struct {
	in  []byte
	out bytes.Buffer
	w   *flate.Writer
}

// idle are blocks that nobody uses.
var idle = sync.Pool{New: func() any { return &block{in: make([]byte, 0, blockSize)} }}

// deflate deflates what is in it. A writer that is used again keeps its tables, and what
// they say of earlier blocks is further back than a match may be: it writes what a new one
// would ([TestUsedAgain]).
func (b *block) deflate(last bool) (err error) {
	b.out.Reset()
	if b.w == nil {
		b.w, err = flate.NewWriter(&b.out, level)
	} else {
		b.w.Reset(&b.out)
	}
	if err == nil {
		_, err = b.w.Write(b.in)
	}
	if err != nil {
		return err
	}
	if last {
		return b.w.Close()
	}
	return b.w.Flush()
}

// rest takes the block as it is for the next.
func (b *block) rest() {
	b.in = b.in[:0]
	idle.Put(b)
}

// collect writes the member: header, blocks, trailer.
func (z *compressor) collect(w io.Writer) {
	_, err := w.Write(gzipHeader)
	for ready := range z.parts {
		p := <-ready
		if err == nil {
			err = p.err
		}
		if err == nil {
			_, err = w.Write(p.out.Bytes())
		}
		p.rest()
	}
	if err == nil { // crc and size are settled: parts is closed
		trailer := binary.LittleEndian.AppendUint32(nil, z.crc)
		_, err = w.Write(binary.LittleEndian.AppendUint32(trailer, z.size))
	}
	z.done <- err
}
