package executables

import (
	"slices"
	"strings"

	"temper/checks"
)

// A Subject is an executable and what it has to be fit for.
type Subject struct {
	*Facts
	// Path is where it stands, on this machine or in the image; it is the
	// place of every finding.
	Path string
	// Arch is the architecture it has to run on, such as "amd64".
	Arch string
	// Why tells how the main package comes to import the package of that path,
	// or one of the module of that path: the packages from main to it. Nil
	// where the sources are not at hand.
	Why func(path string) ([]string, error)
}

// imported says of the finding reported last by which way a debug package or
// module comes in.
func (s *Subject) imported(p *checks.Pass, path string) error {
	if s.Why == nil {
		return nil
	}
	way, err := s.Why(path)
	if err != nil {
		return err
	}
	p.Imported(way...)
	// The last package on the way that is the module's own: those after it are
	// what its import brings along.
	own := -1
	for i, pkg := range way {
		if i < len(way)-1 && s.Go != nil && (pkg == s.Go.Main.Path || strings.HasPrefix(pkg, s.Go.Main.Path+"/")) {
			own = i
		}
	}
	switch {
	case own < 0:
	case own == len(way)-2:
		p.Fixf("remove the import of %s in %s", way[own+1], way[own])
	default:
		p.Fixf("%s brings it along, which %s imports", way[own+1], way[own])
	}
	return nil
}

// Rules are the rules about an executable.
var Rules = []*checks.Check[*Subject]{
	static, stripped, platform, buildInfo, cgo, trimmed, debugModule, debugPackage, debugVariables,
}

var static = &checks.Check[*Subject]{
	Rule: checks.Rule{
		Name:     "static",
		Severity: checks.Error,
		Source:   "https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html",
		Doc: `the binary is static: no interpreter, no dynamic section

An executable with a PT_INTERP starts only where that very loader is, and a
distroless image has none: the container dies with "no such file or directory".
One with a dynamic section loads code that the image's digest says nothing about.

Build with CGO_ENABLED=0 and without -buildmode=pie, which asks for a loader
even when cgo is off. temper build does.`,
	},
	Run: func(s *Subject, p *checks.Pass) error {
		if s.Interpreter != "" {
			p.Reportf(s.Path, "it asks for the loader %s", s.Interpreter)
			p.Fixf("build it with CGO_ENABLED=0 and without -buildmode=pie")
		} else if s.Dynamic {
			p.Reportf(s.Path, "it has a dynamic section")
			p.Fixf("build it with CGO_ENABLED=0 and without -buildmode=pie")
		}
		return nil
	},
}

var stripped = &checks.Check[*Subject]{
	Rule: checks.Rule{
		Name:     "stripped",
		Severity: checks.Error,
		Source:   "https://pkg.go.dev/cmd/link",
		Doc: `the binary has no symbol table and no DWARF

Symbols and debugging data are a map of the program for whoever breaks in, and
a third of its size. Stack traces of a Go program do not need them.

Build with -ldflags "-s -w". The build info does not tell whether that was done
(-trimpath removes the flags from it), so the ELF sections are looked at.`,
	},
	Run: func(s *Subject, p *checks.Pass) error {
		var has []string
		if s.Symbols {
			has = append(has, "a symbol table")
		}
		if s.DWARF {
			has = append(has, "DWARF sections")
		}
		if len(has) > 0 {
			p.Reportf(s.Path, "it has %s", strings.Join(has, " and "))
			p.Fixf(`build it with -ldflags "-s -w"`)
		}
		return nil
	},
}

var platform = &checks.Check[*Subject]{
	Rule: checks.Rule{
		Name:     "platform",
		Severity: checks.Error,
		Source:   "https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md#properties",
		Doc: `the binary runs on the platform that the image names

An arm64 binary in an image for amd64 passes every registry and dies at start
with "exec format error".

Build with GOARCH set to the image's architecture.`,
	},
	Run: func(s *Subject, p *checks.Pass) error {
		if s.Facts.Arch != s.Arch {
			p.Reportf(s.Path, "it is compiled for %s, the image is for %s", s.Facts.Arch, s.Arch)
		}
		if goos := s.Setting("GOOS"); goos != "" && goos != "linux" {
			p.Reportf(s.Path, "it is compiled for %s, the image is for linux", goos)
		}
		return nil
	},
}

var buildInfo = &checks.Check[*Subject]{
	Rule: checks.Rule{
		Name:     "build-info",
		Severity: checks.Error,
		Source:   "https://pkg.go.dev/debug/buildinfo",
		Doc: `the binary carries Go build info

The build info names the Go release, every module with its version and sum, and
the settings of the build. Without it nobody can say what is in the binary: no
SBOM, no search for vulnerable modules, no proof that a debugger is not there.

Build the service as a module (go build does the rest) and do not remove the
build info with a packer or objcopy.`,
	},
	Run: func(s *Subject, p *checks.Pass) error {
		if s.Go == nil {
			p.Reportf(s.Path, "it carries no Go build info")
		} else if s.Go.Path == "command-line-arguments" || s.Go.Main.Path == "" && len(s.Go.Deps) == 0 && s.Go.Path == "" {
			p.Reportf(s.Path, "its build info names no main package: it was built from single files")
			p.Fixf("build the package, not its files: go build ./cmd/NAME")
		}
		return nil
	},
}

