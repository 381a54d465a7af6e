package executables

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"temper/checks"
)

// debugPackages are packages that open a door as soon as they are imported, and
// what is behind it. They belong to modules that have other packages too, so
// that the list of modules does not give them away. (golang.org/x/net/trace,
// which every gRPC server links, is none of them: it answers to localhost only.)
var debugPackages = map[string]string{
	"expvar":         "it serves the command line and the memory statistics at /debug/vars",
	"net/http/pprof": "it serves profiles, the memory in them, and the command line at /debug/pprof",
}

// maxNames bounds the function table that is read; that of a binary of 100 MB
// has a third of it. It may be compressed, so that the file does not bound it.
const maxNames = 256 << 20

// linkedPackages returns those of debugPackages of which a function is linked
// in. Go keeps the name of every function, also in a stripped binary, for its
// stack traces: in .gopclntab each stands between two zero bytes.
// https://go.dev/s/go12symtab
func linkedPackages(e *elf.File) ([]string, error) {
	table := functionNames(e)
	if table == nil {
		return nil, nil
	}
	if table.Size > maxNames {
		return nil, fmt.Errorf("reading function names: the table has %d bytes, more than %d", table.Size, maxNames)
	}
	var list []string
	for _, pkg := range slices.Sorted(maps.Keys(debugPackages)) {
		list = append(list, "\x00"+pkg+".")
	}
	seen, err := contains(table.Open(), list)
	if err != nil {
		return nil, fmt.Errorf("reading function names: %w", err)
	}
	var found []string
	for i, name := range list {
		if seen[i] {
			found = append(found, strings.Trim(name, "\x00."))
		}
	}
	return found, nil
}

// functionNames is the section with the names of functions, nil if there is none.
func functionNames(e *elf.File) *elf.Section {
	if table := e.Section(".gopclntab"); table != nil {
		return table
	}
	return e.Section(".data.rel.ro.gopclntab") // of a position-independent executable
}

// contains tells of each text whether it stands in what is read, of which it
// holds a window at a time.
func contains(r io.Reader, list []string) (seen []bool, err error) {
	seen = make([]bool, len(list))
	longest := 0
	for _, text := range list {
		longest = max(longest, len(text))
	}
	window := make([]byte, 0, 64<<10+longest)
	for {
		n, err := io.ReadFull(r, window[len(window):cap(window)])
		window = window[:len(window)+n]
		for i, text := range list {
			seen[i] = seen[i] || bytes.Contains(window, []byte(text))
		}
		switch err {
		case nil:
			window = window[:copy(window, window[len(window)-longest:])]
		case io.EOF, io.ErrUnexpectedEOF:
			return seen, nil
		default:
			return nil, err
		}
	}
}

var debugPackage = &checks.Check[*Subject]{
	Rule: checks.Rule{
		Name:     "debug-package",
		Severity: checks.Error,
		Source:   "https://pkg.go.dev/net/http/pprof",
		Doc: `no package that serves profiles is linked into the binary

net/http/pprof puts handlers on http.DefaultServeMux by being imported, by the
service or by any of its dependencies. Whoever reaches the port then reads the
memory, the command line and what the program is doing, and can keep it busy
with profiles.

Remove the import ("go list -deps" and "go mod why" tell whose it is), or put what
needs it behind a build tag that the image is built without. To profile in a
cluster, use an eBPF profiler, or an image that is not shipped.`,
	},
	Run: func(s *Subject, p *checks.Pass) error { return s.links(p, "net/http/pprof") },
}

var debugVariables = &checks.Check[*Subject]{
	Rule: checks.Rule{
		Name:     "debug-variables",
		Severity: checks.Warning,
		Source:   "https://pkg.go.dev/expvar",
		Doc: `no package that serves the program's variables is linked into the binary

expvar puts /debug/vars on http.DefaultServeMux by being imported: the command
line, with whatever secret is in it, and the statistics of the memory. It is a
warning, since widely used libraries import it (Prometheus' client does) and
nobody reaches it in a service that serves a mux of its own.

Remove the import if it is yours. If it is not, give http.Server a Handler of its
own, and nothing of http.DefaultServeMux.`,
	},
	Run: func(s *Subject, p *checks.Pass) error { return s.links(p, "expvar") },
}

// links reports the package if it is one of those that are linked in.
func (s *Subject) links(p *checks.Pass, pkg string) error {
	if !slices.Contains(s.Packages, pkg) {
		return nil
	}
	p.Reportf(s.Path, "package %s is linked in: %s", pkg, debugPackages[pkg])
	p.Fixf("find who imports it: go list -deps -f '{{.ImportPath}}: {{.Imports}}' . | grep -w %s", pkg)
	return s.imported(p, pkg)
}
