package evidence

import (
	"runtime/debug"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// An Image is what the evidence has to know of one platform's image.
type Image struct {
	// Platform is os/arch, with the variant where there is one.
	Platform string
	// Digest is that of the image's manifest.
	Digest v1.Hash
	// Executables are the Go executables, the service's first.
	Executables []Executable
	// Files are those that were put upon the base, the executables among them or
	// not; BaseFiles are the base's own, as far as it is known file by file.
	Files, BaseFiles []File
	// Packages are what the base's own databases list.
	Packages []Package
	// Unread are the paths of databases in the image that nobody could read: what
	// they list is missing.
	Unread []string
}

// An Executable is a file with Go build info.
type Executable struct {
	File
	Go *debug.BuildInfo
}

// A File is one of an image, by its content.
type File struct {
	// Path is absolute.
	Path string
	// Digest is the SHA-256 of the content.
	Digest v1.Hash
	// SHA1 is in hex: SPDX 2.3 wants one of every file, for naming and not for
	// trust. Empty where nobody has it.
	SHA1 string
}

// A Base is what the evidence has to know of the image that a service stands
// on.
type Base struct {
	// Name is what temper.yaml says: "builtin", or a reference by digest. Empty
	// means that the base is not known: what an image holds is then its own.
	Name string
	// Digest is that of the base's index or manifest.
	Digest v1.Hash
}

// A Package is a part of a base.
type Package struct {
	Name, Version string
	// URL is the package's purl, empty where it has none.
	URL string
	// License is an SPDX expression, empty where the base does not tell.
	License string
	// Origin says what it was made from, empty where it is the package's own
	// name.
	Origin string
	// System tells that this is the distribution itself.
	System bool
}

// A Module is one that is linked in, under the name of what was compiled: a
// replaced module is its replacement.
type Module struct {
	// Version is empty for a folder, and "(devel)" for a main module that was
	// built from its sources.
	Path, Version, Sum string
	// Folder is where a replacement in a folder was taken from, as go.mod writes
	// it; empty for all else. It may be a path of this machine: no document
	// tells more of such a one than that it was one.
	Folder string
}

// String returns path and version, which is how go.sum and the SBOM name it.
func (m Module) String() string { return strings.TrimSpace(m.Path + " " + m.Version) }

// told is the folder as it may be written down.
func (m Module) told() string {
	if m.Folder == "" || strings.HasPrefix(m.Folder, "./") || strings.HasPrefix(m.Folder, "../") {
		return m.Folder
	}
	return "a folder of the machine that compiled"
}

// Compiled is the module that was compiled where m was required.
func Compiled(m debug.Module) Module {
	r := m.Replace
	switch {
	case r == nil:
		return Module{Path: m.Path, Version: m.Version, Sum: m.Sum}
	case r.Version != "" && r.Version != "(devel)":
		return Module{Path: r.Path, Version: r.Version, Sum: r.Sum}
	}
	return Module{Path: m.Path, Folder: r.Path}
}

// Modules lists the modules linked into the images, each once, main modules
// first, in the order of their build info. Where the build info carries no sum,
// as in a vendored build, it is taken from sums, which is a go.sum by
// "path version".
func Modules(sums map[string]string, images ...Image) (mains, deps []Module) {
	seen := make(map[Module]bool)
	add := func(list []Module, m debug.Module) []Module {
		one := summed(m, sums)
		if seen[one] || one.Path == "" {
			return list
		}
		seen[one] = true
		return append(list, one)
	}
	for _, img := range images {
		for _, x := range img.Executables {
			mains = add(mains, x.Go.Main)
		}
	}
	for _, img := range images {
		for _, x := range img.Executables {
			for _, d := range x.Go.Deps {
				deps = add(deps, *d)
			}
		}
	}
	return mains, deps
}

// summed is the compiled module, with the sum from go.sum where the build info
// has none.
func summed(m debug.Module, sums map[string]string) Module {
	one := Compiled(m)
	if one.Sum == "" && one.Folder == "" {
		one.Sum = sums[one.Path+" "+one.Version]
	}
	return one
}

// ParseGoSum reads the sums of module contents out of a go.sum, by
// "path version". Lines about go.mod files alone are left out.
func ParseGoSum(raw []byte) map[string]string {
	sums := make(map[string]string)
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) == 3 && !strings.HasSuffix(f[1], "/go.mod") {
			sums[f[0]+" "+f[1]] = f[2]
		}
	}
	return sums
}

// purl returns the package URL of a Go module.
// https://github.com/package-url/purl-spec/blob/main/types-doc/golang-definition.md
func (m Module) purl() string {
	if m.Version == "(devel)" {
		return PURL("golang", m.Path, "")
	}
	return PURL("golang", m.Path, m.Version)
}