var cgo = &checks.Check[*Subject]{
	Rule: checks.Rule{
		Name:     "cgo",
		Severity: checks.Error,
		Source:   "https://pkg.go.dev/cmd/cgo",
		Doc: `the binary is built without cgo

cgo links the C library of the machine that compiled, and with it code that no
go.sum names and no rebuild reproduces. It also runs a C compiler on the sources
of every dependency.

Build with CGO_ENABLED=0; net and os/user then use their Go implementations.
Where a dependency insists on C, look for its pure Go sibling
(modernc.org/sqlite for mattn/go-sqlite3).`,
	},
	Run: func(s *Subject, p *checks.Pass) error {
		if s.Go == nil {
			return nil // build-info has said it
		}
		if got := s.Setting("CGO_ENABLED"); got != "0" {
			p.Reportf(s.Path, "it was built with CGO_ENABLED=%q, want 0", got)
			p.Fixf("build it with CGO_ENABLED=0")
		}
		return nil
	},
}

var trimmed = &checks.Check[*Subject]{
	Rule: checks.Rule{
		Name:     "trimmed",
		Severity: checks.Error,
		Source:   "https://pkg.go.dev/cmd/go#hdr-Compile_packages_and_dependencies",
		Doc: `the binary is built with -trimpath

Without -trimpath the paths of the machine that compiled are in the binary: user
names and folders leak, and the same commit gives other bytes elsewhere, so
nobody can rebuild it and compare.

Build with -trimpath.`,
	},
	Run: func(s *Subject, p *checks.Pass) error {
		if s.Go != nil && s.Setting("-trimpath") != "true" {
			p.Reportf(s.Path, "it was built without -trimpath")
			p.Fixf("build it with -trimpath")
		}
		return nil
	},
}

// debugModules are modules that have no business in production, and what they
// open. A module path covers its major versions and everything below it.
var debugModules = map[string]string{
	"github.com/go-delve/delve":        "a debugger",
	"github.com/derekparker/delve":     "a debugger",
	"github.com/google/gops":           "an agent that hands out stacks, memory and binaries",
	"github.com/arl/statsviz":          "a page with the runtime's inner life",
	"github.com/mkevac/debugcharts":    "a page with the runtime's inner life",
	"github.com/felixge/fgprof":        "a profiler",
	"github.com/pkg/profile":           "a profiler",
	"github.com/uber-archive/go-torch": "a profiler",
	"github.com/traefik/yaegi":         "an interpreter that runs any Go code",
	"github.com/cosmtrek/air":          "a live reloader",
	"github.com/air-verse/air":         "a live reloader",
	"github.com/gin-contrib/pprof":     "profiles over HTTP",
	"github.com/sevennt/echo-pprof":    "profiles over HTTP",
}

var debugModule = &checks.Check[*Subject]{
	Rule: checks.Rule{
		Name:     "debug-module",
		Severity: checks.Error,
		Source:   "https://cheatsheetseries.owasp.org/cheatsheets/Docker_Security_Cheat_Sheet.html",
		Doc: `no debug module is linked into the binary

A debugger, a profiler's web page or an agent inside the binary is a door that
opens from within: what it hands out (memory, stacks, keys) no image scanner
sees, because it is not a file.

Remove the import from the service's own packages; keep such tools in a main
package of their own. "go mod why -m MODULE" tells who imports it.`,
	},
	Run: func(s *Subject, p *checks.Pass) error {
		if s.Go == nil {
			return nil // build-info has said it
		}
		for _, m := range slices.Concat([]string{s.Go.Main.Path}, Modules(s.Facts)) {
			if debug, what := DebugModule(m); debug != "" {
				p.Reportf(s.Path, "module %s is linked in: %s", m, what)
				p.Fixf("find who imports it: go mod why -m %s", m)
				if err := s.imported(p, m); err != nil {
					return err
				}
			}
		}
		return nil
	},
}

// DebugModule tells whether a module or package path is that of a known debug
// module, or below it, and what that is; empty strings if not.
func DebugModule(module string) (debug, what string) {
	for debug, what := range debugModules {
		if module == debug || strings.HasPrefix(module, debug+"/") {
			return debug, what
		}
	}
	return "", ""
}

// Modules lists the paths of the modules linked in, replaced ones under both
// names.
func Modules(f *Facts) []string {
	var paths []string
	if f.Go == nil {
		return nil
	}
	for _, m := range f.Go.Deps {
		paths = append(paths, m.Path)
		if m.Replace != nil && m.Replace.Path != m.Path {
			paths = append(paths, m.Replace.Path)
		}
	}
	return paths
}
