package release

import (
	"context"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"temper/pipeline/evidence"
)

const (
	// maxManifests is how many manifests an artifact may hold: an image for
	// every platform that Go knows, and something about each, is half of it.
	maxManifests = 128
	// maxLayers is how many layers an image may have, twice what runtimes take.
	// https://github.com/moby/moby/blob/v28.0.0/layer/layer_store.go
	maxLayers = 256
	// maxDepth is how deep they may be nested.
	maxDepth = 3
)

// A manifest is one of those that an artifact is made of.
type manifest struct {
	v1.Descriptor
	top bool
	// config is an image's; it is nil in an index.
	config *v1.Descriptor
	// layers are an image's.
	layers []v1.Descriptor
}

// runs tells whether the manifest is an image that a machine can run, and not
// an index or something that stands beside images, as builders put
// attestations into an index.
// https://docs.docker.com/build/metadata/attestations/attestation-storage/
func (m manifest) runs() bool {
	return m.config != nil && (m.Platform == nil || m.Platform.OS != "unknown" || m.Platform.Architecture != "unknown")
}

// needs lists the predicate types of the statements that must be about the
// manifest: everything for the whole, an SBOM for each image in it.
func (m manifest) needs() []string {
	switch {
	case m.top:
		return []string{evidence.SPDX, evidence.Provenance, evidence.TestResult}
	case m.runs():
		return []string{evidence.SPDX}
	}
	return nil
}

func (m manifest) String() string {
	switch {
	case m.top:
		return m.Digest.String()
	case m.Platform != nil:
		return fmt.Sprintf("%s %s in it", m.Platform, m.Digest)
	}
	return fmt.Sprintf("%s in it", m.Digest)
}

// An oddity is what is wrong with a manifest whose bytes are right.
type oddity string

func (o oddity) Error() string { return string(o) }

// manifests lists the manifests that an artifact is made of, the whole first,
// each once. The function reads one of them by its descriptor.
func manifests(ctx context.Context, top v1.Descriptor, read func(context.Context, v1.Descriptor) ([]byte, error)) ([]manifest, error) {
	var all []manifest
	seen := make(map[v1.Hash]bool)
	var visit func(desc v1.Descriptor, depth int) error
	visit = func(desc v1.Descriptor, depth int) error {
		if seen[desc.Digest] {
			return nil
		}
		seen[desc.Digest] = true
		switch {
		case depth > maxDepth:
			return oddity(fmt.Sprintf("it nests indexes deeper than %d", maxDepth))
		case len(all) == maxManifests:
			return oddity(fmt.Sprintf("it holds more than %d manifests", maxManifests))
		}
		raw, err := read(ctx, desc)
		if err != nil {
			return err
		}
		if hash(raw) != desc.Digest {
			return fmt.Errorf("manifest %s %w", desc.Digest, errAltered)
		}
		m, children, err := parse(desc, raw)
		if err != nil {
			return err
		}
		m.top = len(all) == 0
		all = append(all, m)
		for _, child := range children {
			if err := visit(child, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return all, visit(top, 1)
}

// parse reads a manifest, which must be an image or an index and not both: one
// that is both is a different thing to each reader.
// https://github.com/opencontainers/image-spec/security/advisories/GHSA-77vh-xpmg-72qh
func parse(desc v1.Descriptor, raw []byte) (manifest, []v1.Descriptor, error) {
	var either struct {
		MediaType types.MediaType `json:"mediaType"`
		Manifests descriptors     `json:"manifests"`
		Config    *v1.Descriptor  `json:"config"`
		Layers    descriptors     `json:"layers"`
	}
	if err := json.Unmarshal(raw, &either); err != nil {
		return manifest{}, nil, oddity(fmt.Sprintf("%s is no manifest: %v", desc.Digest, err))
	}
	mediaType := either.MediaType
	if mediaType == "" {
		mediaType = desc.MediaType
	}
	image := either.Config != nil || either.Layers != nil
	index := either.Manifests != nil
	if mediaType == "" { // an OCI manifest need not name its own
		mediaType = types.OCIManifestSchema1
		if index {
			mediaType = types.OCIImageIndex
		}
	}
	switch {
	case image == index, image && !mediaType.IsImage(), index && !mediaType.IsIndex():
		return manifest{}, nil, oddity(fmt.Sprintf("%s is neither an image nor an index (%s)", desc.Digest, mediaType))
	case desc.MediaType != "" && desc.MediaType != mediaType:
		return manifest{}, nil, oddity(fmt.Sprintf("%s is called %s and says it is %s", desc.Digest, desc.MediaType, mediaType))
	case len(either.Layers) > maxLayers:
		return manifest{}, nil, oddity(fmt.Sprintf("%s has %d layers, more than %d", desc.Digest, len(either.Layers), maxLayers))
	case image && either.Config == nil:
		return manifest{}, nil, oddity(fmt.Sprintf("%s is an image without a configuration", desc.Digest))
	}
	desc.MediaType, desc.Size = mediaType, int64(len(raw))
	for _, child := range either.Manifests {
		if !child.MediaType.IsImage() && !child.MediaType.IsIndex() {
			return manifest{}, nil, oddity(fmt.Sprintf("it holds %s, which is neither an image nor an index (%s) and cannot be signed", child.Digest, child.MediaType))
		}
	}
	return manifest{Descriptor: desc, config: either.Config, layers: either.Layers}, either.Manifests, nil
}

// local lists the manifests of an artifact that is at hand.
func local(ctx context.Context, artifact mutate.Appendable) ([]manifest, error) {
	desc, err := partial.Descriptor(artifact)
	if err != nil {
		return nil, fmt.Errorf("describing the image: %w", err)
	}
	at := make(map[v1.Hash]partial.WithRawManifest)
	if err := gather(artifact, at); err != nil {
		return nil, fmt.Errorf("reading the image: %w", err)
	}
	return manifests(ctx, *desc, func(_ context.Context, desc v1.Descriptor) ([]byte, error) {
		m, ok := at[desc.Digest]
		if !ok {
			return nil, fmt.Errorf("the index names %s and does not hold it", desc.Digest)
		}
		return m.RawManifest()
	})
}

func gather(artifact partial.Describable, at map[v1.Hash]partial.WithRawManifest) error {
	digest, err := artifact.Digest()
	if err != nil {
		return err
	}
	switch artifact := artifact.(type) {
	case v1.Image:
		at[digest] = artifact
	case v1.ImageIndex:
		at[digest] = artifact
		children, err := partial.Manifests(artifact)
		if err != nil {
			return err
		}
		for _, child := range children {
			if err := gather(child, at); err != nil {
				return err
			}
		}
	}
	return nil
}
