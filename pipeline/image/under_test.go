package image

import (
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func TestUnder(t *testing.T) {
	base, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	amd64 := v1.Platform{OS: "linux", Architecture: "amd64"}
	below, err := base.Image(amd64)
	if err != nil {
		t.Fatal(err)
	}
	other, err := random.Layer(64, types.OCILayer)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := below.Layers()
	if err != nil {
		t.Fatal(err)
	}
	// of is an image for a platform, of layers.
	of := func(platform v1.Platform, layers ...v1.Layer) v1.Image {
		config, err := below.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config = config.DeepCopy()
		config.OS, config.Architecture, config.Variant = platform.OS, platform.Architecture, platform.Variant
		config.RootFS.DiffIDs, config.History = nil, nil
		empty, err := random.Image(1, 0)
		if err != nil {
			t.Fatal(err)
		}
		img, err := mutate.ConfigFile(empty, config)
		if err != nil {
			t.Fatal(err)
		}
		if img, err = mutate.AppendLayers(img, layers...); err != nil {
			t.Fatal(err)
		}
		return img
	}
	for _, tc := range []struct {
		name string
		img  v1.Image
		want string // empty where it stands on the base
	}{
		{"with a layer of its own", of(amd64, append(layers[:len(layers):len(layers)], other)...), ""},
		{"nothing of its own", of(amd64, layers...), ""},
		{"nothing", of(amd64), "it has 0 layers, and the base builtin has"},
		{"another layer", of(amd64, other), "its layer 0 is sha256:"},
		{"the base on top", of(amd64, append([]v1.Layer{other}, layers...)...), "its layer 0 is sha256:"},
		{"a platform that the base does not have", of(v1.Platform{OS: "windows", Architecture: "amd64"}, layers...), "has no image for windows/amd64"},
	} {
		err := base.Under(tc.img)
		if tc.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestSaidBase(t *testing.T) {
	digest := v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("a", 64)}
	if got, err := SaidBase(map[string]string{baseDigest: digest.String()}); err != nil || got != digest {
		t.Errorf("%s: %v, %v", digest, got, err)
	}
	if got, err := SaidBase(nil); err != nil || got != (v1.Hash{}) {
		t.Errorf("nothing: %v, %v", got, err)
	}
	if _, err := SaidBase(map[string]string{baseDigest: "latest"}); err == nil || !strings.Contains(err.Error(), baseDigest) {
		t.Errorf("what is no digest: %v", err)
	}
}
