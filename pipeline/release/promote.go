package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// An Opener verifies a release, as [Open] does by some signer and policy, and
// returns the digest of what was verified.
type Opener func(ctx context.Context, ref name.Reference, opts Options) (name.Digest, error)

// Promote copies a release to a repository, with all that belongs to it, and then
// moves the tags there to it. It returns the digest that they name. It is verified where it comes from, by its digest
// from then on, and again where it went to, before the tags: what does not pass
// there is a [*Refusal], and nothing has been pushed. Nothing is signed: whoever
// promotes needs no key. What is in the repository already stays. After any other
// error promoting again finishes the work.
//
// The release may come from a layout, by [Options.Layout] of source.
func Promote(ctx context.Context, from name.Reference, to name.Repository, open Opener, tags []string, source, target Options) (name.Digest, error) {
	if target.Layout != nil {
		return name.Digest{}, errors.New("a release is promoted to a registry and not to a layout")
	}
	to, err := target.named(to)
	if err != nil {
		return name.Digest{}, err
	}
	names, err := tagNames(to, tags)
	if err != nil {
		return name.Digest{}, err
	}
	verified, err := open(ctx, from, source)
	if err != nil {
		return name.Digest{}, err
	}
	all, err := Collect(ctx, verified, source)
	if err != nil {
		return name.Digest{}, err
	}
	p, err := publishing(ctx, to, target)
	if err != nil {
		return name.Digest{}, err
	}
	digest := to.Digest(all.Digest.String())
	whole := all.Artifact.(remote.Taggable)
	if err := p.push.Push(ctx, digest, whole); err != nil {
		return name.Digest{}, fmt.Errorf("pushing %s: %w", digest, plain(err))
	}
	if err := p.fill(ctx, all.Artifact, p.read.jobs); err != nil {
		return name.Digest{}, fmt.Errorf("pushing %s: %w", digest, plain(err))
	}
	if err := p.carry(ctx, all); err != nil {
		return name.Digest{}, fmt.Errorf("copying what belongs to %s: %w", digest, plain(err))
	}
	if _, err := open(ctx, digest, target); err != nil { // no refusal: it has been pushed
		return name.Digest{}, fmt.Errorf("reading back what was promoted: %v", err)
	}
	for _, tag := range names {
		if err := p.push.Push(ctx, tag, whole); err != nil {
			return name.Digest{}, fmt.Errorf("moving the tag %s: %w", tag, plain(err))
		}
	}
	return digest, nil
}

// carry writes what belongs to a release and is not there, and looks again, until
// all is there: others may be writing the same tags.
func (p *publication) carry(ctx context.Context, all *Collection) error {
	for attempt := range maxAttempts {
		if err := pause(ctx, attempt, p.patience); err != nil {
			return err
		}
		wrote, err := p.carryReferrers(ctx, all.Referrers)
		if err != nil {
			return err
		}
		for _, tag := range all.Tags() {
			n, err := p.carryLegacy(ctx, tag, all.Legacy[tag])
			if err != nil {
				return fmt.Errorf("%s: %w", tag, err)
			}
			wrote += n
		}
		if wrote == 0 {
			return nil
		}
	}
	return fmt.Errorf("it is not there after %d attempts: others write the same tags", maxAttempts)
}

// carryReferrers pushes those that are not listed, one after the other: where a
// tag stands for the list, each is written into it.
func (p *publication) carryReferrers(ctx context.Context, refs []v1.Image) (wrote int, err error) {
	listed := make(map[v1.Hash][]v1.Descriptor)
	for _, img := range refs {
		m, err := img.Manifest()
		if err != nil {
			return wrote, err
		}
		about := m.Subject.Digest
		if _, asked := listed[about]; !asked {
			if listed[about], _, err = p.read.referrers(ctx, about); err != nil {
				return wrote, err
			}
		}
		digest, err := img.Digest()
		if err != nil {
			return wrote, err
		}
		if slices.ContainsFunc(listed[about], func(d v1.Descriptor) bool { return d.Digest == digest }) {
			continue
		}
		if err := p.push.Push(ctx, p.repo.Digest(digest.String()), img); err != nil {
			return wrote, err
		}
		// It may be there, and no more in the list.
		if err := p.push.Put(ctx, p.repo.Digest(digest.String()), img); err != nil {
			return wrote, err
		}
		wrote++
	}
	return wrote, nil
}

// carryLegacy writes the layers that are not under a legacy tag yet.
func (p *publication) carryLegacy(ctx context.Context, tag string, img v1.Image) (int, error) {
	to, err := p.read.attached(ctx, tag)
	if useless(err) {
		to.none, err = err, nil
	}
	if err != nil {
		return 0, err
	}
	m, err := img.Manifest()
	if err != nil {
		return 0, err
	}
	var add []mutate.Addendum
	for _, layer := range m.Layers {
		if slices.ContainsFunc(to.layers, func(d v1.Descriptor) bool { return same(d, layer) }) {
			continue
		}
		content, err := img.LayerByDigest(layer.Digest)
		if err != nil {
			return 0, err
		}
		add = append(add, mutate.Addendum{Layer: content, Annotations: layer.Annotations, MediaType: layer.MediaType})
	}
	switch {
	case len(add) == 0:
		return 0, nil
	case to.none == nil && to.digest == (v1.Hash{}): // as it is, by its digest
		return len(add), p.push.Push(ctx, p.repo.Tag(tag), img)
	case !strings.HasSuffix(tag, signatureSuffix) && !strings.HasSuffix(tag, attestationSuffix):
		return 0, nil // another stands there, and is not one that is added to
	}
	a := &attachment{publication: p}
	return a.append(ctx, to, add, new([]v1.Descriptor))
}
