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
	// Binary is the path of the executable in the image, and BinaryDigest the
	// SHA-256 of its content.
	Binary       string
	BinaryDigest v1.Hash
	// Go is the executable's build info.
	Go *debug.BuildInfo
}

// A Base is what the evidence has to know of the image that a service stands
// on.
type Base struct {
	// Name is what temper.yaml says: "builtin", or a reference by digest.
	Name string
	// Digest is that of the base's index or manifest.
	Digest v1.Hash
	// Packages are what the base is made of, as far as it tells.
	Packages []Package
}

// A Package is a part of a base.
type Package struct {
	Name, Version string
	// URL is the package's purl, empty where it has none.
	URL string
}

// A module is one that is linked in, under the name of what was compiled: a
// replaced module is its replacement.
type module struct {
	path, version, sum string
	// folder is where a replacement in a folder was taken from, empty for all
	// else; of a path of this machine no more is told than that it was one.
	folder string
}

// replaced is the module that was compiled in place of m.
func replaced(m debug.Module) module {
	r := m.Replace
	switch {
	case r == nil:
		return module{path: m.Path, version: m.Version, sum: m.Sum}
	case r.Version != "" && r.Version != "(devel)":
		return module{path: r.Path, version: r.Version, sum: r.Sum}
	case strings.HasPrefix(r.Path, "./"), strings.HasPrefix(r.Path, "../"):
		return module{path: m.Path, folder: r.Path}
	}
	return module{path: m.Path, folder: "a folder of the machine that compiled"}
}

// modules lists the modules linked into the images, each once, main modules
// first, in the order of their build info. Where the build info carries no sum,
// as in a vendored build, it is taken from sums, which is a go.sum by
// "path version".
func modules(sums map[string]string, images ...Image) (mains, deps []module) {
	seen := make(map[module]bool)
	add := func(list []module, m debug.Module) []module {
		one := replaced(m)
		if one.sum == "" && one.folder == "" {
			one.sum = sums[one.path+" "+one.version]
		}
		if seen[one] || one.path == "" {
			return list
		}
		seen[one] = true
		return append(list, one)
	}
	for _, img := range images {
		mains = add(mains, img.Go.Main)
		for _, d := range img.Go.Deps {
			deps = add(deps, *d)
		}
	}
	return mains, deps
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
func (m module) purl() string {
	url := "pkg:golang/" + strings.ReplaceAll(m.path, "+", "%2B")
	if m.version != "" && m.version != "(devel)" {
		url += "@" + strings.ReplaceAll(m.version, "+", "%2B")
	}
	return url
}
