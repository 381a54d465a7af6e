package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// maxDocument bounds the manifests, indexes and configurations that are read;
// registries take manifests up to 4 MiB.
const maxDocument = 16 << 20

// document reads a blob that is JSON.
func (b blobs) document(desc v1.Descriptor) ([]byte, error) {
	if desc.Size < 0 || desc.Size > maxDocument {
		return nil, fmt.Errorf("%s is said to have %d bytes, want JSON of at most %d", b.name(desc.Digest), desc.Size, maxDocument)
	}
	r, _, err := b.open(desc.Digest, desc.Size)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// parse reads a JSON blob into v, whose media type is named by its descriptor
// and must be no other in the blob.
func (b blobs) parse(desc v1.Descriptor, v any) ([]byte, error) {
	raw, err := b.document(desc)
	if err != nil {
		return nil, err
	}
	var says struct {
		MediaType types.MediaType `json:"mediaType"`
	}
	if err := json.Unmarshal(raw, &says); err != nil {
		return nil, fmt.Errorf("%s: %w", b.name(desc.Digest), err)
	}
	if says.MediaType != "" && says.MediaType != desc.MediaType {
		return nil, fmt.Errorf("%s is of type %s, but was called %s", b.name(desc.Digest), says.MediaType, desc.MediaType)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return nil, fmt.Errorf("%s: %w", b.name(desc.Digest), err)
	}
	return raw, nil
}

// artifact returns the image or the index.
func (b blobs) artifact(desc v1.Descriptor) (mutate.Appendable, error) {
	switch {
	case desc.MediaType.IsIndex():
		return b.index(desc)
	case desc.MediaType.IsImage():
		return b.image(desc)
	}
	return nil, fmt.Errorf("%s is of type %s, which is neither an image nor an index", desc.Digest, desc.MediaType)
}

// image returns the image with its manifest and configuration read; layers are
// read, and verified, when they are asked for.
func (b blobs) image(desc v1.Descriptor) (v1.Image, error) {
	s := &storedImage{blobs: b, mediaType: desc.MediaType}
	var err error
	if s.manifest, err = b.parse(desc, &s.parsed); err != nil {
		return nil, err
	}
	if s.config, err = b.document(s.parsed.Config); err != nil {
		return nil, err
	}
	if s.parsed.Config.MediaType.IsConfig() {
		var config v1.ConfigFile
		if err := json.Unmarshal(s.config, &config); err != nil {
			return nil, fmt.Errorf("%s: %w", b.name(s.parsed.Config.Digest), err)
		}
		s.diffIDs = config.RootFS.DiffIDs
		if len(s.diffIDs) != len(s.parsed.Layers) {
			return nil, fmt.Errorf("%s has %d layers, but its configuration has %d",
				b.name(desc.Digest), len(s.parsed.Layers), len(s.diffIDs))
		}
	}
	return partial.CompressedToImage(s)
}

type storedImage struct {
	blobs
	mediaType types.MediaType
	manifest  []byte
	config    []byte
	parsed    v1.Manifest
	diffIDs   []v1.Hash // none for an artifact that is no image
}

func (s *storedImage) MediaType() (types.MediaType, error) { return s.mediaType, nil }
func (s *storedImage) RawManifest() ([]byte, error)        { return s.manifest, nil }
func (s *storedImage) RawConfigFile() ([]byte, error)      { return s.config, nil }

func (s *storedImage) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for i, d := range s.parsed.Layers {
		if d.Digest == h {
			l := &storedLayer{blobs: s.blobs, desc: d}
			if i < len(s.diffIDs) {
				return &storedDiff{l, s.diffIDs[i]}, nil
			}
			return l, nil
		}
	}
	if h == s.parsed.Config.Digest {
		return &storedLayer{blobs: s.blobs, desc: s.parsed.Config}, nil
	}
	return nil, fmt.Errorf("the image has no layer %s", h)
}

type storedLayer struct {
	blobs
	desc v1.Descriptor
}

func (l *storedLayer) Digest() (v1.Hash, error)            { return l.desc.Digest, nil }
func (l *storedLayer) Size() (int64, error)                { return l.desc.Size, nil }
func (l *storedLayer) MediaType() (types.MediaType, error) { return l.desc.MediaType, nil }
func (l *storedLayer) Descriptor() (*v1.Descriptor, error) { return &l.desc, nil }
func (l *storedLayer) Compressed() (io.ReadCloser, error) {
	r, _, err := l.open(l.desc.Digest, l.desc.Size)
	return r, err
}

// A storedDiff is a layer that the configuration names.
type storedDiff struct {
	*storedLayer
	diffID v1.Hash
}

func (l *storedDiff) DiffID() (v1.Hash, error) { return l.diffID, nil }

// index returns the index; what it holds is read when it is asked for.
func (b blobs) index(desc v1.Descriptor) (v1.ImageIndex, error) {
	x := &storedIndex{blobs: b, mediaType: desc.MediaType}
	var err error
	if x.raw, err = b.parse(desc, &v1.IndexManifest{}); err != nil {
		return nil, err
	}
	return x, nil
}

type storedIndex struct {
	blobs
	mediaType types.MediaType
	raw       []byte
}

func (x *storedIndex) MediaType() (types.MediaType, error) { return x.mediaType, nil }
func (x *storedIndex) Digest() (v1.Hash, error)            { return partial.Digest(x) }
func (x *storedIndex) Size() (int64, error)                { return int64(len(x.raw)), nil }
func (x *storedIndex) RawManifest() ([]byte, error)        { return x.raw, nil }
func (x *storedIndex) IndexManifest() (*v1.IndexManifest, error) {
	return v1.ParseIndexManifest(bytes.NewReader(x.raw))
}

func (x *storedIndex) Image(h v1.Hash) (v1.Image, error) {
	desc, err := x.find(h)
	if err != nil {
		return nil, err
	}
	return x.blobs.image(desc)
}

func (x *storedIndex) ImageIndex(h v1.Hash) (v1.ImageIndex, error) {
	desc, err := x.find(h)
	if err != nil {
		return nil, err
	}
	return x.blobs.index(desc)
}

func (x *storedIndex) find(h v1.Hash) (v1.Descriptor, error) {
	m, err := x.IndexManifest()
	if err != nil {
		return v1.Descriptor{}, err
	}
	for _, d := range m.Manifests {
		if d.Digest == h {
			return d, nil
		}
	}
	return v1.Descriptor{}, fmt.Errorf("the index holds no %s", h)
}
