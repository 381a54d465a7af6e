package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// A Collection is an image or an index as it lies in a registry or a layout, with
// what belongs to it and its platforms. It has not been verified.
type Collection struct {
	// Digest is that of the artifact.
	Digest v1.Hash
	// Artifact is a [v1.Image] or a [v1.ImageIndex], whose layers are fetched when
	// they are read.
	Artifact mutate.Appendable
	// Referrers name one of the manifests as their subject.
	Referrers []v1.Image
	// Legacy are the images under legacy tags, by these.
	Legacy map[string]v1.Image
	// Claims counts those of both that call themselves signatures or attestations;
	// nobody looked whether they are.
	Claims int
	// Left tells what else claims to belong to it and does not come along: it is
	// larger or more than [Open] would look at, or nothing that can be copied.
	Left []string
}

// Tags are the legacy tags, sorted.
func (c *Collection) Tags() []string { return slices.Sorted(maps.Keys(c.Legacy)) }

// Collect finds an image and what belongs to it, to copy all of it. It bounds
// what it reads as [Open] does. [ErrNotFound] means that there is no such image.
func Collect(ctx context.Context, ref name.Reference, opts Options) (*Collection, error) {
	r, err := opts.reader(ctx, ref.Context())
	if err != nil {
		return nil, err
	}
	top, raw, err := r.resolve(ctx, ref)
	if err != nil {
		return nil, asked(ref, err)
	}
	all, err := r.manifests(ctx, top, raw)
	if err != nil {
		return nil, r.unreadable(ref.String(), top, len(all) > 0, err)
	}
	pulling, err := opts.pulling(ctx, r.repo)
	if err != nil {
		return nil, err
	}
	pull, err := remote.NewPuller(pulling...)
	if err != nil {
		return nil, err
	}
	c := &collecting{reader: r, pull: pull, Collection: &Collection{Digest: top, Legacy: make(map[string]v1.Image)}}
	if c.Artifact, err = c.artifact(ctx, top); err != nil {
		return nil, fmt.Errorf("reading %s: %w", ref, plain(err))
	}
	for _, m := range all {
		if err := c.referrersOf(ctx, m); err != nil {
			return nil, fmt.Errorf("looking for what refers to %s: %w", m, err)
		}
		for _, suffix := range []string{signatureSuffix, attestationSuffix, ".sbom"} {
			if err := c.under(ctx, referrersTag(m.Digest)+suffix); err != nil {
				return nil, fmt.Errorf("looking for the legacy tags of %s: %w", m, err)
			}
		}
	}
	return c.Collection, nil
}

// collecting is one run of Collect.
type collecting struct {
	*Collection
	*reader
	pull *remote.Puller
}

func (c *collecting) artifact(ctx context.Context, h v1.Hash) (mutate.Appendable, error) {
	desc, err := c.pull.Get(ctx, c.repo.Digest(h.String()))
	if err != nil {
		return nil, err
	}
	if desc.MediaType.IsIndex() {
		return desc.ImageIndex()
	}
	return desc.Image()
}

func (c *collecting) leave(what string, err error) {
	c.Left = append(c.Left, printable(fmt.Sprintf("%s: %v", what, err)))
}

// referrersOf collects what refers to a manifest, what calls itself a bundle
// first.
func (c *collecting) referrersOf(ctx context.Context, m manifest) error {
	refs, _, err := c.reader.referrers(ctx, m.Digest)
	if useless(err) {
		c.leave("the list of what refers to "+m.String(), err)
		return nil
	}
	if err != nil {
		return err
	}
	refs = likely(refs)
	if n := len(refs) - maxCandidates; n > 0 {
		c.leave("what refers to "+m.String(), fmt.Errorf("the last %d of %d", n, len(refs)))
		refs = refs[:maxCandidates]
	}
	left := int64(maxEvidence)
	for _, d := range refs {
		raw, err := c.reader.manifest(ctx, d.Digest, maxReferrer)
		if err == nil {
			err = copyable(raw, m.Digest, &left)
		}
		var img v1.Image
		if err == nil {
			img, err = c.image(ctx, d.Digest)
		}
		switch {
		case err == nil:
			c.Referrers = append(c.Referrers, img)
			if saysBundle(d) {
				c.Claims++
			}
		case useless(err) || errors.As(err, new(oddity)):
			c.leave("referrer "+short(d.Digest), err)
		default:
			return err
		}
	}
	return nil
}

// under collects what stands under a legacy tag.
func (c *collecting) under(ctx context.Context, tag string) error {
	raw, digest, err := c.reader.tagged(ctx, tag)
	left := int64(maxEvidence)
	if err == nil {
		err = copyable(raw, v1.Hash{}, &left)
	}
	var img v1.Image
	if err == nil {
		img, err = c.image(ctx, digest)
	}
	switch {
	case err == nil:
		c.Legacy[tag] = img
		c.Claims++
		return nil
	case missing(err):
		return nil
	case useless(err) || errors.As(err, new(oddity)):
		c.leave(tag, err)
		return nil
	}
	return err
}

func (c *collecting) image(ctx context.Context, h v1.Hash) (v1.Image, error) {
	desc, err := c.pull.Get(ctx, c.repo.Digest(h.String()))
	if err != nil {
		return nil, plain(err)
	}
	return desc.Image()
}

// copyable tells whether a manifest is a small image about the subject, and takes
// its size off what is left. The zero subject is none.
func copyable(raw []byte, subject v1.Hash, left *int64) error {
	var m struct {
		Config  *v1.Descriptor `json:"config"`
		Layers  descriptors    `json:"layers"`
		Subject *v1.Descriptor `json:"subject"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return oddity(fmt.Sprintf("it is no manifest: %v", err))
	}
	switch {
	case m.Config == nil:
		return oddity("it is no image")
	case subject != (v1.Hash{}) && (m.Subject == nil || m.Subject.Digest != subject):
		return oddity("it has another subject")
	case len(m.Layers) > maxCandidates:
		return oddity(fmt.Sprintf("it has %d layers", len(m.Layers)))
	}
	parts := append(m.Layers, *m.Config)
	if m.Config.Size > maxManifest || slices.ContainsFunc(parts, func(d v1.Descriptor) bool { return d.Size < 0 || d.Size > maxEnvelope }) {
		return oddity("it " + errTooLarge.Error())
	}
	for _, part := range parts {
		*left -= part.Size
	}
	if *left < 0 {
		return oddity("it " + errTooLarge.Error())
	}
	return nil
}
