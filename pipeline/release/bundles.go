package release

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"temper/pipeline/evidence"
)

// bundlePrefix is that of the media type of any Sigstore bundle.
const bundlePrefix = "application/vnd.dev.sigstore.bundle"

// bundles reads what the bundles that refer to a manifest claim. It also
// returns what refers to it, and whether the registry keeps that list itself.
func (r *reader) bundles(ctx context.Context, about v1.Hash, by *Verifier) (c *claims, refs []v1.Descriptor, kept bool, err error) {
	f, err := r.fetchBundles(ctx, about)
	if err != nil {
		return nil, nil, false, err
	}
	return f.claims(r.known, about, by), f.refs, f.kept, nil
}

// fetchedBundles are what refers to a manifest, and the bundles among it, of which
// nobody has looked at one.
type fetchedBundles struct {
	refs []v1.Descriptor
	// kept tells whether the registry keeps that list itself.
	kept  bool
	blobs []fetched
	// none says why what there is more of is no evidence.
	none []error
}

func (r *reader) fetchBundles(ctx context.Context, about v1.Hash) (*fetchedBundles, error) {
	f := new(fetchedBundles)
	var err error
	f.refs, f.kept, err = r.referrers(ctx, about)
	if useless(err) {
		return &fetchedBundles{kept: f.kept, none: []error{err}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing what refers to %s: %w", about, err)
	}
	first := likely(f.refs)
	if len(first) > maxCandidates {
		f.none = append(f.none, fmt.Errorf("%d referrers, of which only %d were looked at", len(first), maxCandidates))
		first = first[:maxCandidates]
	}
	if n := len(f.refs) - len(slices.DeleteFunc(slices.Clone(f.refs), unsigned)); n > 0 {
		f.none = append(f.none, fmt.Errorf("%d statements that nobody signed", n))
	}
	layers, err := r.bundleLayers(ctx, first)
	if err != nil {
		return nil, fmt.Errorf("reading what refers to %s: %w", about, err)
	}
	if f.blobs, err = r.blobs(ctx, layers, maxEvidence/2); err != nil {
		return nil, fmt.Errorf("reading bundles of %s: %w", about, err)
	}
	return f, nil
}

// claims are what the bundles say of the manifest.
func (f *fetchedBundles) claims(known *known, about v1.Hash, by *Verifier) *claims {
	c := &claims{form: Bundle, known: known}
	for _, err := range f.none {
		c.reject(err, false)
	}
	c.gather(len(f.blobs), func(one *claims, i int) {
		if b := f.blobs[i]; b.none != nil {
			one.reject(b.none, false)
		} else {
			one.tryBundle(b.raw, b.Digest, about, by)
		}
	})
	return c
}

// unsigned tells whether a referrer is a mere statement, as a build writes it.
func unsigned(d v1.Descriptor) bool { return d.ArtifactType == string(evidence.MediaType) }

// likely puts first what calls itself a bundle. It does not drop the rest:
// some registries and older clients write another artifact type.
func likely(refs []v1.Descriptor) []v1.Descriptor {
	refs = slices.Clone(refs)
	rank := func(d v1.Descriptor) int {
		if saysBundle(d) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(refs, func(a, b v1.Descriptor) int { return rank(a) - rank(b) })
	return refs
}

func saysBundle(d v1.Descriptor) bool {
	return strings.HasPrefix(d.ArtifactType, bundlePrefix) || d.Annotations[contentAnnotation] != ""
}

// bundleLayers returns the layers that hold bundles, in the order of the
// referrers. A referrer that holds none is somebody's else, and no error.
func (r *reader) bundleLayers(ctx context.Context, refs []v1.Descriptor) ([]v1.Descriptor, error) {
	found := make([][]v1.Descriptor, len(refs))
	err := each(ctx, r.jobs, len(refs), func(ctx context.Context, i int) error {
		raw, err := r.manifest(ctx, refs[i].Digest, maxReferrer)
		if useless(err) {
			return nil
		}
		if err != nil {
			return err
		}
		var m v1.Manifest
		if json.Unmarshal(raw, &m) == nil && len(m.Layers) == 1 && strings.HasPrefix(string(m.Layers[0].MediaType), bundlePrefix) {
			found[i] = m.Layers
		}
		return nil
	})
	return slices.Concat(found...), err
}

// tryBundle adds what a bundle says, or why it does not count.
func (c *claims) tryBundle(raw []byte, digest, about v1.Hash, by *Verifier) {
	if isSignature, err := c.addBundle(raw, about, by); err != nil {
		c.reject(fmt.Errorf("bundle %s: %w", short(digest), err), isSignature)
	}
}

// errMessage means that a bundle is of a blob, as cosign sign-blob makes them.
var errMessage = errors.New("it signs a message and not a statement")

// addBundle verifies a bundle and adds what it says. Of one that does not count it
// also tells whether it says that it is a signature.
func (c *claims) addBundle(raw []byte, about v1.Hash, by *Verifier) (isSignature bool, err error) {
	var b bundle.Bundle
	if err := untripped(func() error { return b.UnmarshalJSON(raw) }); err != nil {
		return false, fmt.Errorf("it is malformed: %w", err)
	}
	envelope := b.GetDsseEnvelope()
	if envelope == nil {
		return false, errMessage
	}
	err = c.addStatement(&b, envelope, about, by)
	return err != nil && saysSignature(envelope.GetPayload()), err
}

func (c *claims) addStatement(b *bundle.Bundle, in *protodsse.Envelope, about v1.Hash, by *Verifier) (err error) {
	if in.GetPayloadType() != string(evidence.MediaType) {
		return fmt.Errorf("it signs a %s", in.GetPayloadType())
	}
	var signature []byte
	if all := in.GetSignatures(); len(all) == 1 {
		signature = all[0].GetSig()
	}
	e := enveloped(by, in.GetPayloadType(), in.GetPayload(), signature)
	var sig signing
	if c.known.find(e) == nil {
		if sig, err = by.verifyBundle(b, about); err != nil {
			return err
		}
	}
	return c.add(e, in.GetPayload(), about, sig)
}

func (v *Verifier) verifyBundle(b *bundle.Bundle, about v1.Hash) (signing, error) {
	digest, err := hex.DecodeString(about.Hex)
	if err != nil {
		return signing{}, err
	}
	return v.verify(b, verify.WithArtifactDigest(about.Algorithm, digest))
}

// verify asks the library.
func (v *Verifier) verify(b *bundle.Bundle, what verify.ArtifactPolicyOption) (signing, error) {
	if err := v.timeless(b); err != nil {
		return signing{}, err
	}
	var result *verify.VerificationResult
	err := untripped(func() (err error) {
		result, err = v.bundle.Verify(b, verify.NewPolicy(what, v.policy))
		return err
	})
	var other *verify.ErrValueMismatch
	var unlike *verify.ErrValueRegexMismatch
	switch { // the last thing that is looked at
	case errors.As(err, &other):
		return signing{}, fmt.Errorf("it is by another signer: %w", other)
	case errors.As(err, &unlike):
		return signing{}, fmt.Errorf("it is by another signer: %w", unlike)
	case err != nil || !v.keyless():
		return signing{}, err
	}
	return signingIn(result)
}

// untripped lets the library read what strangers wrote: where it trips over
// something of theirs, that does not count, and what lies beside it does.
func untripped(read func() error) (err error) {
	defer func() {
		if trip := recover(); trip != nil {
			err = fmt.Errorf("it cannot be read: %v", trip)
		}
	}()
	return read()
}

func saysSignature(payload []byte) bool {
	var s struct {
		PredicateType string `json:"predicateType"`
	}
	return json.Unmarshal(payload, &s) == nil && s.PredicateType == signPredicate
}

// short returns enough of a digest to tell it from others in a sentence.
func short(h v1.Hash) string { return h.Algorithm + ":" + h.Hex[:min(12, len(h.Hex))] }
