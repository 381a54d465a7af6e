package release

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	cosignstatic "github.com/sigstore/cosign/v2/pkg/oci/static"

	"temper/pipeline/evidence"
	"temper/pipeline/release/releasetest"
)

var (
	distroless = releasetest.Signer{Subject: "keyless@distroless.iam.gserviceaccount.com", Issuer: "https://accounts.google.com"}
	workflow   = releasetest.Signer{
		Subject: "https://github.com/acme/shop/.github/workflows/release.yaml@refs/heads/main",
		Issuer:  "https://token.actions.githubusercontent.com",
	}
)

// believing returns the verifier of one identity.
func believing(t testing.TB, s *releasetest.Sigstore, who releasetest.Signer) *Verifier {
	t.Helper()
	trusted, err := ParseTrustedRoot(s.TrustedRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewIdentityVerifier(Identity{who.Subject, who.Issuer}, trusted)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A stall is a registry with an image that is signed in one form or the other.
type stall struct {
	*host
	product
	sigstore *releasetest.Sigstore
	form     Format
}

// top is what gets signed: the index, and nothing in it.
func (s stall) top(t testing.TB) manifest { return s.parts(t)[0] }

// signs attaches a signature of the manifest to the image.
func (s stall) signs(t testing.TB, with *releasetest.Sigstore, by releasetest.Signer, manifest v1.Hash) {
	t.Helper()
	if s.form == Bundle {
		s.refer(t, s.top(t), with.Bundle(t, by, manifest))
		return
	}
	payload, annotations := with.Simple(t, by, manifest)
	s.attach(t, payload, annotations)
}

func (s stall) attach(t testing.TB, payload []byte, annotations map[string]string) {
	t.Helper()
	s.append(t, s.top(t), signatureSuffix, mutate.Addendum{Layer: static.NewLayer(payload, signatureMediaType), Annotations: annotations})
}

func TestVerifySigner(t *testing.T) {
	long := 30 * time.Minute // a certificate is good for ten
	odd := func(change func(by *releasetest.Signer)) releasetest.Signer {
		by := distroless
		change(&by)
		return by
	}
	other := hash([]byte("another image"))
	for _, tc := range []struct {
		name string
		// sign attaches what there is; nil for a good signature.
		sign func(t *testing.T, s stall)
		want Reason
		// says is part of the refusal's detail.
		says string
	}{
		{name: "good"},
		{name: "a certificate that has expired since it signed", sign: func(t *testing.T, s stall) {
			s.signs(t, s.sigstore, odd(func(by *releasetest.Signer) {
				by.Made = time.Now().Add(-long).Truncate(time.Second)
			}), s.digest)
		}},
		{name: "with a timestamp too", sign: func(t *testing.T, s stall) {
			s.signs(t, s.sigstore, odd(func(by *releasetest.Signer) { by.Stamped = true }), s.digest)
		}},
		{name: "unsigned", sign: func(*testing.T, stall) {}, want: Unsigned, says: "no signature"},
		{name: "another identity", sign: func(t *testing.T, s stall) {
			s.signs(t, s.sigstore, releasetest.Signer{Subject: "mallory@example.com", Issuer: distroless.Issuer}, s.digest)
		}, want: Untrusted, says: "mallory@example.com"},
		{name: "an identity that ours is the start of", sign: func(t *testing.T, s stall) {
			s.signs(t, s.sigstore, releasetest.Signer{Subject: distroless.Subject + ".evil.com", Issuer: distroless.Issuer}, s.digest)
		}, want: Untrusted, says: ".evil.com"},
		{name: "an identity that starts ours", sign: func(t *testing.T, s stall) {
			s.signs(t, s.sigstore, releasetest.Signer{Subject: strings.TrimSuffix(distroless.Subject, ".com"), Issuer: distroless.Issuer}, s.digest)
		}, want: Untrusted, says: "gserviceaccount"},
		{name: "another issuer", sign: func(t *testing.T, s stall) {
			s.signs(t, s.sigstore, releasetest.Signer{Subject: distroless.Subject, Issuer: "https://accounts.google.com.evil.com"}, s.digest)
		}, want: Untrusted, says: "evil.com"},
		{name: "another authority with the same names", sign: func(t *testing.T, s stall) {
			s.signs(t, releasetest.New(t), distroless, s.digest)
		}, want: Untrusted},
		{name: "another authority, and the same logs", sign: func(t *testing.T, s stall) {
			s.signs(t, s.sigstore.Impostor(t), distroless, s.digest)
		}, want: Untrusted},
		{name: "a signature of another image", sign: func(t *testing.T, s stall) {
			s.signs(t, s.sigstore, distroless, other)
		}, want: Untrusted},
		{name: "no log of signatures", sign: func(t *testing.T, s stall) {
			s.signs(t, s.sigstore, odd(func(by *releasetest.Signer) { by.Untold = true }), s.digest)
		}, want: Untrusted, says: "neither a log entry nor a timestamp proves when it was signed"},
		{name: "an expired certificate, no log and no timestamp", sign: func(t *testing.T, s stall) {
			s.signs(t, s.sigstore, odd(func(by *releasetest.Signer) { by.Made, by.Untold = time.Now().Add(-long), true }), s.digest)
		}, want: Untrusted, says: "and neither a log entry nor a timestamp proves that it signed before"},
		{name: "no log of signatures, with a timestamp", sign: func(t *testing.T, s stall) {
			s.signs(t, s.sigstore, odd(func(by *releasetest.Signer) { by.Untold, by.Stamped = true, true }), s.digest)
		}, want: Untrusted, says: "no transparency log holds it"},
		{name: "no log of certificates", sign: func(t *testing.T, s stall) {
			s.signs(t, s.sigstore, odd(func(by *releasetest.Signer) { by.Unlogged = true }), s.digest)
		}, want: Untrusted, says: "signed certificate timestamp"},
		{name: "a certificate that had expired when the log saw it", sign: func(t *testing.T, s stall) {
			s.signs(t, s.sigstore, odd(func(by *releasetest.Signer) { by.Logged = time.Now().Add(long) }), s.digest)
		}, want: Untrusted, says: "integrated time outside certificate validity"},
		{name: "a log that is before its time", sign: func(t *testing.T, s stall) {
			s.signs(t, s.sigstore, odd(func(by *releasetest.Signer) { by.Logged = time.Now().Add(-long) }), s.digest)
		}, want: Untrusted, says: "integrated time outside certificate validity"},
		{name: "an expired certificate, a timestamp of now and no log", sign: func(t *testing.T, s stall) {
			s.signs(t, s.sigstore, odd(func(by *releasetest.Signer) { by.Made, by.Untold, by.Stamped = time.Now().Add(-long), true, true }), s.digest)
		}, want: Untrusted, says: "no transparency log holds it"},
		{name: "a key that nobody asked for", sign: func(t *testing.T, s stall) {
			key := newKey(t)
			if s.form == Bundle {
				s.refer(t, s.top(t), signBundle(t, key, signatureStatement(t, s.digest)))
				return
			}
			s.append(t, s.top(t), signatureSuffix, simple(t, key, claimOf(t, s.digest)))
		}, want: Untrusted},
		{name: "strangers beside the good one", sign: func(t *testing.T, s stall) {
			s.signs(t, releasetest.New(t), distroless, s.digest)
			s.signs(t, s.sigstore, workflow, s.digest)
			s.signs(t, s.sigstore, distroless, s.digest)
			s.signs(t, s.sigstore, distroless, other)
			s.refer(t, s.top(t), []byte("no bundle"), []byte("{}"))
			s.attach(t, []byte("no payload"), map[string]string{cosignstatic.BundleAnnotationKey: "{", cosignstatic.CertificateAnnotationKey: "no certificate"})
		}},
		{name: "an altered payload", sign: func(t *testing.T, s stall) {
			if s.form == Bundle {
				raw := s.sigstore.Bundle(t, distroless, other)
				s.refer(t, s.top(t), inBundle(t, raw, other.Hex, s.digest.Hex))
				return
			}
			payload, annotations := s.sigstore.Simple(t, distroless, other)
			s.attach(t, bytes.ReplaceAll(payload, []byte(other.Hex), []byte(s.digest.Hex)), annotations)
		}, want: Untrusted},
		{name: "somebody else's log entry", sign: func(t *testing.T, s stall) {
			mine, theirs := distroless, distroless
			mine.Untold = true
			if s.form == Bundle {
				s.refer(t, s.top(t), withEntryOf(t, s.sigstore.Bundle(t, mine, s.digest), s.sigstore.Bundle(t, theirs, s.digest)))
				return
			}
			payload, annotations := s.sigstore.Simple(t, mine, s.digest)
			_, other := s.sigstore.Simple(t, theirs, s.digest)
			annotations[cosignstatic.BundleAnnotationKey] = other[cosignstatic.BundleAnnotationKey]
			s.attach(t, payload, annotations)
		}, want: Untrusted},
	} {
		for _, form := range []Format{Bundle, Legacy} {
			t.Run(tc.name+", "+string(form), func(t *testing.T) {
				t.Parallel()
				s := stall{serve(t, true), anIndex(t, 1), releasetest.New(t), form}
				s.push(t, s.host, "v1")
				if tc.sign == nil {
					s.signs(t, s.sigstore, distroless, s.digest)
				} else {
					tc.sign(t, s)
				}
				by := believing(t, s.sigstore, distroless)
				got, err := VerifySigner(context.Background(), s.repo(t).Digest(s.digest.String()), by, s.options())
				if why := reason(t, err); why != tc.want {
					t.Fatalf("err is %v, want %q", err, tc.want)
				}
				if err != nil {
					if !strings.Contains(err.Error(), tc.says) {
						t.Errorf("it says %q, and nothing of %q", err, tc.says)
					}
					return
				}
				want := &Signature{
					Digest: s.digest, Signer: distroless.Subject + " (" + distroless.Issuer + ")",
					Identity: Identity{distroless.Subject, distroless.Issuer}, Forms: []Format{form},
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("signature (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// inBundle replaces text in what a bundle says is signed.
func inBundle(t *testing.T, raw []byte, old, new string) []byte {
	t.Helper()
	return change(t, raw, func(b map[string]any) {
		envelope := b["dsseEnvelope"].(map[string]any)
		payload, err := base64.StdEncoding.DecodeString(envelope["payload"].(string))
		if err != nil {
			t.Fatal(err)
		}
		envelope["payload"] = base64.StdEncoding.EncodeToString(bytes.ReplaceAll(payload, []byte(old), []byte(new)))
	})
}

// withEntryOf puts the log entry of another bundle into one.
func withEntryOf(t *testing.T, raw, other []byte) []byte {
	t.Helper()
	var from map[string]map[string]any
	json.Unmarshal(other, &from) // the other parts are of other types
	return change(t, raw, func(b map[string]any) {
		b["verificationMaterial"].(map[string]any)["tlogEntries"] = from["verificationMaterial"]["tlogEntries"]
	})
}

func change(t *testing.T, raw []byte, in func(b map[string]any)) []byte {
	t.Helper()
	var b map[string]any
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	in(b)
	return mustJSON(t, b)
}

// A key is as good a signer as an identity.
func TestVerifySignerByKey(t *testing.T) {
	for _, form := range []Format{Bundle, Legacy, Both} {
		h, p, signer := serve(t, true), anIndex(t, 1), newKey(t)
		opts := h.options()
		opts.Format = form
		p.publish(t, h, signer, opts)
		ref := h.repo(t).Digest(p.digest.String())
		got, err := VerifySigner(context.Background(), ref, signer.Verifier(), h.options())
		if err != nil {
			t.Fatal(err)
		}
		forms := []Format{form}
		if form == Both {
			forms = []Format{Bundle} // nobody looks further
		}
		want := &Signature{Digest: p.digest, Signer: signer.Verifier().String(), Forms: forms}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("signature (-want +got):\n%s", diff)
		}
		if _, err := VerifySigner(context.Background(), ref, newKey(t).Verifier(), h.options()); reason(t, err) != Untrusted {
			t.Errorf("another key: %v, want untrusted", err)
		}
	}
}

// A registry that does not answer is no answer.
func TestVerifySignerCannotLook(t *testing.T) {
	s := stall{serve(t, true), anIndex(t, 1), releasetest.New(t), Legacy}
	s.push(t, s.host, "v1")
	s.signs(t, s.sigstore, distroless, s.digest)
	by := believing(t, s.sigstore, distroless)
	ref := s.repo(t).Digest(s.digest.String())
	s.requests()
	if _, err := VerifySigner(context.Background(), ref, by, s.options()); err != nil {
		t.Fatal(err)
	}
	if n := len(s.requests()); n != 4 { // the greeting, referrers, the tag, the signature
		t.Errorf("it took %d requests, want 4", n)
	}
	for _, path := range []string{"/referrers/", "/manifests/sha256-", "/blobs/"} {
		s.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, path) {
				http.Error(w, "down", http.StatusServiceUnavailable)
				return true
			}
			return false
		})
		var no *Refusal
		if _, err := VerifySigner(context.Background(), ref, by, s.options()); err == nil || errors.As(err, &no) {
			t.Errorf("without %s: %v, want an error that is no answer", path, err)
		}
	}
	for _, by := range []*Verifier{nil, {}} {
		if _, err := VerifySigner(context.Background(), ref, by, s.options()); err == nil {
			t.Error("it verifies for nobody")
		}
	}
}

// Open believes an identity as it does a key.
func TestOpenByIdentity(t *testing.T) {
	sigstore := releasetest.New(t)
	p := anImage(t, 1)
	h := serve(t, true)
	p.push(t, h, "v1")
	top := p.parts(t)[0]
	payload, annotations := sigstore.Simple(t, workflow, p.digest)
	h.append(t, top, signatureSuffix, mutate.Addendum{Layer: static.NewLayer(payload, signatureMediaType), Annotations: annotations})
	for _, s := range p.statements {
		h.refer(t, top, sigstore.Statement(t, workflow, bytesOf(t, s)))
	}
	r, err := Open(context.Background(), h.refTo(t, ":v1"), believing(t, sigstore, workflow), Policy{}, h.options())
	if err != nil {
		t.Fatal(err)
	}
	if want := workflow.Subject + " (" + workflow.Issuer + ")"; r.Signer != want || len(r.Statements) != 3 {
		t.Errorf("signed by %s with %v, want %s with three statements", r.Signer, predicateTypes(r.Statements), want)
	}
	if _, err := Open(context.Background(), h.refTo(t, ":v1"), believing(t, sigstore, distroless), Policy{}, h.options()); reason(t, err) != Untrusted {
		t.Errorf("another identity: %v, want untrusted", err)
	}
}

// A legacy attestation carries its certificate in annotations, as a legacy
// signature does.
func TestOpenByIdentityLegacyAttestation(t *testing.T) {
	sigstore, p := releasetest.New(t), anImage(t, 1)
	raw := sigstore.Statement(t, workflow, bytesOf(t, p.without(evidence.SPDX, p.digest)[0]))
	var b struct {
		VerificationMaterial struct {
			Certificate struct{ RawBytes []byte }
			TlogEntries []struct {
				LogIndex, IntegratedTime string
				LogID                    struct{ KeyID []byte }
				InclusionPromise         struct{ SignedEntryTimestamp []byte }
				CanonicalizedBody        []byte
			}
		}
		DsseEnvelope struct {
			PayloadType string          `json:"payloadType"`
			Payload     string          `json:"payload"`
			Signatures  json.RawMessage `json:"signatures"`
		}
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	entry := b.VerificationMaterial.TlogEntries[0]
	f := fetched{raw: mustJSON(t, b.DsseEnvelope), Descriptor: v1.Descriptor{Annotations: map[string]string{
		cosignstatic.CertificateAnnotationKey: "-----BEGIN CERTIFICATE-----\n" +
			base64.StdEncoding.EncodeToString(b.VerificationMaterial.Certificate.RawBytes) + "\n-----END CERTIFICATE-----\n",
		cosignstatic.BundleAnnotationKey: string(mustJSON(t, map[string]any{
			"SignedEntryTimestamp": entry.InclusionPromise.SignedEntryTimestamp,
			"Payload": map[string]any{
				"body": entry.CanonicalizedBody, "integratedTime": json.Number(entry.IntegratedTime),
				"logIndex": 0, "logID": hex.EncodeToString(entry.LogID.KeyID),
			},
		})),
	}}}
	c := &claims{form: Legacy}
	if err := c.addEnvelope(context.Background(), f, p.digest, believing(t, sigstore, workflow)); err != nil {
		t.Fatal(err)
	}
	if len(c.statements) != 1 {
		t.Errorf("claims %v, want one", c.statements)
	}
	if err := c.addEnvelope(context.Background(), f, p.digest, believing(t, sigstore, distroless)); err == nil {
		t.Error("it is believed to be by another identity")
	}
	if err := c.addEnvelope(context.Background(), f, hash([]byte("another")), believing(t, sigstore, workflow)); err == nil {
		t.Error("it is believed to be about another image")
	}
}

// What lies beside an image in a layout is judged as what a registry lists.
func TestVerifyAttached(t *testing.T) {
	sigstore, about := releasetest.New(t), hash([]byte("a base"))
	by := believing(t, sigstore, distroless)
	holding := func(content []byte, mediaType string, annotations map[string]string) v1.Image {
		img, err := mutate.Append(empty.Image, mutate.Addendum{Layer: static.NewLayer(content, signatureMediaType), Annotations: annotations})
		if mediaType != "" {
			img, err = mutate.Append(empty.Image, mutate.Addendum{Layer: static.NewLayer(content, bundleMediaType)})
		}
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	bundled := func(by releasetest.Signer, of v1.Hash) v1.Image {
		return holding(sigstore.Bundle(t, by, of), string(bundleMediaType), nil)
	}
	legacy := func(by releasetest.Signer, of v1.Hash) v1.Image {
		payload, annotations := sigstore.Simple(t, by, of)
		return holding(payload, "", annotations)
	}
	for _, tc := range []struct {
		name     string
		attached []v1.Image
		forms    []Format
		want     Reason
	}{
		{"nothing", nil, nil, Unsigned},
		{"a bundle", []v1.Image{bundled(distroless, about)}, []Format{Bundle}, ""},
		{"a legacy signature", []v1.Image{legacy(distroless, about)}, []Format{Legacy}, ""},
		{"both, and strangers", []v1.Image{bundled(workflow, about), legacy(workflow, about), empty.Image, bundled(distroless, about), legacy(distroless, about)}, []Format{Bundle, Legacy}, ""},
		{"strangers", []v1.Image{bundled(workflow, about), legacy(workflow, about)}, nil, Untrusted},
		{"of another image", []v1.Image{bundled(distroless, hash(nil)), legacy(distroless, hash(nil))}, nil, Untrusted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := VerifyAttached(context.Background(), "base", about, tc.attached, by)
			if reason(t, err) != tc.want {
				t.Fatalf("err is %v, want %q", err, tc.want)
			}
			if err == nil {
				if diff := cmp.Diff(tc.forms, got.Forms); diff != "" {
					t.Errorf("forms (-want +got):\n%s", diff)
				}
			}
		})
	}
}
