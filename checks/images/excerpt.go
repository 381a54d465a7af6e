package images

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
)

// keptHead is the part of an executable that is kept for its headers, in bytes.
const keptHead = 64 << 10

// errGap means that a part of the file was asked for that was not kept.
var errGap = errors.New("this part of the executable was passed over")

// An excerpt is the beginning of an executable and what is in it from its data on;
// the code and the tables between them are most of it, and have nothing of its build info.
type excerpt struct {
	head, tail []byte
	from       int64 // where tail begins
	missed     bool  // something between head and tail was asked for
}

// readExcerpt reads a file of that many bytes, all of which it keeps if whole.
func readExcerpt(r io.Reader, size int64, whole bool) (*excerpt, error) {
	f := &excerpt{head: make([]byte, min(size, keptHead))}
	if _, err := io.ReadFull(r, f.head); err != nil {
		return nil, err
	}
	f.from = int64(len(f.head))
	if data := dataStart(f.head); !whole && data > f.from && data < size {
		if _, err := io.CopyN(io.Discard, r, data-f.from); err != nil {
			return nil, err
		}
		f.from = data
	}
	f.tail = make([]byte, size-f.from)
	_, err := io.ReadFull(r, f.tail)
	return f, err
}

// dataStart is the offset in an ELF file of the first segment that can be written to, 0
// where its headers do not say.
func dataStart(head []byte) int64 {
	if len(head) < 64 || !bytes.HasPrefix(head, []byte(elf.ELFMAG)) || elf.Class(head[elf.EI_CLASS]) != elf.ELFCLASS64 {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	var h elf.Header64
	if _, err := binary.Decode(head, order, &h); err != nil || h.Phoff > uint64(len(head)) {
		return 0
	}
	var first uint64
	for rest := head[h.Phoff:]; h.Phnum > 0; h.Phnum-- {
		var p elf.Prog64
		n, err := binary.Decode(rest, order, &p)
		if err != nil {
			return 0
		}
		rest = rest[n:]
		if elf.ProgType(p.Type) == elf.PT_LOAD && elf.ProgFlag(p.Flags)&elf.PF_W != 0 && (first == 0 || p.Off < first) {
			first = p.Off
		}
	}
	return int64(first)
}

// ReadAt reads what was kept, and fails for the rest.
func (f *excerpt) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("a negative offset")
	}
	if off < int64(len(f.head)) {
		n = copy(p, f.head[off:])
		off += int64(n)
	}
	switch {
	case n == len(p):
		return n, nil
	case off < f.from:
		f.missed = true
		return n, errGap
	case off < f.from+int64(len(f.tail)):
		n += copy(p[n:], f.tail[off-f.from:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// info is the build info in the file, nil where it holds none; errGap where nobody can
// tell from what was kept.
func (f *excerpt) info() (*debug.BuildInfo, error) {
	info, err := buildinfo.Read(f)
	switch {
	case f.missed:
		return nil, errGap
	case err == nil:
		return info, nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("reading Go build info: %w", err)
	}
	return nil, nil // no program of Go, or none at all
}
