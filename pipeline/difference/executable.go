package difference

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
)

// A program is an executable, as much of it as can be read.
type program struct {
	r        *io.SectionReader
	file     *elf.File
	info     *debug.BuildInfo // nil where there is none
	sections []section
}

// maxSections is how many an executable may have to be looked into.
const maxSections = 1000

// A section is one of an executable; of several with one name, each is told
// apart by its number.
type section struct {
	name   string
	header string // what it is beside its bytes
	size   uint64
	raw    *io.SectionReader // nil where the file has no bytes for it
	sum    string
}

func (s section) String() string {
	if s.sum == "" {
		return fmt.Sprintf("%d bytes", s.size)
	}
	return fmt.Sprintf("%d bytes, %s", s.size, s.sum)
}

// executables compares two ELF files.
func (c *comparison) executables(ctx context.Context, at Difference, a, b *io.SectionReader) error {
	one, errA := openProgram(ctx, a)
	other, errB := openProgram(ctx, b)
	if err := ctx.Err(); err != nil {
		return err
	}
	if errA != nil || errB != nil {
		at.Cause = "one of the two is no executable that can be read"
		c.add(at)
		return nil
	}
	inner := &comparison{limit: mostOfLayer}
	place := at
	place.Released, place.Rebuilt, place.Cause = "", "", ""
	inner.builds(place, one, other)
	built := len(inner.list)
	if built == 0 {
		inner.limit = built + mostFunctions
		if err := inner.functions(ctx, place, one, other); err != nil {
			return err
		}
	}
	functions := len(inner.list) - built
	inner.limit = mostOfLayer
	inner.sections(place, one, other)
	switch {
	case ofBase(at):
		at.Cause = anotherBase
	case built > 0:
		at.Cause = inner.list[0].Cause
	default:
		at.Cause = byParts(one, other, functions)
	}
	c.add(at)
	for _, d := range inner.list {
		c.add(d)
	}
	c.left += inner.left
	return nil
}

func openProgram(ctx context.Context, r *io.SectionReader) (*program, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, err
	}
	p := &program{r: r, file: f}
	// What has no build info was not linked by Go, and that is a fact too.
	p.info, _ = buildinfo.Read(r)
	// Sections of a linker do not overlap, and are some dozens.
	if len(f.Sections) > maxSections {
		return nil, fmt.Errorf("it has %d sections", len(f.Sections))
	}
	left := r.Size()
	seen := make(map[string]int)
	for i, s := range f.Sections {
		if i == 0 {
			continue // the empty one, which every file has
		}
		name := s.Name
		if seen[s.Name]++; seen[s.Name] > 1 {
			name += fmt.Sprintf(" (%d)", seen[s.Name])
		}
		one := section{name: name, size: s.Size, header: fmt.Sprintf("%v, %v", s.Type, s.Flags)}
		if s.Type != elf.SHT_NOBITS {
			if left -= int64(min(s.FileSize, uint64(r.Size())+1)); left < 0 {
				return nil, errors.New("its sections have more bytes than the file")
			}
			one.raw = io.NewSectionReader(r, int64(s.Offset), int64(s.FileSize))
			sum := sha256.New()
			if _, err := io.Copy(sum, withContext{ctx, rewound(ctx, one.raw)}); err != nil {
				return nil, err
			}
			one.sum = "sha256:" + hex.EncodeToString(sum.Sum(nil))
		}
		p.sections = append(p.sections, one)
	}
	return p, nil
}

func (p *program) section(name string) *section {
	for i := range p.sections {
		if p.sections[i].name == name {
			return &p.sections[i]
		}
	}
	return nil
}

// end is where the last of what the headers tell of ends.
func (p *program) end() int64 {
	last := uint64(0)
	for _, s := range p.file.Sections {
		if s.Type != elf.SHT_NOBITS {
			last = max(last, s.Offset+s.FileSize)
		}
	}
	for _, s := range p.file.Progs {
		last = max(last, s.Off+s.Filesz)
	}
	return min(int64(min(last, uint64(p.r.Size()))), p.r.Size())
}

