package image

import (
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Under says why an image does not stand on the base, nil if it does: all layers of
// the base's image for its platform are the lowest of its own, in their order.
func (b *Base) Under(img v1.Image) error {
	config, err := img.ConfigFile()
	if err != nil {
		return fmt.Errorf("reading image config: %w", err)
	}
	below, err := b.Image(v1.Platform{OS: config.OS, Architecture: config.Architecture, Variant: config.Variant})
	if err != nil {
		return err
	}
	want, err := below.Manifest()
	if err != nil {
		return fmt.Errorf("reading base %s: %w", b.Name, err)
	}
	got, err := img.Manifest()
	if err != nil {
		return fmt.Errorf("reading image manifest: %w", err)
	}
	for i, layer := range want.Layers {
		switch {
		case i == len(got.Layers):
			return fmt.Errorf("it has %d layers, and the base %s has %d", len(got.Layers), b.Name, len(want.Layers))
		case got.Layers[i].Digest != layer.Digest:
			return fmt.Errorf("its layer %d is %s, and that of the base %s is %s", i, got.Layers[i].Digest, b.Name, layer.Digest)
		}
	}
	return nil
}

// SaidBase returns the base that the annotations of an image or an index name, the
// zero hash where they name none.
func SaidBase(annotations map[string]string) (v1.Hash, error) {
	text, ok := annotations[baseDigest]
	if !ok {
		return v1.Hash{}, nil
	}
	digest, err := v1.NewHash(text)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("annotation %s: %w", baseDigest, err)
	}
	return digest, nil
}
