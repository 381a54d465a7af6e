// Package executables reads what an executable says of itself, from its ELF
// headers and its Go build info, and holds the rules about it.
//
// The same rules judge a binary before it goes into an image and the
// entrypoint of an image that anybody built.
package executables

import (
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
)

// Facts are what an ELF executable says of itself.
type Facts struct {
	// Arch is the Go name of the machine, such as "amd64"; for a machine that
	// Go does not compile for it is the ELF name.
	Arch string
	// Interpreter is the path in PT_INTERP, empty for a static executable.
	Interpreter string
	// Dynamic tells whether there is a dynamic section or segment.
	Dynamic bool
	// Symbols and DWARF tell whether a symbol table and debugging sections are
	// there.
	Symbols, DWARF bool
	// Go is the build info that the Go linker wrote, nil where there is none.
	Go *debug.BuildInfo
	// Packages are those of the known debug packages that are linked in, sorted.
	Packages []string
}

// Setting returns a build setting such as "CGO_ENABLED", empty where the
// executable does not tell.
func (f *Facts) Setting(key string) string {
	if f.Go == nil {
		return ""
	}
	for _, s := range f.Go.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// maxInterpreter is PATH_MAX on Linux: a longer PT_INTERP is not one.
const maxInterpreter = 4096

// Read reads the facts of an ELF file. What is not ELF, or breaks off, is an
// error: nothing is known of it.
func Read(r io.ReaderAt) (*Facts, error) {
	e, err := elf.NewFile(r)
	if err != nil {
		return nil, fmt.Errorf("reading ELF headers: %w", err)
	}
	defer e.Close()
	f := &Facts{Arch: arch(e.FileHeader)}
	for _, p := range e.Progs {
		switch p.Type {
		case elf.PT_INTERP:
			if p.Filesz > maxInterpreter {
				return nil, fmt.Errorf("reading ELF headers: PT_INTERP has %d bytes", p.Filesz)
			}
			raw, err := io.ReadAll(p.Open())
			if err != nil {
				return nil, fmt.Errorf("reading PT_INTERP: %w", err)
			}
			// An empty name is still an interpreter asked for.
			f.Interpreter = strings.TrimRight(string(raw), "\x00")
			if f.Interpreter == "" {
				f.Interpreter = "(empty)"
			}
		case elf.PT_DYNAMIC:
			f.Dynamic = true
		}
	}
	for _, s := range e.Sections {
		switch {
		case s.Type == elf.SHT_DYNAMIC:
			f.Dynamic = true
		case s.Type == elf.SHT_SYMTAB && s.Size > 0:
			f.Symbols = true
		case strings.HasPrefix(s.Name, ".debug_"), strings.HasPrefix(s.Name, ".zdebug_"):
			f.DWARF = true
		}
	}
	if f.Packages, err = linkedPackages(e); err != nil {
		return nil, err
	}
	// The blob that buildinfo looks for is absent in what Go did not link; the
	// rule about it says so. Only a file that cannot be read is an error.
	info, err := buildinfo.Read(r)
	if err == nil {
		// Whoever writes build info into a program of C, or renames the table
		// in one of Go, has something to hide.
		if functionNames(e) == nil {
			return nil, errors.New("it has Go build info and no table of functions (.gopclntab), which Go's linker always writes")
		}
		f.Go = info
	} else if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("reading Go build info: %w", err)
	}
	return f, nil
}

func arch(h elf.FileHeader) string {
	little := h.ByteOrder.String() == "LittleEndian"
	switch {
	case h.Machine == elf.EM_X86_64:
		return "amd64"
	case h.Machine == elf.EM_AARCH64 && little:
		return "arm64"
	case h.Machine == elf.EM_386:
		return "386"
	case h.Machine == elf.EM_ARM && little:
		return "arm"
	case h.Machine == elf.EM_PPC64 && little:
		return "ppc64le"
	case h.Machine == elf.EM_S390:
		return "s390x"
	case h.Machine == elf.EM_RISCV && h.Class == elf.ELFCLASS64:
		return "riscv64"
	}
	return h.Machine.String()
}
