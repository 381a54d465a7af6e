package release

import (
	"context"
	"fmt"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// signatureAnnotation is on every layer of the legacy form; on an
	// attestation it is empty, and cosign wants it all the same.
	signatureAnnotation = "dev.cosignproject.cosign/signature"
	// legacyPredicateAnnotation is on an attestation.
	legacyPredicateAnnotation = "predicateType"
)

// attachLegacy writes what is not there under the legacy tags and tells how
// many layers that was.
func (a *attachment) attachLegacy(ctx context.Context) (wrote int, err error) {
	if a.wrote {
		if stands, err := a.stands(ctx); stands || err != nil {
			return 0, err
		}
	}
	have, signatures, envelopes, err := a.read.legacy(ctx, a.Digest, a.signer.verifier)
	if err != nil {
		return 0, err
	}
	var added [2]int
	err = each(ctx, a.read.jobs, len(added), func(ctx context.Context, i int) (err error) {
		if i == 0 {
			added[i], err = a.addSignature(ctx, have, signatures)
		} else {
			added[i], err = a.addEnvelopes(ctx, have, envelopes)
		}
		return err
	})
	wrote = added[0] + added[1]
	a.wrote = wrote > 0
	return wrote, err
}

func (a *attachment) addSignature(ctx context.Context, have *claims, to attached) (int, error) {
	var add []mutate.Addendum
	if !have.signed() {
		layer, err := a.signature(ctx)
		if err != nil {
			return 0, err
		}
		add = append(add, *layer)
	}
	return a.append(ctx, to, add, &a.seen.signatures)
}

func (a *attachment) addEnvelopes(ctx context.Context, have *claims, to attached) (int, error) {
	var add []mutate.Addendum
	for _, s := range a.statements {
		if have.holds(s.raw) {
			continue
		}
		layer, err := a.envelope(ctx, s)
		if err != nil {
			return 0, err
		}
		add = append(add, layer)
	}
	return a.append(ctx, to, add, &a.seen.envelopes)
}

// stands tells whether what was written under the legacy tags, and what was seen of
// others, is listed now. What the lists name is for [Open] to look at, which comes
// last.
func (a *attachment) stands(ctx context.Context) (bool, error) {
	tags := []struct {
		suffix string
		seen   *[]v1.Descriptor
	}{{signatureSuffix, &a.seen.signatures}, {attestationSuffix, &a.seen.envelopes}}
	stand := make([]bool, len(tags))
	err := each(ctx, a.read.jobs, len(tags), func(ctx context.Context, i int) error {
		now, err := a.read.attached(ctx, referrersTag(a.Digest)+tags[i].suffix)
		if err != nil && !useless(err) {
			return fmt.Errorf("reading %s: %w", now.tag, err)
		}
		stand[i] = err == nil && len(lost(tags[i].seen, now.layers)) == 0
		return nil
	})
	return !slices.Contains(stand, false), err
}

// signature signs the manifest once.
func (a *attachment) signature(ctx context.Context) (*mutate.Addendum, error) {
	if a.simple != nil {
		return a.simple, nil
	}
	claim, with, err := a.signer.simple(ctx, a.repo.Digest(a.Digest.String()))
	if err != nil {
		return nil, err
	}
	a.simple = &mutate.Addendum{
		Layer:       static.NewLayer(claim, signatureMediaType),
		Annotations: with,
	}
	return a.simple, nil
}

// envelope signs a statement once.
func (a *attachment) envelope(ctx context.Context, s statement) (mutate.Addendum, error) {
	if layer, ok := a.envelopes[string(s.raw)]; ok {
		return layer, nil
	}
	signed, err := a.seal(ctx, s)
	if err != nil {
		return mutate.Addendum{}, err
	}
	with := map[string]string{signatureAnnotation: "", legacyPredicateAnnotation: s.PredicateType}
	maps.Copy(with, signed.annotations)
	layer := mutate.Addendum{Layer: static.NewLayer(signed.envelope, envelopeMediaType), Annotations: with}
	a.envelopes[string(s.raw)] = layer
	return layer, nil
}

// append writes layers to those behind a tag, and with them the layers of
// others that were there and are not now. It returns how many it wrote.
func (a *attachment) append(ctx context.Context, to attached, add []mutate.Addendum, seen *[]v1.Descriptor) (int, error) {
	for _, gone := range lost(seen, to.layers) {
		if ours, err := among(add, gone); err != nil {
			return 0, err
		} else if ours {
			continue // it was seen, and is among what is to be written already
		}
		raw, err := a.read.blob(ctx, gone, maxEnvelope)
		if useless(err) {
			continue // it was taken away, not overwritten
		}
		if err != nil {
			return 0, err
		}
		add = append(add, mutate.Addendum{Layer: static.NewLayer(raw, gone.MediaType), Annotations: gone.Annotations})
	}
	if len(add) == 0 {
		return 0, nil
	}
	if to.none != nil {
		return 0, fmt.Errorf("%s holds something else, and is not overwritten: %w", to.tag, to.none)
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if to.digest != (v1.Hash{}) {
		desc, err := a.pull.Get(ctx, a.repo.Digest(to.digest.String()))
		if err != nil {
			return 0, err
		}
		if base, err = desc.Image(); err != nil {
			return 0, err
		}
	}
	image, err := mutate.Append(base, add...)
	if err != nil {
		return 0, err
	}
	if err := a.push.Push(ctx, a.repo.Tag(to.tag), image); err != nil {
		return 0, plain(err)
	}
	for _, one := range add {
		digest, err := one.Layer.Digest()
		if err != nil {
			return 0, err
		}
		remember(seen, []v1.Descriptor{{Digest: digest, Annotations: one.Annotations}})
	}
	return len(add), nil
}

// among tells whether an entry is one of the layers.
func among(add []mutate.Addendum, entry v1.Descriptor) (bool, error) {
	for _, one := range add {
		digest, err := one.Layer.Digest()
		if err != nil {
			return false, err
		}
		if same(v1.Descriptor{Digest: digest, Annotations: one.Annotations}, entry) {
			return true, nil
		}
	}
	return false, nil
}