// sections compares the headers and the sections.
func (c *comparison) sections(at Difference, a, b *program) {
	tell := func(what, released, rebuilt, cause string) {
		d := at
		d.What, d.Released, d.Rebuilt, d.Cause = what, released, rebuilt, cause
		c.add(d)
	}
	machine := func(p *program) string { return fmt.Sprintf("%v %v %v", p.file.Machine, p.file.Class, p.file.Type) }
	tell("machine", machine(a), machine(b), "it was compiled for another platform")
	appended := func(p *program) string { return fmt.Sprintf("%d bytes", p.r.Size()-p.end()) }
	tell("bytes after the last section", appended(a), appended(b), "something was appended to the executable after it was linked")
	var names []string
	for _, list := range [][]section{a.sections, b.sections} {
		for _, s := range list {
			if !slices.Contains(names, s.name) {
				names = append(names, s.name)
			}
		}
	}
	for _, name := range names {
		one, other := a.section(name), b.section(name)
		d := at
		d.Section, d.What = name, "content"
		switch {
		case other == nil:
			d.What, d.Released = "section", one.String()
			c.add(d)
		case one == nil:
			d.What, d.Rebuilt = "section", other.String()
			c.add(d)
		default:
			d.Released, d.Rebuilt = one.String(), other.String()
			c.add(d)
			d.What, d.Released, d.Rebuilt = "kind", one.header, other.header
			c.add(d)
		}
	}
}

// differ lists the sections that do, of those that both have.
func differ(a, b *program) (names []string) {
	for _, s := range a.sections {
		if other := b.section(s.name); other != nil && (s.sum != other.sum || s.size != other.size) {
			names = append(names, s.name)
		}
	}
	return names
}

// buildID is the section with what go build calls a binary.
const buildID = ".note.go.buildid"

// unevenlyStripped tells whether only one has symbols or debugging data.
func unevenlyStripped(a, b *program) bool {
	has := func(p *program) bool {
		return slices.ContainsFunc(p.sections, func(s section) bool { return s.name == ".symtab" || strings.HasPrefix(s.name, ".debug_") })
	}
	return has(a) != has(b)
}

// byParts guesses from the parts that differ, where both were built from one
// build info.
func byParts(a, b *program, functions int) string {
	names := differ(a, b)
	only := func(prefixes ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool {
			return !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
		})
	}
	switch {
	case a.info == nil && b.info == nil:
		return "neither carries Go build info: it was not built by go build"
	case len(names) == 0 && a.r.Size()-a.end() != b.r.Size()-b.end():
		return "something was appended to the executable after it was linked"
	case len(names) == 0:
		return "no section differs, only headers or what lies between them: it was changed after it was linked"
	case unevenlyStripped(a, b):
		return "symbols or debugging data on one side only: one of the two was not linked as Temper does, or stripped later"
	case a.section(buildID) != nil && b.section(buildID) != nil && !slices.Contains(names, buildID):
		// go build writes the digest of what it linked into it.
		return "Go's build id is the same and the bytes are not: it was changed after it was linked"
	case only(".note"):
		return "the build id alone: it was linked with other words, by another build of the same Go, or changed after it was linked"
	case only(".note", ".rodata", ".data", ".noptrdata"):
		return "no code: a stamp (ldflags), an embedded file or a constant"
	case functions > 0:
		return "code: another source, or a toolchain that is not the release that it says it is"
	case !slices.Contains(names, ".text"):
		return "no code, but what the linker adds: another linker, or other flags for it"
	}
	return "no function has another size: a stamp (ldflags), an embedded file or a constant, which moves what comes after it"
}

// sameBytes compares two files.
func sameBytes(a, b io.Reader) (bool, error) {
	left, right := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		n, errA := io.ReadFull(a, left)
		m, errB := io.ReadFull(b, right)
		if n != m || !bytes.Equal(left[:n], right[:m]) {
			return false, nil
		}
		for _, err := range []error{errA, errB} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return false, err
			}
		}
		if errA != nil {
			return true, nil
		}
	}
}
