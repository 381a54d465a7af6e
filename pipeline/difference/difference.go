// Package difference says in what two images differ, where, and what the likely
// cause is.
//
// [Between] compares what was released with what was rebuilt, from the outside
// in: the index, each platform's manifest and configuration, its layers, the
// files in them with their modes and owners, and of an executable what it was
// made from, its sections and its functions. What has one digest is not read.
// Two artifacts with different digests have at least one difference.
//
// A [Difference] has one place and two values. Its cause is a guess by what
// usually makes such a difference, in words for people; the places and the
// values are facts.
package difference

import (
	"context"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// A Difference is one thing that is not the same in both.
type Difference struct {
	// Platform is os/arch, with the variant where there is one; empty for what is
	// said of no platform.
	Platform string `json:"platform,omitempty"`
	// Layer counts from 1, the lowest; 0 is none. Step is what its history says
	// of how it was made.
	Layer int    `json:"layer,omitempty"`
	Step  string `json:"step,omitempty"`
	// Path is that of a file in the layer, absolute.
	Path string `json:"path,omitempty"`
	// Section is one of an executable, such as ".rodata".
	Section string `json:"section,omitempty"`
	// What differs, such as "user", "mode", "content" or "module golang.org/x/text".
	What string `json:"what"`
	// Released and Rebuilt are what it is on either side; empty where it is not
	// there.
	Released string `json:"released"`
	Rebuilt  string `json:"rebuilt"`
	// Cause is what is likely to have made the difference, empty where nobody
	// knows.
	Cause string `json:"cause,omitempty"`
}

// Place is where the difference is, as people read it; empty for the whole.
func (d Difference) Place() string {
	var parts []string
	add := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	add(d.Platform)
	if d.Layer > 0 {
		add(fmt.Sprintf("layer %d", d.Layer))
	}
	add(d.Path)
	add(d.Section)
	return strings.Join(parts, ": ")
}

// How many differences are listed, in all and of one layer, so that one does not
// hide another. Of a layer of the base a few say enough: it is another base.
const (
	most          = 200
	mostOfLayer   = 60
	mostOfBase    = 4
	mostFunctions = 20
)

// maxValue is how much of a value is told.
const maxValue = 300

// A comparison gathers differences.
type comparison struct {
	tmp  string
	list []Difference
	left int
	// limit is how long the list may be for now.
	limit int
}

// add notes a difference, if it is one.
func (c *comparison) add(d Difference) {
	if d.Released == d.Rebuilt {
		return
	}
	if len(c.list) >= c.limit {
		c.left++
		return
	}
	// Two long values that begin alike would be told as the same.
	d.Released, d.Rebuilt = short(d.Released, d.Rebuilt)
	c.list = append(c.list, d)
}

// short cuts two values where they are long, to around the place where they
// begin to differ.
func short(a, b string) (string, string) {
	if len(a) <= maxValue && len(b) <= maxValue {
		return a, b
	}
	from := 0
	for from < min(len(a), len(b)) && a[from] == b[from] {
		from++
	}
	from = max(0, from-maxValue/3)
	cut := func(s string) string {
		before, after := "", ""
		if from > 0 && from < len(s) {
			s, before = s[from:], "..."
		}
		if len(s) > maxValue {
			s, after = s[:maxValue], "..."
		}
		return before + strings.ToValidUTF8(s, "") + after
	}
	return cut(a), cut(b)
}

// Between compares two images or indexes. Layers that differ are unpacked into
// files in the folder tmp, which are removed again. It lists so many differences
// as tell what happened, in an order that depends on nothing else, and says how
// many are left.
//
// An error means that something could not be read, and then nothing is told.
func Between(ctx context.Context, released, rebuilt mutate.Appendable, tmp string) (list []Difference, left int, err error) {
	a, err := openArtifact(released)
	if err != nil {
		return nil, 0, fmt.Errorf("reading what was released: %w", err)
	}
	b, err := openArtifact(rebuilt)
	if err != nil {
		return nil, 0, fmt.Errorf("reading what was rebuilt: %w", err)
	}
	if a.digest == b.digest {
		return nil, 0, nil
	}
	c := &comparison{tmp: tmp, limit: most}
	if err := c.artifacts(ctx, a, b); err != nil {
		return nil, 0, err
	}
	if len(c.list) == 0 {
		c.add(Difference{What: "manifest", Released: a.digest.String(), Rebuilt: b.digest.String(),
			Cause: "both say the same in other words: another tool wrote it, or another version of Temper"})
	}
	return c.list, c.left, nil
}

// An artifact is an index with its images, or one image.
type artifact struct {
	digest v1.Hash
	// index is the document, nil for a single image.
	index []byte
	// members are the images in their order, others what else an index lists.
	members []member
	others  []v1.Descriptor
}

// A member is the image of a platform.
type member struct {
	platform string
	descr    v1.Descriptor
	image    v1.Image
}

func openArtifact(from mutate.Appendable) (*artifact, error) {
	digest, err := from.Digest()
	if err != nil {
		return nil, err
	}
	a := &artifact{digest: digest}
	switch from := from.(type) {
	case v1.Image:
		config, err := from.ConfigFile()
		if err != nil {
			return nil, err
		}
		on := v1.Platform{OS: config.OS, Architecture: config.Architecture, Variant: config.Variant}
		a.members = []member{{platform: on.String(), image: from}}
		return a, nil
	case v1.ImageIndex:
		if a.index, err = from.RawManifest(); err != nil {
			return nil, err
		}
		return a, a.open(from)
	}
	return nil, errors.New("it is neither an image nor an index")
}

// open reads the images of an index.
func (a *artifact) open(index v1.ImageIndex) error {
	m, err := index.IndexManifest()
	if err != nil {
		return err
	}
	seen := make(map[string]int)
	for _, d := range m.Manifests {
		if !d.MediaType.IsImage() {
			a.others = append(a.others, d)
			continue
		}
		img, err := index.Image(d.Digest)
		if err != nil {
			return err
		}
		one := member{descr: d, image: img, platform: "unknown"}
		if d.Platform != nil {
			one.platform = d.Platform.String()
		}
		if seen[one.platform]++; seen[one.platform] > 1 {
			one.platform += fmt.Sprintf(" (%d)", seen[one.platform])
		}
		a.members = append(a.members, one)
	}
	return nil
}
