package images

import (
	"math"
	"sync"
)

// needles finds many strings in one pass, skipping over most of what it reads,
// as Wu and Manber describe it ("A fast algorithm for multi-pattern searching",
// 1994): the two bytes at the end of a window as long as the shortest needle
// tell how far off the next place is where any needle can begin.
type needles struct {
	list  []string
	min   int // bytes of the shortest
	max   int // bytes of the longest
	shift [1 << 16]uint8
	ends  map[uint16][]int // needles whose first min bytes end in these two
}

// newNeedles takes strings of at least two bytes.
func newNeedles(list []string) *needles {
	n := &needles{list: list, min: math.MaxUint8, ends: make(map[uint16][]int)}
	for _, s := range list {
		n.min, n.max = min(n.min, len(s)), max(n.max, len(s))
	}
	for i := range n.shift {
		n.shift[i] = uint8(n.min - 1)
	}
	for i, s := range list {
		for end := 2; end <= n.min; end++ {
			block := uint16(s[end-2])<<8 | uint16(s[end-1])
			n.shift[block] = min(n.shift[block], uint8(n.min-end))
			if end == n.min {
				n.ends[block] = append(n.ends[block], i)
			}
		}
	}
	return n
}

// find calls f for each needle that begins in buf at or after from and before
// to, in the order of the places.
func (n *needles) find(buf []byte, from, to int, f func(needle, at int)) {
	last := min(len(buf), to-1+n.min)
	for end := from + n.min; end <= last; {
		block := uint16(buf[end-2])<<8 | uint16(buf[end-1])
		if skip := n.shift[block]; skip > 0 {
			end += int(skip)
			continue
		}
		at := end - n.min
		for _, i := range n.ends[block] {
			if s := n.list[i]; len(buf)-at >= len(s) && string(buf[at:at+len(s)]) == s {
				f(i, at)
			}
		}
		end++
	}
}

const (
	scanWindow = 256 << 10
	// scanAfter is how much of what follows a needle its judge is shown; the
	// PEM of an RSA key of 16384 bits has 13 kB.
	scanAfter = 32 << 10
	// scanBefore is how much of what precedes it, for the boundaries of words.
	scanBefore = 256
)

// A scanner is written a file of any size, keeps a window of it, and shows each
// needle with what stands around it.
type scanner struct {
	needles *needles
	// found is told of each needle: where it begins in text. The text holds
	// scanBefore bytes before and scanAfter bytes after, unless the file does not.
	found func(needle, at int, text []byte)
	buf   []byte
	from  int // needles that begin before it were shown
}

var scanBuffers = sync.Pool{New: func() any { b := make([]byte, 0, scanWindow+scanAfter); return &b }}

func newScanner(n *needles, found func(needle, at int, text []byte)) *scanner {
	return &scanner{needles: n, found: found, buf: (*scanBuffers.Get().(*[]byte))[:0]}
}

// Write never fails.
func (s *scanner) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		k := min(len(p), cap(s.buf)-len(s.buf))
		s.buf, p = append(s.buf, p[:k]...), p[k:]
		if len(s.buf) < cap(s.buf) {
			break
		}
		to := len(s.buf) - scanAfter
		s.scan(to)
		kept := copy(s.buf, s.buf[to-scanBefore:])
		s.buf, s.from = s.buf[:kept], scanBefore
	}
	return n, nil
}

// Flush shows what is left, at the end of the file.
func (s *scanner) Flush() {
	s.scan(len(s.buf))
	s.from = len(s.buf)
}

// Close gives the window back. The scanner is of no use after it.
func (s *scanner) Close() {
	buf := s.buf[:0]
	scanBuffers.Put(&buf)
	s.buf = nil
}

func (s *scanner) scan(to int) {
	s.needles.find(s.buf, s.from, to, func(needle, at int) { s.found(needle, at, s.buf) })
}
