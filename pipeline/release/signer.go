package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A Signature is one that was verified: who signed what, and where that was
// found.
type Signature struct {
	// Digest is that of the signed manifest.
	Digest v1.Hash
	// Signer is as [Verifier.String] has it.
	Signer string
	// Identity is the signer's, the zero value if it is a key.
	Identity Identity
	// Forms are those in which the signature was found, of those that were
	// looked at.
	Forms []Format
}

// VerifySigner says whether a manifest in a registry is signed by the one who
// is believed. Unlike [Open] it asks for nothing else: no evidence, and no
// signature of what is in an index. That is right for what others sign, such as
// a base image, of which only the index may be signed.
//
// The error is a [*Refusal] if the manifest is not so signed, and another if
// nobody could look.
func VerifySigner(ctx context.Context, ref name.Digest, by *Verifier, opts Options) (*Signature, error) {
	if err := by.known(); err != nil {
		return nil, err
	}
	about, err := v1.NewHash(ref.DigestStr())
	if err != nil {
		return nil, err
	}
	r, err := opts.reader(ctx, ref.Context())
	if err != nil {
		return nil, err
	}
	bundles, _, _, err := r.bundles(ctx, about, by)
	if err != nil {
		return nil, fmt.Errorf("looking for signatures of %s: %w", ref, err)
	}
	if bundles.signed() { // one is enough; others may be many, and far away
		return signedBy(ref.String(), about, []*claims{bundles}, by)
	}
	tag, err := r.fetchTag(ctx, about, signatureSuffix)
	if err != nil {
		return nil, fmt.Errorf("looking for signatures of %s: %w", ref, err)
	}
	legacy := &claims{form: Legacy}
	tag.addTo(legacy, func(one *claims, f fetched) error { return one.addSimple(ctx, f, about, by) })
	forms := []*claims{bundles, legacy}
	return signedBy(ref.String(), about, forms, by)
}

// VerifyAttached is [VerifySigner] for a manifest that is in no registry, but
// in an OCI layout, with images beside it that may hold its signatures: those
// that refer to it, and those that stand under legacy tags. Ref is what the
// manifest is called in errors.
func VerifyAttached(ctx context.Context, ref string, about v1.Hash, attached []v1.Image, by *Verifier) (*Signature, error) {
	if err := by.known(); err != nil {
		return nil, err
	}
	bundles, legacy := &claims{form: Bundle}, &claims{form: Legacy}
	left := int64(maxEvidence)
	for _, img := range attached[:min(len(attached), maxCandidates)] {
		m, err := img.Manifest()
		if err != nil {
			return nil, fmt.Errorf("looking for signatures of %s: %w", ref, err)
		}
		for _, desc := range m.Layers[:min(len(m.Layers), maxCandidates)] {
			isBundle := strings.HasPrefix(string(desc.MediaType), bundlePrefix)
			if !isBundle && desc.MediaType != signatureMediaType {
				continue
			}
			if left -= desc.Size; desc.Size < 0 || desc.Size > maxEnvelope || left < 0 {
				bundles.reject(fmt.Errorf("%s %w", short(desc.Digest), errTooLarge), false)
				continue
			}
			raw, err := layerOf(img, desc)
			if err != nil {
				bundles.reject(err, false)
				continue
			}
			if isBundle {
				bundles.tryBundle(raw, desc.Digest, about, by)
				continue
			}
			f := fetched{Descriptor: desc, raw: raw}
			if err := legacy.addSimple(ctx, f, about, by); err != nil {
				legacy.reject(fmt.Errorf("signature %s: %w", short(desc.Digest), err), true)
			}
		}
	}
	return signedBy(ref, about, []*claims{bundles, legacy}, by)
}

// layerOf reads a layer of an image as it lies there, and what its descriptor
// says it is.
func layerOf(img v1.Image, desc v1.Descriptor) ([]byte, error) {
	layer, err := img.LayerByDigest(desc.Digest)
	if err != nil {
		return nil, err
	}
	content, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer content.Close()
	raw, err := io.ReadAll(io.LimitReader(content, desc.Size+1))
	if err != nil {
		return nil, err
	}
	if hash(raw) != desc.Digest {
		return nil, fmt.Errorf("%s %w", desc.Digest, errAltered)
	}
	return raw, nil
}

// signedBy judges what is claimed of a manifest as a signature alone.
func signedBy(ref string, about v1.Hash, forms []*claims, by *Verifier) (*Signature, error) {
	all := join(forms...)
	err := all.judge(manifest{Descriptor: v1.Descriptor{Digest: about}, top: true}, nil, by)
	if no := (*Refusal)(nil); errors.As(err, &no) {
		no.Ref = ref
	}
	if err != nil {
		return nil, err
	}
	sig := &Signature{Digest: about, Signer: by.String(), Forms: signedIn(forms)}
	if who := all.signers()[0]; who != (Identity{}) {
		sig.Signer, sig.Identity = who.String(), who
	}
	return sig, nil
}
