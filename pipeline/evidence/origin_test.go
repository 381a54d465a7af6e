package evidence

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Origin reads what ProvenanceOf writes.
func TestOrigin(t *testing.T) {
	_, _, images := built()
	b := build(noon)
	b.Signed = Signer{Identity: "a@acme.com", Issuer: "https://acme.com"}
	s, err := State(Provenance, ProvenanceOf(b, images...), "orders", images[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := s.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Parse(raw); err != nil {
		t.Fatal(err)
	}
	got, err := s.Origin()
	if err != nil {
		t.Fatal(err)
	}
	want := &Origin{
		BuildType: BuildType, Builder: LocalBuilder, Service: "orders", Source: b.Source, Go: b.Go, Toolchain: "dirHash:" + b.Toolchain,
		Base: b.Base, Signed: b.Signed, Finished: noon.Add(time.Minute),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Origin (-want +got):\n%s", diff)
	}
	if want, got := "git+https://example.com/shop@"+strings.Repeat("c", 40)+" (with changes that were not committed)", got.Source.String(); got != want {
		t.Errorf("the source is %q, want %q", got, want)
	}
}

// What a provenance does not say is empty, and what is none is an error.
func TestOriginOfLittle(t *testing.T) {
	s, err := State(Provenance, map[string]any{}, "orders", hash("1"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Origin(); err != nil || *got != (Origin{}) {
		t.Errorf("Origin: %+v, %v", got, err)
	}
	s.PredicateType = SPDX
	if got, err := s.Origin(); err == nil {
		t.Errorf("Origin of an SBOM: %+v", got)
	}
}
