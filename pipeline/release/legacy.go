package release

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/sigstore-go/pkg/verify"
	sigstore "github.com/sigstore/sigstore/pkg/signature/dsse"
	"github.com/sigstore/sigstore/pkg/signature/options"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"temper/pipeline/evidence"
)

// Cosign v2 keeps what belongs to a manifest under its digest as a tag, and
// one of these.
const (
	signatureSuffix   = ".sig"
	attestationSuffix = ".att"
)

// attached is what stands behind a legacy tag. The digest is that of the
// manifest, empty where there is no such tag; none says why what stands there
// is no evidence.
type attached struct {
	tag    string
	digest v1.Hash
	layers []v1.Descriptor
	none   error
}

// legacy reads what the legacy tags of a manifest claim. It also returns what
// stands behind them.
func (r *reader) legacy(ctx context.Context, about v1.Hash, by *Verifier) (c *claims, signatures, envelopes attached, err error) {
	f, err := r.fetchTags(ctx, about)
	if err != nil {
		return nil, attached{}, attached{}, err
	}
	return f.claims(ctx, r.known, about, by), f.signatures.attached, f.envelopes.attached, nil
}

// fetchedTags are what stands behind both tags, and nobody has looked at it.
type fetchedTags struct{ signatures, envelopes fetchedTag }

func (r *reader) fetchTags(ctx context.Context, about v1.Hash) (*fetchedTags, error) {
	f := new(fetchedTags)
	return f, each(ctx, r.jobs, 2, func(ctx context.Context, i int) (err error) {
		if i == 0 {
			f.signatures, err = r.fetchTag(ctx, about, signatureSuffix)
		} else {
			f.envelopes, err = r.fetchTag(ctx, about, attestationSuffix)
		}
		return err
	})
}

// claims are what both tags say of the manifest.
func (f *fetchedTags) claims(ctx context.Context, known *known, about v1.Hash, by *Verifier) *claims {
	c := &claims{form: Legacy, known: known}
	f.signatures.addTo(c, func(one *claims, f fetched) error { return one.addSimple(ctx, f, about, by) })
	f.envelopes.addTo(c, func(one *claims, f fetched) error { return one.addEnvelope(ctx, f, about, by) })
	return c
}

// A fetchedTag is what stands behind one legacy tag of a manifest.
type fetchedTag struct {
	attached
	suffix string
	blobs  []fetched
	// more says why what there is more of is no evidence.
	more error
}

func (r *reader) fetchTag(ctx context.Context, about v1.Hash, suffix string) (fetchedTag, error) {
	f := fetchedTag{suffix: suffix}
	var err error
	f.attached, err = r.attached(ctx, referrersTag(about)+suffix)
	if useless(err) {
		f.none = err
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("reading %s: %w", f.tag, err)
	}
	last := f.layers
	if n := len(last) - maxCandidates; n > 0 {
		f.more = fmt.Errorf("%d layers in %s, of which only the last %d were looked at", len(last), suffix, maxCandidates)
		last = last[n:]
	}
	limit := int64(maxEvidence / 2)
	if suffix == signatureSuffix {
		limit = maxSignatures
	}
	if f.blobs, err = r.blobs(ctx, last, limit); err != nil {
		return f, fmt.Errorf("reading %s: %w", f.tag, err)
	}
	return f, nil
}

// addTo hands every layer to the function, which adds it to the claims or says why
// it does not count.
func (f fetchedTag) addTo(c *claims, add func(*claims, fetched) error) {
	for _, err := range []error{f.none, f.more} {
		if err != nil {
			c.reject(err, false)
		}
	}
	c.gather(len(f.blobs), func(one *claims, i int) {
		b := f.blobs[i]
		err := b.none
		if err == nil {
			err = add(one, b)
		}
		if err != nil {
			one.reject(fmt.Errorf("%s layer %s: %w", f.suffix, short(b.Digest), err), f.suffix == signatureSuffix)
		}
	})
}

