package release

import (
	"bytes"
	"context"
	"encoding/base64"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"

	"temper/pipeline/evidence"
)

// What follows does by hand, and past the gate, what Publish does in order:
// so do other people's tools, and strangers.

// push puts the artifact into the registry, tagged and unsigned.
func (p product) push(t testing.TB, h *host, tag string) {
	t.Helper()
	w := h.publication(t, newKey(t))
	if err := w.push.Push(context.Background(), w.repo.Tag(tag), p.artifact.(remote.Taggable)); err != nil {
		t.Fatal(err)
	}
}

func (h *host) publication(t testing.TB, signer *Signer) *publication {
	t.Helper()
	w, err := publishing(context.Background(), h.repo(t), h.options())
	if err != nil {
		t.Fatal(err)
	}
	w.signer = signer
	return w
}

// parts lists the manifests of the product, the whole first.
func (p product) parts(t testing.TB) []manifest {
	t.Helper()
	all, err := local(context.Background(), p.artifact)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sign pushes the product, and attaches a signature and what is said of it to
// each manifest for which want returns true, whatever is missing.
func (p product) sign(t testing.TB, h *host, signer *Signer, statements []*evidence.Statement, want func(m manifest) bool) {
	t.Helper()
	p.push(t, h, "v1")
	for _, m := range p.parts(t) {
		if !want(m) {
			continue
		}
		w := &attachment{
			publication: h.publication(t, signer), manifest: m,
			bundles: make(map[string]*referrer), envelopes: make(map[string]mutate.Addendum),
		}
		for _, s := range statements {
			if s.About(m.Digest) {
				w.statements = append(w.statements, statement{Statement: s, raw: bytesOf(t, s)})
			}
		}
		if err := w.attach(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func everything(manifest) bool { return true }

func bytesOf(t testing.TB, s *evidence.Statement) []byte {
	t.Helper()
	raw, err := s.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// signBundle signs a statement as a bundle.
func signBundle(t testing.TB, signer *Signer, s *evidence.Statement) []byte {
	t.Helper()
	signed, err := signer.seal(context.Background(), bytesOf(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return signed.bundle
}

// signatureStatement says that the manifest is signed.
func signatureStatement(t testing.TB, about v1.Hash) *evidence.Statement {
	t.Helper()
	s, err := signatureOf(about)
	if err != nil {
		t.Fatal(err)
	}
	return s.Statement
}

// refer attaches bytes, called a bundle, to a manifest.
func (h *host) refer(t testing.TB, to manifest, bundles ...[]byte) {
	t.Helper()
	w := &attachment{publication: h.publication(t, newKey(t)), manifest: to}
	_, kept, err := w.read.referrers(context.Background(), to.Digest)
	if err != nil {
		t.Fatal(err)
	}
	for _, bundle := range bundles {
		ref, err := refer(to.Descriptor, bundle, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.put(context.Background(), kept, ref); err != nil {
			t.Fatal(err)
		}
	}
}

// append adds a layer to those under a legacy tag of a manifest.
func (h *host) append(t testing.TB, to manifest, suffix string, layers ...mutate.Addendum) {
	t.Helper()
	w := &attachment{publication: h.publication(t, newKey(t)), manifest: to}
	found, err := w.read.attached(context.Background(), referrersTag(to.Digest)+suffix)
	if err != nil {
		t.Fatal(err)
	}
	var theirs []v1.Descriptor
	if _, err := w.append(context.Background(), found, layers, &theirs); err != nil {
		t.Fatal(err)
	}
}

// simple is a legacy signature of what is claimed.
func simple(t testing.TB, signer *Signer, claim []byte) mutate.Addendum {
	t.Helper()
	sig, err := signer.key.SignMessage(bytes.NewReader(claim))
	if err != nil {
		t.Fatal(err)
	}
	return mutate.Addendum{
		Layer:       static.NewLayer(claim, signatureMediaType),
		Annotations: map[string]string{signatureAnnotation: base64.StdEncoding.EncodeToString(sig)},
	}
}

// envelope is a legacy attestation.
func envelope(t testing.TB, signer *Signer, s *evidence.Statement) mutate.Addendum {
	t.Helper()
	signed, err := signer.seal(context.Background(), bytesOf(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return mutate.Addendum{
		Layer:       static.NewLayer(signed.envelope, envelopeMediaType),
		Annotations: map[string]string{signatureAnnotation: "", legacyPredicateAnnotation: s.PredicateType},
	}
}
