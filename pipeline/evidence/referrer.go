package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// MediaType is that of an unsigned in-toto statement, as a layer and as the
	// artifact type of the referrer that holds it.
	MediaType types.MediaType = "application/vnd.in-toto+json"

	// PredicateTypeAnnotation lets a reader choose without fetching the layer;
	// buildkit, crane and others write the same one.
	PredicateTypeAnnotation string = "in-toto.io/predicate-type"

	// emptyMediaType and its content stand in for a configuration that an
	// artifact does not have.
	// https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidance-for-an-empty-descriptor
	emptyMediaType types.MediaType = "application/vnd.oci.empty.v1+json"
	emptyContent   string          = "{}"

	// maxStatement bounds what is read of a statement: the SBOM of a service
	// with a thousand modules is half a megabyte.
	maxStatement int64 = 32 << 20
)

// manifest is an OCI 1.1 image manifest; go-containerregistry's has no
// artifact type.
type manifest struct {
	v1.Manifest
	ArtifactType string `json:"artifactType,omitempty"`
}

// artifact is a referrer as go-containerregistry wants an image to be.
type artifact struct {
	raw   []byte
	layer v1.Layer
}

func (a *artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (a *artifact) RawManifest() ([]byte, error)        { return a.raw, nil }
func (a *artifact) RawConfigFile() ([]byte, error)      { return []byte(emptyContent), nil }
func (a *artifact) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if d, err := a.layer.Digest(); err != nil || d != h {
		return nil, fmt.Errorf("the referrer has no layer %s", h)
	}
	return a.layer, nil
}

// Referrer returns the OCI 1.1 artifact that holds the statement and refers to
// the image.
func Referrer(s *Statement, image v1.Descriptor) (v1.Image, error) {
	raw, err := s.Bytes()
	if err != nil {
		return nil, err
	}
	layer := static.NewLayer(raw, MediaType)
	desc, err := partial.Descriptor(layer)
	if err != nil {
		return nil, fmt.Errorf("describing statement: %w", err)
	}
	config, size, err := v1.SHA256(bytes.NewReader([]byte(emptyContent)))
	if err != nil {
		return nil, err
	}
	annotations := map[string]string{PredicateTypeAnnotation: s.PredicateType}
	desc.Annotations = annotations
	m, err := json.Marshal(manifest{
		Manifest: v1.Manifest{
			SchemaVersion: 2,
			MediaType:     types.OCIManifestSchema1,
			Config:        v1.Descriptor{MediaType: emptyMediaType, Digest: config, Size: size},
			Layers:        []v1.Descriptor{*desc},
			Annotations:   annotations,
			Subject:       &v1.Descriptor{MediaType: image.MediaType, Digest: image.Digest, Size: image.Size},
		},
		ArtifactType: string(MediaType),
	})
	if err != nil {
		return nil, fmt.Errorf("writing referrer: %w", err)
	}
	return partial.CompressedToImage(&artifact{raw: m, layer: layer})
}

// FromReferrer reads the statement that a referrer holds.
func FromReferrer(img v1.Image) (*Statement, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("reading referrer: %w", err)
	}
	if len(layers) != 1 {
		return nil, fmt.Errorf("referrer has %d layers, want 1", len(layers))
	}
	r, err := layers[0].Compressed() // stored as it is: the media type is not a tar
	if err != nil {
		return nil, fmt.Errorf("reading referrer: %w", err)
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, maxStatement+1))
	if err != nil {
		return nil, fmt.Errorf("reading referrer: %w", err)
	}
	if int64(len(raw)) > maxStatement {
		return nil, fmt.Errorf("referrer is larger than %d bytes", maxStatement)
	}
	return Parse(raw)
}
