package image

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// signatureOf is an image as cosign keeps it under a tag made of a digest.
func signatureOf(t testing.TB, about artifact, mediaType types.MediaType) Entry {
	t.Helper()
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img := must(mutate.AppendLayers(base, static.NewLayer([]byte("signed"), mediaType)))(t)
	return Entry{Name: "sha256-" + must(about.Digest())(t).Hex + ".sig", Artifact: img}
}

const simpleSigning types.MediaType = "application/vnd.dev.cosign.simplesigning.v1+json"

// What belongs to an image by its name is no image, and goes when its image does.
func TestLegacyTagsBelongToImages(t *testing.T) {
	one, two := small(t, "one"), small(t, "two")
	named := func(name string, img v1.Image) Entry { return Entry{Name: name, Artifact: img} }
	for _, tc := range []struct {
		name   string
		write  func(dir string) error
		images []string // as Read has them
		listed []string // the names in index.json
	}{
		{"of an image that is there", func(dir string) error { return nil },
			[]string{"a " + short(t, one)}, []string{"a", signatureOf(t, one, simpleSigning).Name}},
		{"of an image that is written again", func(dir string) error { return Replace(dir, named("a", one)) },
			[]string{"a " + short(t, one)}, []string{"a", signatureOf(t, one, simpleSigning).Name}},
		{"of an image that gets another name", func(dir string) error { return Write(dir, named("a", two), named("b", one)) },
			[]string{"a " + short(t, two), "b " + short(t, one)}, []string{"a", "b", signatureOf(t, one, simpleSigning).Name}},
		{"of an image that another replaces", func(dir string) error { return Write(dir, named("a", two)) },
			[]string{"a " + short(t, two)}, []string{"a"}},
		{"of an image that is not there", func(dir string) error { return Write(dir, signatureOf(t, two, simpleSigning)) },
			[]string{"a " + short(t, one), signatureOf(t, two, simpleSigning).Name + " " + short(t, signatureOf(t, two, simpleSigning).Artifact.(v1.Image))},
			[]string{"a", signatureOf(t, one, simpleSigning).Name, signatureOf(t, two, simpleSigning).Name}},
		{"that hold files, so that they are images", func(dir string) error { return Write(dir, signatureOf(t, one, types.OCILayer)) },
			[]string{"a " + short(t, one), signatureOf(t, one, types.OCILayer).Name + " " + short(t, signatureOf(t, one, types.OCILayer).Artifact.(v1.Image))},
			[]string{"a", signatureOf(t, one, types.OCILayer).Name}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			check(t, Write(dir, named("a", one), signatureOf(t, one, simpleSigning)))
			check(t, tc.write(dir))
			if diff := cmp.Diff(tc.images, outline(t, dir)); diff != "" {
				t.Errorf("images (-want +got):\n%s", diff)
			}
			var listed []string
			for _, d := range indexOf(t, dir).Manifests {
				listed = append(listed, d.Annotations[refName])
			}
			less := func(a, b string) bool { return a < b }
			if diff := cmp.Diff(tc.listed, listed, cmpopts.SortSlices(less)); diff != "" {
				t.Errorf("names in index.json (-want +got):\n%s", diff)
			}
		})
	}
}
