package release

import (
	"context"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"temper/pipeline/evidence"
)

const (
	// contentAnnotation and predicateAnnotation tell a reader of the list of
	// referrers what a bundle holds, as cosign does.
	contentAnnotation   = "dev.sigstore.bundle.content"
	predicateAnnotation = "dev.sigstore.bundle.predicateType"

	emptyMediaType types.MediaType = "application/vnd.oci.empty.v1+json"
)

// A referrer is a manifest that refers to another, and what it is made of. Its
// bytes do not change between two attempts: no time is in it.
type referrer struct {
	raw       []byte
	mediaType types.MediaType
	parts     []v1.Layer
}

func (r *referrer) RawManifest() ([]byte, error)        { return r.raw, nil }
func (r *referrer) MediaType() (types.MediaType, error) { return r.mediaType, nil }

// attachBundles writes the bundles that are not there. It tells how many of those
// others can overwrite, which is none where the registry keeps the list itself:
// what became of those shows when the whole is read back.
func (a *attachment) attachBundles(ctx context.Context) (wrote int, err error) {
	have, refs, kept, err := a.read.bundles(ctx, a.Digest, a.signer.verifier)
	if err != nil {
		return 0, err
	}
	var want []statement
	if !have.signed() {
		signature, err := signatureOf(a.Digest)
		if err != nil {
			return 0, err
		}
		want = append(want, signature)
	}
	for _, s := range a.statements {
		if !have.holds(s.raw) {
			want = append(want, s)
		}
	}
	signed := make([]*referrer, len(want))
	jobs := a.read.jobs
	if a.signer.keyless != nil {
		jobs = 1 // services that fail need not be asked about each
	}
	err = each(ctx, jobs, len(want), func(ctx context.Context, i int) (err error) {
		if signed[i], err = a.bundle(ctx, want[i]); err != nil {
			return err
		}
		return a.upload(ctx, signed[i])
	})
	for i, ref := range signed {
		if ref != nil {
			a.bundles[string(want[i].raw)] = ref
		}
	}
	if err != nil {
		return 0, err
	}
	if err := a.put(ctx, kept, signed...); err != nil {
		return 0, err
	}
	if kept {
		return 0, nil
	}
	wrote = len(want)
	for _, gone := range lost(&a.seen.referrers, refs) {
		raw, err := a.read.manifest(ctx, gone.Digest, maxManifest)
		if useless(err) {
			continue // it was taken away, not overwritten
		}
		if err != nil {
			return wrote, err
		}
		if err := a.put(ctx, kept, &referrer{raw: raw, mediaType: gone.MediaType}); err != nil {
			return wrote, err
		}
		wrote++
	}
	return wrote, nil
}

// bundle signs a statement, if that was not done, and returns the referrer that holds the bundle.
func (a *attachment) bundle(ctx context.Context, s statement) (*referrer, error) {
	if ref := a.bundles[string(s.raw)]; ref != nil {
		return ref, nil
	}
	signed, err := a.seal(ctx, s)
	if err != nil {
		return nil, err
	}
	ref, err := refer(a.Descriptor, signed.bundle, s.PredicateType)
	if err != nil {
		return nil, fmt.Errorf("writing referrer: %w", err)
	}
	return ref, nil
}

func refer(subject v1.Descriptor, bundle []byte, predicateType string) (*referrer, error) {
	layer := static.NewLayer(bundle, bundleMediaType)
	config := static.NewLayer([]byte("{}"), emptyMediaType)
	layerDesc, err := partial.Descriptor(layer)
	if err != nil {
		return nil, err
	}
	configDesc, err := partial.Descriptor(config)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		ArtifactType:  string(bundleMediaType),
		Config:        *configDesc,
		Layers:        []v1.Descriptor{*layerDesc},
		Subject:       &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
		Annotations: map[string]string{
			contentAnnotation:   "dsse-envelope",
			predicateAnnotation: predicateType,
		},
	})
	return &referrer{raw: raw, mediaType: types.OCIManifestSchema1, parts: []v1.Layer{config, layer}}, err
}

// upload uploads what referrers hold, each part once.
func (a *attachment) upload(ctx context.Context, refs ...*referrer) error {
	var parts []v1.Layer
	for _, ref := range refs {
		parts = append(parts, ref.parts...)
	}
	return each(ctx, a.read.jobs, len(parts), func(ctx context.Context, i int) error {
		return plain(a.push.Upload(ctx, a.repo, parts[i]))
	})
}

// put writes referrers, and their entries in the list where that is a tag, one
// after the other. It puts a manifest even if the registry has it: the entry
// may be lost.
func (a *attachment) put(ctx context.Context, kept bool, refs ...*referrer) error {
	if err := a.upload(ctx, refs...); err != nil {
		return err
	}
	jobs := 1
	if kept {
		jobs = a.read.jobs
	}
	return each(ctx, jobs, len(refs), func(ctx context.Context, i int) error {
		return plain(a.push.Put(ctx, a.repo.Digest(hash(refs[i].raw).String()), refs[i]))
	})
}

// signatureOf returns the statement that says nothing but that the manifest
// is signed.
func signatureOf(manifest v1.Hash) (statement, error) {
	s, err := evidence.State(signPredicate, struct{}{}, "", manifest)
	if err != nil {
		return statement{}, err
	}
	raw, err := s.Bytes()
	return statement{Statement: s, raw: raw}, err
}
