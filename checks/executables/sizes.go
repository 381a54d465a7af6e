package executables

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
)

// Sizes say what the bytes of an executable are.
type Sizes struct {
	// File is its length; the code and the parts add up to it.
	File int64
	// Modules are whose Go code it is, the largest first.
	Modules []ModuleSize
	// Parts are what is no Go code, the largest first.
	Parts []Part
}

// A ModuleSize is the machine code of the functions of one module. What the
// compiler put into another function's body is that function's.
type ModuleSize struct {
	// Path is the module's as the build info has it, [Std] for the standard
	// library and the runtime, and empty for what belongs to no module that the
	// build info names: equality and wrappers of types without a name, mostly.
	Path string
	// Bytes are those of all its packages.
	Bytes int64
	// Packages are sorted by size, the largest first.
	Packages []PackageSize
}

// A PackageSize is the machine code of one package.
type PackageSize struct {
	// Path is its import path, empty for code of no package.
	Path  string
	Bytes int64
}

// A Part is what an executable holds beside Go code.
type Part struct {
	Name  string
	Bytes int64
}

// Std stands for the standard library, the runtime among it, where a module's
// path does.
const Std = "std"

// The parts of an executable.
const (
	ReadOnlyPart  = "types, strings and embedded files"
	FunctionsPart = "function table"
	VariablesPart = "variables"
	SymbolsPart   = "symbols and debugging data"
	ForeignPart   = "code that is not Go"
	OtherPart     = "other sections"
	HeadersPart   = "headers and padding"
)

// Measure says what the bytes of an ELF file are, by its sections and by Go's
// function table, which is there in a stripped binary too. The build info tells
// the modules; without it all code is the standard library's or of no module.
//
// The size is that of the file. A file whose sections or functions do not fit
// into it is an error.
func Measure(r io.ReaderAt, size int64, info *debug.BuildInfo) (*Sizes, error) {
	e, err := elf.NewFile(r)
	if err != nil {
		return nil, fmt.Errorf("reading ELF headers: %w", err)
	}
	defer e.Close()
	parts, text, err := sections(e, size)
	if err != nil {
		return nil, err
	}
	raw, err := functionTable(e)
	if err != nil {
		return nil, fmt.Errorf("reading the function table: %w", err)
	}
	packages, err := functions(raw, e.ByteOrder)
	if err != nil {
		return nil, fmt.Errorf("reading the function table: %w", err)
	}
	var code int64
	for _, n := range packages {
		code += n
	}
	if code > text {
		return nil, fmt.Errorf("reading the function table: functions have %d bytes, and the code %d", code, text)
	}
	parts[ForeignPart] += text - code
	s := &Sizes{File: size, Modules: modules(packages, info)}
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if parts[name] > 0 {
			s.Parts = append(s.Parts, Part{name, parts[name]})
		}
	}
	slices.SortStableFunc(s.Parts, func(a, b Part) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return s, nil
}

// sections returns the bytes of each part, and those of the code.
func sections(e *elf.File, size int64) (parts map[string]int64, text int64, err error) {
	parts = make(map[string]int64)
	rest := size
	for _, s := range e.Sections {
		if s.Type == elf.SHT_NOBITS || s.Type == elf.SHT_NULL || s.FileSize == 0 {
			continue
		}
		if s.FileSize > uint64(rest) {
			return nil, 0, errors.New("reading ELF headers: the sections have more bytes than the file")
		}
		n := int64(s.FileSize)
		rest -= n
		if s.Flags&elf.SHF_EXECINSTR != 0 {
			text += n
		} else {
			parts[partOf(s)] += n
		}
	}
	parts[HeadersPart] = rest
	return parts, text, nil
}

func partOf(s *elf.Section) string {
	has := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s.Name, p) })
	}
	switch {
	case has(".gopclntab", ".data.rel.ro.gopclntab"):
		return FunctionsPart
	case s.Type == elf.SHT_SYMTAB, s.Type == elf.SHT_STRTAB && s.Flags&elf.SHF_ALLOC == 0, has(".debug_", ".zdebug_"):
		return SymbolsPart
	case has(".rodata", ".data.rel.ro", ".typelink", ".itablink", ".go.type", ".go.func"):
		return ReadOnlyPart
	case has(".data", ".noptrdata"):
		return VariablesPart
	}
	return OtherPart
}

