package release

import (
	"context"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/cosign/v2/pkg/oci/static"

	"temper/pipeline/release/releasetest"
)

// Whatever a registry holds, looking at it neither panics nor makes a release
// of what no key signed.
func FuzzClaims(f *testing.F) {
	signer, stranger := newKey(f), newKey(f)
	p := anImage(f, 1)
	statement := bytesOf(f, p.statements[0])
	sealed, err := stranger.seal(context.Background(), statement)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{
		signBundle(f, stranger, signatureStatement(f, p.digest)), sealed.envelope, claimOf(f, p.digest), statement,
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
		if c.signed() || len(c.statements) > 0 {
			t.Error("what nobody signed is claimed")
		}
		if m, _, err := parse(v1.Descriptor{Digest: hash(raw)}, raw); err == nil && m.config == nil == m.MediaType.IsImage() {
			t.Errorf("%s is read as both an image and an index", raw)
		}
		parseReferrers(raw)
	})
}

// The same of what the legacy form keeps in annotations, and of bundles by an
// identity.
func FuzzAnnotated(f *testing.F) {
	sigstore, p := releasetest.New(f), anImage(f, 1)
	by, about := believing(f, sigstore, distroless), hash([]byte("what nobody signed"))
	for _, signer := range []releasetest.Signer{distroless, workflow, {Subject: "a@example.com", Issuer: "https://a.example", Stamped: true}} {
		payload, a := sigstore.Simple(f, signer, p.digest)
		f.Add(payload, a[signatureAnnotation], a[static.CertificateAnnotationKey], a[static.BundleAnnotationKey], a[static.RFC3161TimestampAnnotationKey])
		f.Add(sigstore.Bundle(f, signer, p.digest), "", a[static.CertificateAnnotationKey], a[static.BundleAnnotationKey], "{}")
	}
	f.Fuzz(func(t *testing.T, raw []byte, sig, certificate, log, stamp string) {
		c := &claims{form: Legacy}
		layer := fetched{raw: raw}
		layer.Annotations = map[string]string{
			signatureAnnotation: sig, static.CertificateAnnotationKey: certificate,
			static.BundleAnnotationKey: log, static.RFC3161TimestampAnnotationKey: stamp,
		}
		if err := c.addSimple(context.Background(), layer, about, by); err == nil {
			t.Error("a legacy signature of another image is believed")
		}
		if err := c.addEnvelope(context.Background(), layer, about, by); err == nil {
			t.Error("an envelope about another image is believed")
		}
		if _, err := c.addBundle(raw, about, by); err == nil {
			t.Error("a bundle about another image is believed")
		}
		if c.signed() || len(c.statements) > 0 {
			t.Error("what nobody signed is claimed")
		}
	})
}
