package evidence

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/random"
)

func TestReferrerHoldsItsStatement(t *testing.T) {
	image, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	desc, err := partial.Descriptor(image)
	if err != nil {
		t.Fatal(err)
	}
	want, err := State(SPDX, map[string]string{"spdxVersion": "SPDX-2.3"}, "orders", desc.Digest)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := Referrer(want, *desc)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ref.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject == nil || m.Subject.Digest != desc.Digest {
		t.Errorf("subject is %v, want %v", m.Subject, desc.Digest)
	}
	artifactType, err := partial.ArtifactType(ref)
	if err != nil {
		t.Fatal(err)
	}
	if artifactType != string(MediaType) {
		t.Errorf("artifact type is %q, want %q", artifactType, MediaType)
	}
	got, err := FromReferrer(ref)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statement read back (-want +got):\n%s", diff)
	}
	if !got.About(desc.Digest) {
		t.Error("the statement is not about its image")
	}
	if got.About(v1.Hash{Algorithm: "sha256", Hex: "00"}) {
		t.Error("the statement is about an image that it does not name")
	}
}

func TestParseRefuses(t *testing.T) {
	for name, raw := range map[string]string{
		"not JSON":          `nothing`,
		"another type":      `{"_type":"x","subject":[{"name":"a"}],"predicateType":"p"}`,
		"no predicate type": `{"_type":"` + StatementType + `","subject":[{"name":"a"}]}`,
		"no subject":        `{"_type":"` + StatementType + `","predicateType":"p"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if s, err := Parse([]byte(raw)); err == nil {
				t.Errorf("Parse accepted %s as %v", raw, s)
			}
		})
	}
}
