package binary

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
)

// A Package is what go list says of one.
type Package struct {
	ImportPath, Name, Dir string
	// GoFiles are the names of the files in Dir that the compiler is given.
	GoFiles []string
	// IgnoredGoFiles are those that are for other platforms or build tags.
	IgnoredGoFiles []string
	// EmbedFiles are those that it embeds, relative to Dir.
	EmbedFiles []string
	// CgoFiles are those for which it needs a C compiler, and only listed where there
	// may be one.
	CgoFiles []string
	// Imports are as the files have them, and ImportMap says what those of them mean
	// that mean something else.
	Imports   []string
	ImportMap map[string]string
	// Export is the file in which the compiler left the package's types, and BuildID
	// names what it was made from and, after the slash, its content. Both are empty where
	// Go was not asked ([Binary.Deps]).
	Export, BuildID string
	// Standard tells that it is of the standard library, and DepOnly that nobody asked
	// for it but those that import it.
	Standard, DepOnly bool
	Module            *Module
	// Error is why there is nothing more to say, nil if there is.
	Error *PackageError
}

// A Module is what go list says of one.
type Module struct {
	Path, Version, Dir, GoVersion string
	// Main tells that it is the module at hand, or one that the go.work uses.
	Main    bool
	Replace *Module
}

// A PackageError is in Go's words. Pos is where in the source it is about, empty where
// the words say.
type PackageError struct{ Pos, Err string }

// ListArguments are those of a go command that answers with what [ParsePackages]
// reads, about what follows them.
func ListArguments(tags []string) []string {
	return append([]string{"list", "-export", "-deps"}, listed(tags, "Export", "BuildID")...)
}

// listed are the arguments that say what to list of packages.
func listed(tags []string, more ...string) []string {
	fields := append([]string{"ImportPath", "Name", "Dir", "GoFiles", "IgnoredGoFiles", "EmbedFiles", "Imports", "ImportMap", "Standard", "DepOnly", "Module", "Error"}, more...)
	args := []string{"-json=" + strings.Join(fields, ",")}
	if len(tags) > 0 {
		args = append(args, "-tags="+strings.Join(tags, ","))
	}
	return args
}

// ParsePackages reads what go list writes. Packages come after those that they import.
func ParsePackages(out []byte) ([]*Package, error) {
	var all []*Package
	for stream := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(Package)
		if err := stream.Decode(p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}

// Direct are the paths of the packages that it imports.
func (p *Package) Direct() []string {
	var all []string
	for _, path := range p.Imports {
		if to, ok := p.ImportMap[path]; ok {
			path = to
		}
		all = append(all, path)
	}
	return all
}

// Own tells whether a package is of the repository in a folder: of a module that is at
// hand, or that a replace directive takes from a folder of it.
func (p *Package) Own(root string) bool {
	m := p.Module
	if m == nil || p.Standard || !inside(root, p.Dir) {
		return false
	}
	return m.Main || m.Replace != nil && m.Replace.Version == "" && inside(root, p.replacement())
}

// replacement is the folder that a replace directive names. The package lies in it, or in
// a copy below a vendor folder, which lies beside the go.mod or go.work.
func (p *Package) replacement() string {
	m := p.Module
	if m.Dir != "" || filepath.IsAbs(m.Replace.Path) {
		return cmp.Or(m.Dir, m.Replace.Path)
	}
	before, _, _ := strings.Cut(filepath.ToSlash(p.Dir), "/vendor/")
	return filepath.Join(filepath.FromSlash(before), m.Replace.Path)
}

// is tells whether the path is that of the package or of its module.
func (p *Package) is(path string) bool {
	return p.ImportPath == path || p.Module != nil &&
		(p.Module.Path == path || p.Module.Replace != nil && p.Module.Replace.Path == path)
}
