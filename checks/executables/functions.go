package executables

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A Function is one in the code of an executable.
type Function struct {
	// Name is with its package, such as "main.main" or "net/http.(*Server).Serve".
	Name string
	// Begin is where its code is in .text, and Size the bytes of it.
	Begin, Size int64
}

// Functions lists the functions of a Go executable in the order of their code.
// Go keeps their names for stack traces, in a stripped executable too; one
// without Go's function table has none.
func Functions(r io.ReaderAt) ([]Function, error) {
	e, err := elf.NewFile(r)
	if err != nil {
		return nil, fmt.Errorf("reading ELF headers: %w", err)
	}
	defer e.Close()
	raw, err := functionTable(e)
	if err != nil || raw == nil {
		return nil, err
	}
	var list []Function
	err = eachFunction(raw, e.ByteOrder, func(name []byte, begin, end uint32) {
		list = append(list, Function{string(name), int64(begin), int64(end - begin)})
	})
	if err != nil {
		return nil, fmt.Errorf("reading the function table: %w", err)
	}
	return list, nil
}

// eachFunction shows the functions of a table.
//
// The table is Go 1.18's and what came after it: a header of words, then for
// each function where it begins and where in the table its name is.
// https://go.dev/s/go12symtab, and pcHeader and _func in
// https://go.googlesource.com/go/+/refs/heads/master/src/runtime/symtab.go
func eachFunction(raw []byte, order binary.ByteOrder, see func(name []byte, begin, end uint32)) error {
	if len(raw) < 8 {
		return errShort
	}
	switch magic := order.Uint32(raw); magic {
	case 0xfffffff0, 0xfffffff1: // of Go 1.18 and 1.20
	default:
		return fmt.Errorf("it begins with %#x, which no Go from 1.18 on writes", magic)
	}
	t := table{raw, order, int(raw[7])}
	if t.word != 4 && t.word != 8 {
		return fmt.Errorf("its words have %d bytes", t.word)
	}
	count, err := t.header(0)
	if err != nil {
		return err
	}
	names, err := t.from(3)
	if err != nil {
		return err
	}
	list, err := t.from(7)
	if err != nil {
		return err
	}
	// Pairs of where a function begins and where more is said of it, and at last
	// where the last one ends.
	if count > uint64(len(list))/8 || count*8+4 > uint64(len(list)) {
		return errShort
	}
	scanned := 0
	for i := range int(count) {
		begin, end := order.Uint32(list[8*i:]), order.Uint32(list[8*i+8:])
		if end < begin {
			return errors.New("a function ends before it begins")
		}
		more := uint64(order.Uint32(list[8*i+4:]))
		if more+8 > uint64(len(list)) {
			return errShort
		}
		at := uint64(order.Uint32(list[more+4:]))
		if at >= uint64(len(names)) {
			return errShort
		}
		name := names[at:min(at+maxName, uint64(len(names)))]
		for n, c := range name {
			if c == 0 {
				name = name[:n]
				break
			}
		}
		// Names may be shared, but not so that reading them takes for ever.
		if scanned += len(name); scanned > 4*len(raw) {
			return errors.New("its names overlap")
		}
		see(name, begin, end)
	}
	return nil
}

// maxName is enough to tell the package of a function by its name.
const maxName = 4096

var errShort = errors.New("it breaks off")

// functionTable returns the section, nil where there is none.
func functionTable(e *elf.File) ([]byte, error) {
	s := e.Section(".gopclntab")
	if s == nil {
		s = e.Section(".data.rel.ro.gopclntab") // of a position-independent executable
	}
	if s == nil {
		return nil, nil
	}
	if s.Size > maxNames {
		return nil, fmt.Errorf("it has %d bytes, more than %d", s.Size, maxNames)
	}
	return io.ReadAll(s.Open())
}

// A table is Go's function table.
type table struct {
	raw   []byte
	order binary.ByteOrder
	word  int
}

// header returns a word of the header.
func (t table) header(i int) (uint64, error) {
	at := 8 + i*t.word
	switch {
	case at+t.word > len(t.raw):
		return 0, errShort
	case t.word == 4:
		return uint64(t.order.Uint32(t.raw[at:])), nil
	}
	return t.order.Uint64(t.raw[at:]), nil
}

// from returns what begins where a word of the header says.
func (t table) from(i int) ([]byte, error) {
	at, err := t.header(i)
	if err != nil {
		return nil, err
	}
	if at > uint64(len(t.raw)) {
		return nil, errShort
	}
	return t.raw[at:], nil
}