// attached returns what stands behind a legacy tag.
func (r *reader) attached(ctx context.Context, tag string) (attached, error) {
	raw, digest, err := r.tagged(ctx, tag)
	if missing(err) {
		return attached{tag: tag}, nil
	}
	if err != nil {
		return attached{tag: tag}, err
	}
	var m struct {
		Config v1.Descriptor `json:"config"`
		Layers descriptors   `json:"layers"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return attached{tag: tag}, fmt.Errorf("what %s names %w: %v", tag, errAltered, err)
	}
	if m.Config.Size < 0 || m.Config.Size > maxManifest {
		return attached{tag: tag}, fmt.Errorf("the configuration of %s %w (%d bytes)", tag, errTooLarge, maxManifest)
	}
	return attached{tag: tag, digest: digest, layers: m.Layers}, nil
}

// addSimple verifies a simple signing payload: that a trusted signer signed
// it, and that the manifest which it names is this one.
func (c *claims) addSimple(ctx context.Context, f fetched, about v1.Hash, by *Verifier) error {
	sig, err := by.verifySimple(ctx, f)
	if err != nil {
		return err
	}
	var claim payload.SimpleContainerImage
	if err := json.Unmarshal(f.raw, &claim); err != nil {
		return err
	}
	if claim.Critical.Type != payload.CosignSignatureType {
		return fmt.Errorf("it is a %q", claim.Critical.Type)
	}
	if claim.Critical.Image.DockerManifestDigest != about.String() {
		return fmt.Errorf("it is about %s", claim.Critical.Image.DockerManifestDigest)
	}
	sig.annotations = claim.Optional
	c.signings = append(c.signings, sig)
	return nil
}

// verifySimple verifies the signature of a payload, and not what it says.
func (v *Verifier) verifySimple(ctx context.Context, f fetched) (signing, error) {
	if v.keyless() {
		b, err := f.signedMessage()
		if err != nil {
			return signing{}, err
		}
		return v.verify(b, verify.WithArtifact(bytes.NewReader(f.raw)))
	}
	sig, err := base64.StdEncoding.DecodeString(f.Annotations[signatureAnnotation])
	if err != nil {
		return signing{}, fmt.Errorf("its signature is malformed: %w", err)
	}
	return signing{}, v.key.VerifySignature(bytes.NewReader(sig), bytes.NewReader(f.raw), options.WithContext(ctx))
}

// addEnvelope verifies a DSSE envelope and adds the statement in it. A
// statement that says "signed" counts in the other form only.
func (c *claims) addEnvelope(ctx context.Context, f fetched, about v1.Hash, by *Verifier) error {
	var in struct {
		PayloadType string `json:"payloadType"`
		Payload     []byte `json:"payload"`
		Signatures  []struct {
			Sig []byte `json:"sig"`
		} `json:"signatures"`
	}
	malformed := json.Unmarshal(f.raw, &in)
	var signature []byte
	if len(in.Signatures) == 1 {
		signature = in.Signatures[0].Sig
	}
	e := enveloped(by, in.PayloadType, in.Payload, signature)
	var sig signing
	if malformed != nil || c.known.find(e) == nil {
		var err error
		if sig, err = by.verifyEnvelope(ctx, f, about); err != nil {
			return err
		}
	}
	switch {
	case malformed != nil:
		return malformed
	case in.PayloadType != string(evidence.MediaType):
		return fmt.Errorf("it signs a %s", in.PayloadType)
	}
	before := len(c.signings)
	if err := c.add(e, in.Payload, about, sig); err != nil {
		return err
	}
	if len(c.signings) > before {
		c.signings = c.signings[:before]
		return errors.New("it says that it is a signature, which this form does not hold")
	}
	return nil
}

// verifyEnvelope verifies the signature of an envelope. That the statement in it
// is about the manifest is verified with it for an identity, and by [claims.add]
// for all.
func (v *Verifier) verifyEnvelope(ctx context.Context, f fetched, about v1.Hash) (signing, error) {
	if v.keyless() {
		b, err := f.signedEnvelope()
		if err != nil {
			return signing{}, err
		}
		return v.verifyBundle(b, about)
	}
	var envelope dsse.Envelope
	if err := json.Unmarshal(f.raw, &envelope); err != nil {
		return signing{}, fmt.Errorf("it is no envelope: %w", err)
	}
	if envelope.PayloadType != string(evidence.MediaType) {
		return signing{}, fmt.Errorf("it signs a %s", envelope.PayloadType)
	}
	check, err := dsse.NewEnvelopeVerifier(&sigstore.VerifierAdapter{SignatureVerifier: v.key})
	if err != nil {
		return signing{}, err
	}
	_, err = check.Verify(ctx, &envelope)
	return signing{}, err
}
