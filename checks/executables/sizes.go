package executables

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"runtime/debug"
	"slices"
	"sort"
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
	sort.SliceStable(s.Parts, func(i, j int) bool { return s.Parts[i].Bytes > s.Parts[j].Bytes })
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
func functions(raw []byte, order binary.ByteOrder) (map[string]int64, error) {
	if raw == nil {
		return nil, nil
	}
	found := make(map[string]int64)
	err := eachFunction(raw, order, func(name []byte, begin, end uint32) {
		found[packageOf(string(name))] += int64(end - begin)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
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
		sort.SliceStable(m.Packages, func(i, j int) bool { return m.Packages[i].Bytes > m.Packages[j].Bytes })
		list = append(list, *m)
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].Bytes > list[j].Bytes })
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
