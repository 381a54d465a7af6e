package difference

import (
	"context"
	"fmt"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// layers compares two layers in the same place.
func (c *comparison) layers(ctx context.Context, at Difference, a, b v1.Layer) error {
	typeA, err := a.MediaType()
	if err != nil {
		return err
	}
	typeB, err := b.MediaType()
	if err != nil {
		return err
	}
	types := at
	types.What, types.Released, types.Rebuilt = "media type", string(typeA), string(typeB)
	types.Cause = "another tool pushed it"
	c.add(types)
	digestA, err := a.Digest()
	if err != nil {
		return err
	}
	digestB, err := b.Digest()
	if err != nil || digestA == digestB {
		return err
	}
	one, err := unpack(ctx, a, c.tmp)
	if err != nil {
		return fmt.Errorf("unpacking what was released: %w", err)
	}
	defer one.close()
	other, err := unpack(ctx, b, c.tmp)
	if err != nil {
		return fmt.Errorf("unpacking what was rebuilt: %w", err)
	}
	defer other.close()
	claimed, err := a.DiffID()
	if err != nil {
		return err
	}
	lie := at
	lie.What, lie.Released, lie.Rebuilt = "content that the configuration names", claimed.String(), one.sum
	if one.sum != claimed.String() {
		lie.Cause = "the released configuration names other content than its layer has; nothing unpacks it"
		c.add(lie)
	}
	if one.sum == other.sum {
		at.What, at.Released, at.Rebuilt = "compression", digestA.String(), digestB.String()
		at.Cause = "the compressed bytes differ and the content does not: another tool made the layer, or a Temper with another image format"
		c.add(at)
		return nil
	}
	before := len(c.list) + c.left
	if err := c.entries(ctx, at, one, other); err != nil {
		return err
	}
	if len(c.list)+c.left == before {
		at.What, at.Released, at.Rebuilt = "tar", one.sum, other.sum
		at.Cause = "the same files, written in another order or form: another tool made the layer, or a Temper with another image format"
		c.add(at)
	}
	return nil
}

// entries compares what two layers hold, path by path.
func (c *comparison) entries(ctx context.Context, at Difference, a, b *unpacked) error {
	c.limit = min(most, len(c.list)+mostOfLayer)
	if ofBase(at) {
		c.limit = min(most, len(c.list)+mostOfBase)
	}
	defer func() { c.limit = most }()
	paths := make(map[string]bool)
	for p := range a.entries {
		paths[p] = true
	}
	for p := range b.entries {
		paths[p] = true
	}
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		here := at
		here.Path = p
		one, inA := a.entries[p]
		other, inB := b.entries[p]
		switch {
		case !inA:
			here.What, here.Rebuilt, here.Cause = "file", other.String(), missing(at, "the release does not have it")
			c.add(here)
		case !inB:
			here.What, here.Released, here.Cause = "file", one.String(), missing(at, "the commit does not make it")
			c.add(here)
		default:
			if err := c.entry(ctx, here, a, b, one, other); err != nil {
				return fmt.Errorf("comparing %s: %w", p, err)
			}
		}
	}
	return nil
}

// missing is the likely cause of a file on one side only.
func missing(at Difference, which string) string {
	if ofBase(at) {
		return anotherBase
	}
	return which + ": another commit, files that were not committed, or another temper.yaml"
}

// entry compares one path.
func (c *comparison) entry(ctx context.Context, at Difference, a, b *unpacked, one, other entry) error {
	for _, m := range []struct{ what, released, rebuilt string }{
		{"kind", one.kindName(), other.kindName()},
		{"mode", fmt.Sprintf("%04o", one.mode), fmt.Sprintf("%04o", other.mode)},
		{"owner", one.owner(), other.owner()},
		{"time", one.time, other.time},
		{"link", one.link, other.link},
		{"attributes", one.attributes, other.attributes},
		{"times in the tar", fmt.Sprint(one.count), fmt.Sprint(other.count)},
	} {
		d := at
		d.What, d.Released, d.Rebuilt = m.what, m.released, m.rebuilt
		d.Cause = "another tool made the layer, or changed it: Temper writes fixed modes, owners and times"
		switch {
		case ofBase(at):
			d.Cause = anotherBase
		case one.kind != other.kind, m.what == "link":
			d.Cause = anotherSource
		}
		c.add(d)
	}
	if one.sum == other.sum {
		return nil
	}
	return c.contents(ctx, at, a.content(one), b.content(other), one, other)
}
