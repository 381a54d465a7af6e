package main

import (
	"context"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"temper/pipeline/evidence"
)

// An image of an index that starts nothing that Go linked is seen all the same:
// its SBOM is not held against the program of another platform.
func TestSBOMOfAnImageWithoutAProgram(t *testing.T) {
	index, err := random.Index(64, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	list, err := programs(context.Background(), "orders", index)
	if err != nil {
		t.Fatal(err)
	}
	want := []evidence.Image{{Digest: m.Manifests[0].Digest}, {Digest: m.Manifests[1].Digest}}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Fatalf("programs (-want +got):\n%s", diff)
	}
	list[0].Executables = []evidence.Executable{{Go: &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Path: "example.com/orders"}}}}
	sbom := func(of evidence.Image, about v1.Hash) *evidence.Statement {
		doc, err := evidence.SBOM("orders", about, evidence.Base{Name: "builtin", Digest: about}, evidence.Known{}, of)
		if err != nil {
			t.Fatal(err)
		}
		s, err := evidence.State(evidence.SPDX, doc, "orders", about)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	of := list[0]
	of.Platform = "linux/amd64"
	if lie := belied([]*evidence.Statement{sbom(of, list[0].Digest)}, list); lie != nil {
		t.Errorf("an honest SBOM: %v", lie)
	}
	const want2 = "the SBOM names the module example.com/orders, which is not in the binary"
	if lie := belied([]*evidence.Statement{sbom(of, list[1].Digest)}, list); lie == nil || lie.Error() != want2 {
		t.Errorf("an SBOM of the other image's program: %v, want %q", lie, want2)
	}
}
