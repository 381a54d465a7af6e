package image

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/evidence"
	"temper/pipeline/inventory"
	"temper/pipeline/service"
)

// RootsVersion is the version of golang.org/x/crypto/x509roots/fallback, where
// the root certificates of the built-in base come from.
const RootsVersion = "v0.0.0-20261030153154-30a33513ff6d"

// baseParts are what one of the base's images is made of.
type baseParts struct {
	layers   int
	packages []evidence.Package
	unread   []string
}

// take lists what is in the layers of the base: of the built-in one it is known,
// others have databases.
func (b *Base) take(ctx context.Context, layers []v1.Layer) (baseParts, error) {
	p := baseParts{layers: len(layers), packages: builtinPackages()}
	if b.Name == service.BuiltinBase {
		return p, nil
	}
	var err error
	p.packages, p.unread, err = inventory.Packages(ctx, layers)
	return p, err
}

// builtinPackages are all that is in the built-in base.
func builtinPackages() []evidence.Package {
	return []evidence.Package{
		{Name: "temper-builtin", Version: strconv.Itoa(BuiltinVersion), System: true},
		{Name: "tzdata", Version: ZoneDataVersion, URL: "pkg:generic/tzdata@" + ZoneDataVersion},
		{Name: "golang.org/x/crypto/x509roots/fallback", Version: RootsVersion,
			URL: "pkg:golang/golang.org/x/crypto/x509roots/fallback@" + RootsVersion},
	}
}

// Describe returns what an image is made of that [Assemble] has put upon the
// base: all but its executables. Files are those of the layers that Temper made,
// the built-in base's among them; what is in other bases, their packages tell.
func (b *Base) Describe(img v1.Image) (evidence.Image, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return evidence.Image{}, err
	}
	digest, err := img.Digest()
	if err != nil {
		return evidence.Image{}, err
	}
	layers, err := img.Layers()
	if err != nil {
		return evidence.Image{}, err
	}
	platform := v1.Platform{OS: config.OS, Architecture: config.Architecture, Variant: config.Variant}
	b.mu.Lock()
	parts, ok := b.parts[platform.String()]
	b.mu.Unlock()
	if !ok || parts.layers > len(layers) {
		return evidence.Image{}, fmt.Errorf("the image %s does not stand on base %s", digest, b.Name)
	}
	out := evidence.Image{Platform: platform.String(), Digest: digest, Packages: parts.packages, Unread: parts.unread}
	for i, l := range layers {
		ours, ok := l.(*layer)
		if !ok { // another base's
			continue
		}
		files, err := ours.files()
		if err != nil {
			return evidence.Image{}, err
		}
		if i < parts.layers {
			out.BaseFiles = append(out.BaseFiles, files...)
		} else {
			out.Files = append(out.Files, files...)
		}
	}
	return out, nil
}

// BuiltinPackages returns the packages of the built-in base if the image stands
// on the very one that this Temper makes: its own files do not tell which
// packages they come from.
func BuiltinPackages(img v1.Image) ([]evidence.Package, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	base, err := Builtin()
	if err != nil {
		return nil, err
	}
	ours, err := base.Image(builtinPlatforms[0]) // one layer serves all platforms
	if err != nil {
		return nil, err
	}
	mine, err := ours.ConfigFile()
	if err != nil {
		return nil, err
	}
	if slices.Equal(config.RootFS.DiffIDs[:min(1, len(config.RootFS.DiffIDs))], mine.RootFS.DiffIDs) {
		return builtinPackages(), nil
	}
	return nil, nil
}
