package images

import (
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// Startable returns the images of an artifact that a runtime could start, in
// the order of the index: those that [Check] judges.
func Startable(name string, artifact mutate.Appendable) ([]v1.Image, error) {
	var list []v1.Image
	left := maxManifests
	err := each(name, artifact, place{alone: true}, &left, func(img v1.Image, _ place) error {
		list = append(list, img)
		return nil
	})
	return list, err
}
