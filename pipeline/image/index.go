package image

import (
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// newImage returns an OCI image of the configuration and the layers.
func newImage(config *v1.ConfigFile, annotations map[string]string, layers ...mutate.Addendum) (v1.Image, error) {
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	config.RootFS.Type = "layers"
	img, err := mutate.ConfigFile(img, config)
	if err != nil {
		return nil, err
	}
	if len(annotations) > 0 {
		img = mutate.Annotations(img, annotations).(v1.Image)
	}
	return mutate.Append(img, layers...)
}

// A member is an image of an index.
type member struct {
	platform v1.Platform
	image    v1.Image
}

// An index is an OCI index of our own. (That of package mutate gives the
// images in it an artifact type, which they do not have.)
type index struct {
	manifest *v1.IndexManifest
	raw      []byte
	images   map[v1.Hash]v1.Image
}

func newIndex(annotations map[string]string, members []member) (*index, error) {
	x := &index{images: make(map[v1.Hash]v1.Image), manifest: &v1.IndexManifest{
		SchemaVersion: 2,
		MediaType:     types.OCIImageIndex,
		Annotations:   annotations,
	}}
	for _, m := range members {
		desc, err := partial.Descriptor(m.image)
		if err != nil {
			return nil, err
		}
		x.images[desc.Digest] = m.image
		x.manifest.Manifests = append(x.manifest.Manifests, v1.Descriptor{
			MediaType: desc.MediaType,
			Size:      desc.Size,
			Digest:    desc.Digest,
			Platform:  &m.platform,
		})
	}
	var err error
	if x.raw, err = json.Marshal(x.manifest); err != nil {
		return nil, fmt.Errorf("writing index: %w", err)
	}
	return x, nil
}

func (x *index) MediaType() (types.MediaType, error)       { return types.OCIImageIndex, nil }
func (x *index) Digest() (v1.Hash, error)                  { return partial.Digest(x) }
func (x *index) Size() (int64, error)                      { return int64(len(x.raw)), nil }
func (x *index) RawManifest() ([]byte, error)              { return x.raw, nil }
func (x *index) IndexManifest() (*v1.IndexManifest, error) { return x.manifest.DeepCopy(), nil }
func (x *index) ImageIndex(h v1.Hash) (v1.ImageIndex, error) {
	return nil, fmt.Errorf("the index holds no index %s", h)
}
func (x *index) Image(h v1.Hash) (v1.Image, error) {
	if img, ok := x.images[h]; ok {
		return img, nil
	}
	return nil, fmt.Errorf("the index holds no image %s", h)
}