// functions returns the bytes of machine code of each package, by the import
// path that stands in the names of its functions.
//
// The table is Go 1.18's and what came after it: a header of words, then for
// each function where it begins and where in the table its name is.
// https://go.dev/s/go12symtab, and pcHeader and _func in
// https://go.googlesource.com/go/+/refs/heads/master/src/runtime/symtab.go
func functions(raw []byte, order binary.ByteOrder) (map[string]int64, error) {
	if raw == nil {
		return nil, nil
	}
	if len(raw) < 8 {
		return nil, errShort
	}
	switch magic := order.Uint32(raw); magic {
	case 0xfffffff0, 0xfffffff1: // of Go 1.18 and 1.20
	default:
		return nil, fmt.Errorf("it begins with %#x, which no Go from 1.18 on writes", magic)
	}
	t := table{raw, order, int(raw[7])}
	if t.word != 4 && t.word != 8 {
		return nil, fmt.Errorf("its words have %d bytes", t.word)
	}
	count, err := t.header(0)
	if err != nil {
		return nil, err
	}
	names, err := t.from(3)
	if err != nil {
		return nil, err
	}
	list, err := t.from(7)
	if err != nil {
		return nil, err
	}
	// Pairs of where a function begins and where more is said of it, and at last
	// where the last one ends.
	if count > uint64(len(list))/8 || count*8+4 > uint64(len(list)) {
		return nil, errShort
	}
	found := make(map[string]int64)
	scanned := 0
	for i := range int(count) {
		begin, end := order.Uint32(list[8*i:]), order.Uint32(list[8*i+8:])
		if end < begin {
			return nil, errors.New("a function ends before it begins")
		}
		more := uint64(order.Uint32(list[8*i+4:]))
		if more+8 > uint64(len(list)) {
			return nil, errShort
		}
		at := uint64(order.Uint32(list[more+4:]))
		if at >= uint64(len(names)) {
			return nil, errShort
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
			return nil, errors.New("its names overlap")
		}
		found[packageOf(string(name))] += int64(end - begin)
	}
	return found, nil
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

// packageOf returns the import path in the name of a function, empty for what
// the compiler wrote for types that have no package.
func packageOf(function string) string {
	for _, prefix := range []string{"type:.eq.", "type:.hash.", "type..eq.", "type..hash."} {
		function = strings.TrimPrefix(function, prefix)
	}
	// No import path has one of these.
	if i := strings.IndexAny(function, "[({ :;*"); i >= 0 {
		function = function[:i]
	}
	slash := strings.LastIndexByte(function, '/') + 1
	dot := strings.IndexByte(function[slash:], '.')
	if dot < 0 {
		return ""
	}
	path := function[:slash+dot]
	if path == "go" || path == "go.shape" {
		return ""
	}
	// The linker escapes the dots of the last element.
	if plain, err := url.PathUnescape(path); err == nil {
		return plain
	}
	return path
}

// modules adds up packages.
func modules(packages map[string]int64, info *debug.BuildInfo) []ModuleSize {
	var known []string
	if info != nil {
		known = append(known, info.Main.Path)
		for _, m := range info.Deps {
			known = append(known, m.Path)
		}
	}
	is := make(map[string]bool)
	for _, m := range known {
		is[m] = m != ""
	}
	byPath := make(map[string]*ModuleSize)
	for _, pkg := range slices.Sorted(maps.Keys(packages)) {
		path := pkg
		if pkg == "main" && info != nil && info.Path != "" {
			path = info.Path
		}
		module := moduleOf(path, is)
		m := byPath[module]
		if m == nil {
			m = &ModuleSize{Path: module}
			byPath[module] = m
		}
		m.Bytes += packages[pkg]
		m.Packages = append(m.Packages, PackageSize{path, packages[pkg]})
	}
	var list []ModuleSize
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		m := byPath[path]
		slices.SortStableFunc(m.Packages, func(a, b PackageSize) int { return cmp.Compare(b.Bytes, a.Bytes) })
		list = append(list, *m)
	}
	slices.SortStableFunc(list, func(a, b ModuleSize) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return list
}

// moduleOf returns the module with the longest path that a package lies below.
func moduleOf(pkg string, known map[string]bool) string {
	for path := pkg; path != ""; {
		if known[path] {
			return path
		}
		i := strings.LastIndexByte(path, '/')
		if i < 0 {
			break
		}
		path = path[:i]
	}
	// https://go.dev/ref/mod#module-path: the first element of any other has a
	// dot.
	first, _, _ := strings.Cut(pkg, "/")
	if pkg == "" || pkg == "main" || pkg == "command-line-arguments" || strings.Contains(first, ".") {
		return ""
	}
	return Std
}
