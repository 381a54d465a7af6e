package executables

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"maps"
	"slices"

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
// has a third of it.
const maxNames = 256 << 20

// linkedPackages returns those of debugPackages of which a function is linked
// in. Go keeps the name of every function, also in a stripped binary, for its
// stack traces: in .gopclntab each stands between two zero bytes.
// https://go.dev/s/go12symtab
func linkedPackages(e *elf.File) ([]string, error) {
	table := e.Section(".gopclntab")
	if table == nil {
		table = e.Section(".data.rel.ro.gopclntab") // of a position-independent executable
	}
	if table == nil {
		return nil, nil
	}
	if table.Size > maxNames {
		return nil, fmt.Errorf("reading function names: the table has %d bytes, more than %d", table.Size, maxNames)
	}
	raw, err := io.ReadAll(table.Open())
	if err != nil {
		return nil, fmt.Errorf("reading function names: %w", err)
	}
	var found []string
	for _, pkg := range slices.Sorted(maps.Keys(debugPackages)) {
		if bytes.Contains(raw, []byte("\x00"+pkg+".")) {
			found = append(found, pkg)
		}
	}
	return found, nil
}

var debugPackage = &checks.Check[*Subject]{
	Rule: checks.Rule{
		Name:     "debug-package",
		Severity: checks.Error,
		Source:   "https://pkg.go.dev/net/http/pprof",
		Doc: `no package that serves the program's inner life is linked into the binary

net/http/pprof and expvar put handlers on http.DefaultServeMux by being imported,
by the service or by any of its dependencies. Whoever reaches the port then
reads the memory, the command line and what the program is doing, and can keep
it busy with profiles.

Remove the import ("go list -deps" and "go mod why" tell whose it is), or put what
needs it behind a build tag that the image is built without. To profile in a
cluster, use an eBPF profiler, or an image that is not shipped.`,
	},
	Run: func(s *Subject, p *checks.Pass) error {
		for _, pkg := range s.Packages {
			p.Reportf(s.Path, "package %s is linked in: %s", pkg, debugPackages[pkg])
			p.Fixf("find who imports it: go list -deps -f '{{.ImportPath}}: {{.Imports}}' . | grep -w %s", pkg)
			if err := s.imported(p, pkg); err != nil {
				return err
			}
		}
		return nil
	},
}
