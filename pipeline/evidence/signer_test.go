//lint:file-ignore SA1019 the structs that replace these are made of protobuf, whose JSON is not the same bytes every time

package evidence

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	slsa "github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/v1"
)

// What a provenance tells of a base's signer is read back from it, and nothing
// is told where nobody looked.
func TestSigner(t *testing.T) {
	for _, tc := range []struct {
		signer Signer
		text   string
		json   string
	}{
		{Signer{}, "", `{"name":"base","uri":"debian","digest":{"sha256":"00"}}`},
		{Signer{Key: "sha256:abc"}, "key sha256:abc",
			`{"name":"base","uri":"debian","digest":{"sha256":"00"},"annotations":{"signerKey":"sha256:abc"}}`},
		{Signer{Identity: "a@example.com", Issuer: "https://accounts.google.com"}, "a@example.com (https://accounts.google.com)",
			`{"name":"base","uri":"debian","digest":{"sha256":"00"},"annotations":{"signerIdentity":"a@example.com","signerIssuer":"https://accounts.google.com"}}`},
	} {
		if got := tc.signer.String(); got != tc.text {
			t.Errorf("%+v reads %q, want %q", tc.signer, got, tc.text)
		}
		b := Build{Base: Base{Name: "debian"}, Signed: tc.signer}
		b.Base.Digest.Algorithm, b.Base.Digest.Hex = "sha256", "00"
		raw, err := json.Marshal(ProvenanceOf(b).BuildDefinition.ResolvedDependencies[0])
		if err != nil {
			t.Fatal(err)
		}
		var got slsa.ResourceDescriptor
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.signer, SignerOf(got)); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}
		want, is := map[string]any{}, map[string]any{}
		if err := json.Unmarshal([]byte(tc.json), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &is); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, is); diff != "" {
			t.Errorf("the base in a provenance (-want +got):\n%s", diff)
		}
	}
	// A provenance is whatever somebody signed.
	if got := SignerOf(slsa.ResourceDescriptor{Annotations: map[string]any{signerKey: 1, signerIdentity: []string{"a"}}}); got != (Signer{}) {
		t.Errorf("numbers and lists are taken for a signer: %+v", got)
	}
}
