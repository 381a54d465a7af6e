package main

import (
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"temper/pipeline/evidence"
	"temper/pipeline/image"
	"temper/pipeline/service"
)

// What a provenance says of its base and its times is held against the image and
// the clock.
func TestDisproved(t *testing.T) {
	builtin, err := image.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	standing, err := builtin.Image(v1.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	layer, err := random.Layer(64, "application/vnd.oci.image.layer.v1.tar+gzip")
	if err != nil {
		t.Fatal(err)
	}
	if standing, err = mutate.AppendLayers(standing, layer); err != nil {
		t.Fatal(err)
	}
	config, err := standing.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.RootFS.DiffIDs, config.History = nil, nil
	bare, err := random.Image(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if bare, err = mutate.ConfigFile(bare, config); err != nil {
		t.Fatal(err)
	}
	floating, err := mutate.AppendLayers(bare, layer)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	elsewhere := v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("a", 64)}
	for _, tc := range []struct {
		name              string
		img               v1.Image
		base              evidence.Base
		version           string
		started, finished time.Duration // from now
		want              string        // empty where there is nothing to say
	}{
		{"as it is", standing, evidence.Base{Name: service.BuiltinBase, Digest: builtin.Digest}, version(), -time.Minute, -time.Second, ""},
		{"clocks that differ", standing, evidence.Base{Name: service.BuiltinBase, Digest: builtin.Digest}, version(), time.Minute, 2 * time.Minute, ""},
		{"on nothing", floating, evidence.Base{Name: service.BuiltinBase, Digest: builtin.Digest}, version(), -time.Minute, 0, "it stands on the built-in base, and it does not: its layer 0 is"},
		{"by another name", floating, evidence.Base{Name: "oci-layout", Digest: builtin.Digest}, version(), -time.Minute, 0, "it stands on the built-in base, and it does not"},
		{"another digest", standing, evidence.Base{Name: service.BuiltinBase, Digest: elsewhere}, version(), -time.Minute, 0, "it stands on the base builtin sha256:aaa"},
		{"that of another Temper", floating, evidence.Base{Name: service.BuiltinBase, Digest: elsewhere}, "v9", -time.Minute, 0, ""},
		{"from a registry", floating, evidence.Base{Name: "example.com/base@" + elsewhere.String(), Digest: elsewhere}, version(), -time.Minute, 0, ""},
		{"yet to end", standing, evidence.Base{}, version(), -time.Minute, time.Hour, "which is yet to come"},
		{"yet to begin", standing, evidence.Base{}, version(), time.Hour, 0, "which is yet to come"},
		{"the wrong way round", standing, evidence.Base{}, version(), -time.Minute, -time.Hour, "before it began at"},
	} {
		digest, err := tc.img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		s, err := evidence.State(evidence.Provenance, evidence.ProvenanceOf(evidence.Build{
			Base: tc.base, Version: tc.version, Started: now.Add(tc.started), Finished: now.Add(tc.finished),
		}, evidence.Image{Digest: digest}), "orders", digest)
		if err != nil {
			t.Fatal(err)
		}
		err = disproved(image.Entry{Name: "orders", Artifact: tc.img, Statements: []*evidence.Statement{s}}, now)
		if tc.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", tc.name, err, tc.want)
		}
	}
}
