package images

import (
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks"
)

var indexPlatform = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "index-platform",
		Severity: checks.Error,
		Source:   "https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md#image-index-property-descriptions",
		Doc: `the image is for Linux, and an index calls it what it is

A runtime chooses by what the index says of its images and never looks at their
configurations. An index that exchanges two of them hands arm64 machines the
image that was checked for amd64, or one that nobody ever starts there.

Let the tool that makes the index take the platform from each image's
configuration. temper build does.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		c := img.Config
		if c.OS != "linux" {
			p.Reportf("config.os", "it is %q, want linux", c.OS)
		}
		switch n := img.named; {
		case img.alone:
		case n == nil:
			p.Reportf("index", "it does not say what platform the image is for, which is %s", img.Platform)
		case n.OS != c.OS || n.Architecture != c.Architecture || n.Variant != "" && c.Variant != "" && n.Variant != c.Variant:
			p.Reportf("index", "it says that the image is for %s, and the image's configuration says %s", n, img.Platform)
		}
		return nil
	},
}

// A place of an image among others.
type place struct {
	// alone tells that no index holds the image, and named is what the index
	// says of it, which may be nothing.
	alone bool
	named *v1.Platform
}
