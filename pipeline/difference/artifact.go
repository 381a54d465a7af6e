package difference

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Causes that come in more than one place.
const (
	anotherBase     = "another base"
	anotherPlatform = "the build was told of other platforms"
	anotherSource   = "another commit, or changes that were not committed"
)

// artifacts compares what an index says, and then the images by platform.
func (c *comparison) artifacts(ctx context.Context, a, b *artifact) error {
	c.add(Difference{What: "kind", Released: a.kind(), Rebuilt: b.kind(), Cause: anotherPlatform})
	c.add(Difference{What: "platforms", Released: a.platforms(), Rebuilt: b.platforms(), Cause: anotherPlatform})
	if a.index != nil && b.index != nil {
		without := func(raw []byte) (any, error) {
			doc, err := parse(raw)
			if m, ok := doc.(map[string]any); ok {
				delete(m, "manifests")
			}
			return doc, err
		}
		if err := c.documents(Difference{}, "index ", a.index, b.index, without); err != nil {
			return err
		}
		c.add(Difference{What: "other manifests", Released: descriptors(a.others), Rebuilt: descriptors(b.others),
			Cause: "another tool put them into the index"})
	}
	for _, one := range a.members {
		other := b.member(one.platform)
		if other == nil {
			continue // told above
		}
		at := Difference{Platform: one.platform}
		if a.index != nil && b.index != nil {
			if err := c.described(at, one.descr, other.descr); err != nil {
				return err
			}
		}
		if err := c.images(ctx, at, one.image, other.image); err != nil {
			return fmt.Errorf("comparing the images for %s: %w", one.platform, err)
		}
	}
	return nil
}

func (a *artifact) kind() string {
	if a.index != nil {
		return "an index"
	}
	return "a single image"
}

func (a *artifact) platforms() string {
	var all []string
	for _, one := range a.members {
		all = append(all, one.platform)
	}
	return strings.Join(all, ", ")
}

func (a *artifact) member(platform string) *member {
	for i := range a.members {
		if a.members[i].platform == platform {
			return &a.members[i]
		}
	}
	return nil
}

func descriptors(list []v1.Descriptor) string {
	var all []string
	for _, d := range list {
		all = append(all, fmt.Sprintf("%s %s", d.MediaType, d.Digest))
	}
	return strings.Join(all, ", ")
}

// described compares what an index says of one image, beside which it is.
func (c *comparison) described(at Difference, a, b v1.Descriptor) error {
	var raw [2][]byte
	for i, d := range []v1.Descriptor{a, b} {
		d.Digest, d.Size = v1.Hash{}, 0
		var err error
		if raw[i], err = json.Marshal(d); err != nil {
			return err
		}
	}
	return c.documents(at, "index entry ", raw[0], raw[1], parse)
}

// images compares two images of one platform.
func (c *comparison) images(ctx context.Context, at Difference, a, b v1.Image) error {
	one, err := a.Digest()
	if err != nil {
		return err
	}
	other, err := b.Digest()
	if err != nil || one == other {
		return err
	}
	before := len(c.list) + c.left
	rawA, err := a.RawManifest()
	if err != nil {
		return err
	}
	rawB, err := b.RawManifest()
	if err != nil {
		return err
	}
	// What the manifest says of the configuration and the layers follows from
	// them.
	without := func(raw []byte) (any, error) {
		doc, err := parse(raw)
		if m, ok := doc.(map[string]any); ok {
			delete(m, "layers")
			if config, ok := m["config"].(map[string]any); ok {
				delete(config, "digest")
				delete(config, "size")
			}
		}
		return doc, err
	}
	if err := c.documents(at, "manifest ", rawA, rawB, without); err != nil {
		return err
	}
	if err := c.configs(at, a, b); err != nil {
		return err
	}
	if err := c.layerLists(ctx, at, a, b); err != nil {
		return err
	}
	if len(c.list)+c.left == before {
		at.What, at.Released, at.Rebuilt = "manifest", one.String(), other.String()
		at.Cause = "both say the same in other words: another tool wrote it, or another version of Temper"
		c.add(at)
	}
	return nil
}

// configs compares the configurations.
func (c *comparison) configs(at Difference, a, b v1.Image) error {
	rawA, err := a.RawConfigFile()
	if err != nil {
		return err
	}
	rawB, err := b.RawConfigFile()
	if err != nil {
		return err
	}
	// The digests of the layers' content follow from the layers.
	without := func(raw []byte) (any, error) {
		doc, err := parse(raw)
		if m, ok := doc.(map[string]any); ok {
			if fs, ok := m["rootfs"].(map[string]any); ok {
				delete(fs, "diff_ids")
			}
		}
		return doc, err
	}
	return c.documents(at, "", rawA, rawB, without)
}

// layerLists compares the layers in their order.
func (c *comparison) layerLists(ctx context.Context, at Difference, a, b v1.Image) error {
	layersA, err := a.Layers()
	if err != nil {
		return err
	}
	layersB, err := b.Layers()
	if err != nil {
		return err
	}
	stepsA, err := steps(a)
	if err != nil {
		return err
	}
	stepsB, err := steps(b)
	if err != nil {
		return err
	}
	count := func(n int) string { return fmt.Sprintf("%d", n) }
	many := at
	many.What, many.Released, many.Rebuilt = "layers", count(len(layersA)), count(len(layersB))
	many.Cause = anotherBase + ", or static files on one side only"
	c.add(many)
	for i, layer := range layersA {
		if err := ctx.Err(); err != nil {
			return err
		}
		j := partner(i, stepsA, stepsB)
		if j < 0 || j >= len(layersB) {
			continue // told by their number
		}
		here := at
		here.Layer, here.Step = i+1, step(stepsA, i)
		if here.Step == "" {
			here.Step = step(stepsB, j)
		}
		if err := c.layers(ctx, here, layer, layersB[j]); err != nil {
			return fmt.Errorf("layer %d: %w", i+1, err)
		}
	}
	return nil
}

// partner is the layer to compare with: for one of the service that which was
// made likewise, so that a layer more or less does not shift the others; else
// the one in the same place. It is -1 where there is none.
func partner(i int, a, b []string) int {
	kind, _, _ := strings.Cut(strings.TrimPrefix(step(a, i), "temper "), " ")
	if !ownStep(step(a, i)) {
		if ownStep(step(b, i)) {
			return -1
		}
		return i
	}
	return slices.IndexFunc(b, func(s string) bool { return ownStep(s) && strings.HasPrefix(s, "temper "+kind) })
}

// steps are what the history says of each layer.
func steps(img v1.Image) ([]string, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	var all []string
	for _, h := range config.History {
		if !h.EmptyLayer {
			all = append(all, h.CreatedBy)
		}
	}
	return all, nil
}

func step(all []string, i int) string {
	if i >= len(all) {
		return ""
	}
	return all[i]
}

// ofBase tells whether a layer is one that Temper found and did not make.
func ofBase(d Difference) bool { return d.Layer > 0 && !ownStep(d.Step) }

// ownStep tells of a history's words whether Temper wrote them for a layer of
// the service.
func ownStep(step string) bool {
	return step == "temper assets" || strings.HasPrefix(step, "temper binary ")
}
