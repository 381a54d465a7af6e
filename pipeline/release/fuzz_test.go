package release

import (
	"context"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Whatever a registry holds, looking at it neither panics nor makes a release
// of what no key signed.
func FuzzClaims(f *testing.F) {
	signer, stranger := newKey(f), newKey(f)
	p := anImage(f, 1)
	statement := bytesOf(f, p.statements[0])
	envelope, err := stranger.envelopeOf(context.Background(), statement)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{
		signBundle(f, stranger, signatureStatement(f, p.digest)), envelope, claimOf(f, p.digest), statement,
		[]byte(`{}`), []byte(`null`), []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":{}}`),
		[]byte(`{"schemaVersion":2,"manifests":[{}]}`), []byte(`{"config":{},"layers":[{}]}`),
	} {
		f.Add(seed, "AA==")
	}
	f.Fuzz(func(t *testing.T, raw []byte, sig string) {
		c := &claims{form: Bundle}
		if _, err := c.addBundle(raw, p.digest, signer.Verifier()); err == nil {
			t.Error("a bundle that nobody signed is believed")
		}
		layer := fetched{raw: raw}
		layer.Annotations = map[string]string{signatureAnnotation: sig}
		if err := c.addSimple(context.Background(), layer, p.digest, signer.Verifier()); err == nil {
			t.Error("a legacy signature that nobody made is believed")
		}
		if err := c.addEnvelope(context.Background(), layer, p.digest, signer.Verifier()); err == nil {
			t.Error("an envelope that nobody signed is believed")
		}
		if c.signed || len(c.statements) > 0 {
			t.Error("what nobody signed is claimed")
		}
		if m, _, err := parse(v1.Descriptor{Digest: hash(raw)}, raw); err == nil && m.config == nil == m.MediaType.IsImage() {
			t.Errorf("%s is read as both an image and an index", raw)
		}
		parseReferrers(raw)
	})
}
