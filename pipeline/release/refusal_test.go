package release

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore/pkg/signature/dsse"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"temper/checks"
	"temper/pipeline/evidence"
)

// A scene is a registry, an index that was built, and a key that is trusted.
type scene struct {
	*host
	product
	signer *Signer
}

// top and images are the manifests of the index.
func (s scene) top(t testing.TB) manifest       { return s.parts(t)[0] }
func (s scene) first(t testing.TB) manifest     { return s.parts(t)[1] }
func (s scene) all(t testing.TB, ref ...string) { s.publish(t, s.host, s.signer, s.options(), ref...) }

// instead serves other bytes under a path.
func (s scene) serves(path string, c content) {
	s.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/"+path) {
			return false
		}
		w.Header().Set("Content-Type", c.mediaType)
		w.Write(c.body)
		return true
	})
}

func (s scene) lacks(path string) {
	s.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/"+path) {
			return false
		}
		http.NotFound(w, r)
		return true
	})
}

// What Open must not take for a release, and why it says it does not. Each
// case prepares a registry; the tag is v1 unless it returns another reference.
func TestOpenRefuses(t *testing.T) {
	for _, tc := range []struct {
		name    string
		want    Reason
		prepare func(t *testing.T, s scene) (ref string)
	}{
		// Whose signature it is.
		{"no signature", Unsigned, func(t *testing.T, s scene) string {
			s.push(t, s.host, "v1")
			return ""
		}},
		{"a stranger's release", Untrusted, func(t *testing.T, s scene) string {
			s.publish(t, s.host, newKey(t), s.options(), "v1")
			return ""
		}},
		{"a stranger's bundle", Untrusted, func(t *testing.T, s scene) string {
			s.push(t, s.host, "v1")
			s.refer(t, s.top(t), signBundle(t, newKey(t), signatureStatement(t, s.digest)))
			return ""
		}},
		{"a stranger's legacy signature", Untrusted, func(t *testing.T, s scene) string {
			s.push(t, s.host, "v1")
			s.append(t, s.top(t), signatureSuffix, simple(t, newKey(t), claimOf(t, s.digest)))
			return ""
		}},
		{"a stranger's signature of one platform", Untrusted, func(t *testing.T, s scene) string {
			s.sign(t, s.host, s.signer, s.statements, func(m manifest) bool { return m.Digest != s.images[1] })
			s.sign(t, s.host, newKey(t), s.statements, func(m manifest) bool { return m.Digest == s.images[1] })
			return ""
		}},
		{"no signature of one platform", Unsigned, func(t *testing.T, s scene) string {
			s.sign(t, s.host, s.signer, s.statements, func(m manifest) bool { return m.Digest != s.images[1] })
			return ""
		}},
		{"signatures of the platforms alone", Unsigned, func(t *testing.T, s scene) string {
			s.sign(t, s.host, s.signer, s.statements, func(m manifest) bool { return !m.top })
			return ""
		}},

		// What was signed.
		{"a replayed bundle", Untrusted, func(t *testing.T, s scene) string {
			s.push(t, s.host, "v1")
			s.refer(t, s.top(t), signBundle(t, s.signer, signatureStatement(t, anImage(t, 2).digest)))
			return ""
		}},
		{"a replayed legacy signature", Untrusted, func(t *testing.T, s scene) string {
			s.push(t, s.host, "v1")
			s.append(t, s.top(t), signatureSuffix, simple(t, s.signer, claimOf(t, anImage(t, 2).digest)))
			return ""
		}},
		{"all that belongs to another release", Untrusted, func(t *testing.T, s scene) string {
			other := anIndex(t, 2)
			other.publish(t, s.host, s.signer, s.options())
			s.push(t, s.host, "v1")
			for i, m := range s.parts(t) {
				theirs := other.parts(t)[i]
				for _, suffix := range []string{signatureSuffix, attestationSuffix} {
					s.put(t, "manifests/"+referrersTag(m.Digest)+suffix, s.get(t, "manifests/"+referrersTag(theirs.Digest)+suffix))
				}
				for _, st := range append(other.statements, signatureStatement(t, theirs.Digest)) {
					s.refer(t, m, signBundle(t, s.signer, st))
				}
			}
			return ""
		}},
		{"the whole's signature on a platform", Untrusted, func(t *testing.T, s scene) string {
			s.sign(t, s.host, s.signer, s.statements, func(m manifest) bool { return m.Digest != s.images[0] })
			s.refer(t, s.first(t), signBundle(t, s.signer, signatureStatement(t, s.digest)))
			return ""
		}},
		{"provenance, which is no signature, as a bundle", Unsigned, func(t *testing.T, s scene) string {
			s.push(t, s.host, "v1")
			for _, st := range s.statements {
				s.refer(t, s.top(t), signBundle(t, s.signer, st))
			}
			return ""
		}},
		{"provenance, which is no signature, in legacy form", Unsigned, func(t *testing.T, s scene) string {
			s.push(t, s.host, "v1")
			for _, st := range s.statements {
				s.append(t, s.top(t), attestationSuffix, envelope(t, s.signer, st))
			}
			return ""
		}},
		{"provenance under the tag of signatures", Untrusted, func(t *testing.T, s scene) string {
			s.push(t, s.host, "v1")
			s.append(t, s.top(t), signatureSuffix, envelope(t, s.signer, s.about(s.digest, evidence.Provenance)[0]))
			return ""
		}},
		{"a bundle's signature under the tag of attestations", Unsigned, func(t *testing.T, s scene) string {
			s.push(t, s.host, "v1")
			s.append(t, s.top(t), attestationSuffix, envelope(t, s.signer, signatureStatement(t, s.digest)))
			return ""
		}},
		{"a signed blob that happens to be the manifest", Unsigned, func(t *testing.T, s scene) string {
			s.push(t, s.host, "v1")
			raw := s.get(t, "manifests/v1").body
			signed, err := sign.Bundle(&sign.PlainData{Data: raw}, digesting{keypair{s.signer}}, sign.BundleOptions{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := bundle.NewBundle(signed)
			if err != nil {
				t.Fatal(err)
			}
			s.refer(t, s.top(t), mustJSON(t, b))
			return ""
		}},
		{"a statement signed as something else", Untrusted, func(t *testing.T, s scene) string {
			s.push(t, s.host, "v1")
			content := &sign.DSSEData{Data: bytesOf(t, signatureStatement(t, s.digest)), PayloadType: "application/json"}
			signed, err := sign.Bundle(content, keypair{s.signer}, sign.BundleOptions{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := bundle.NewBundle(signed)
			if err != nil {
				t.Fatal(err)
			}
			s.refer(t, s.top(t), mustJSON(t, b))
			return ""
		}},
		{"a legacy payload of another kind", Untrusted, func(t *testing.T, s scene) string {
			s.push(t, s.host, "v1")
			var claim payload.SimpleContainerImage
			if err := json.Unmarshal(claimOf(t, s.digest), &claim); err != nil {
				t.Fatal(err)
			}
			claim.Critical.Type = "atomic container signature"
			s.append(t, s.top(t), signatureSuffix, simple(t, s.signer, mustJSON(t, claim)))
			return ""
		}},
		{"a legacy payload that was changed after signing", Untrusted, func(t *testing.T, s scene) string {
			s.push(t, s.host, "v1")
			layer := simple(t, s.signer, claimOf(t, anImage(t, 2).digest))
			layer.Layer = static.NewLayer(claimOf(t, s.digest), signatureMediaType)
			s.append(t, s.top(t), signatureSuffix, layer)
			return ""
		}},

		// What belongs with a signature.
		{"no SBOM", Incomplete, lacking(evidence.SPDX, -1)},
		{"no SBOM of the first platform", Incomplete, lacking(evidence.SPDX, 0)},
		{"no SBOM of the last platform", Incomplete, lacking(evidence.SPDX, 1)},
		{"no provenance", Incomplete, lacking(evidence.Provenance, -1)},
		{"no report", Incomplete, lacking(evidence.TestResult, -1)},
		{"a stranger's SBOM", Incomplete, func(t *testing.T, s scene) string {
			s.sign(t, s.host, s.signer, s.without(evidence.SPDX, s.digest), everything)
			s.sign(t, s.host, newKey(t), s.statements, everything)
			return ""
		}},
		{"the SBOM of another image", Incomplete, func(t *testing.T, s scene) string {
			s.sign(t, s.host, s.signer, s.without(evidence.SPDX, s.digest), everything)
			s.refer(t, s.top(t), signBundle(t, s.signer, sbom(t, anImage(t, 2).digest)))
			s.append(t, s.top(t), attestationSuffix, envelope(t, s.signer, sbom(t, anImage(t, 2).digest)))
			return ""
		}},
		{"an SBOM by its annotation only", Incomplete, func(t *testing.T, s scene) string {
			s.sign(t, s.host, s.signer, s.without(evidence.SPDX, s.digest), everything)
			layer := envelope(t, s.signer, s.about(s.digest, evidence.Provenance)[0])
			layer.Annotations[legacyPredicateAnnotation] = evidence.SPDX
			s.append(t, s.top(t), attestationSuffix, layer)
			return ""
		}},
		{"a report that says failed", Incomplete, func(t *testing.T, s scene) string {
			failing := *s.report
			failing.Findings = []checks.Finding{{Rule: "static", Severity: checks.Error}}
			s.sign(t, s.host, s.signer, append(s.without(evidence.TestResult, s.digest), reported(t, &failing)), everything)
			return ""
		}},
		{"a report that says nothing", Incomplete, func(t *testing.T, s scene) string {
			silent := state(t, evidence.TestResult, struct{}{}, s.digest)
			s.sign(t, s.host, s.signer, append(s.without(evidence.TestResult, s.digest), silent), everything)
			return ""
		}},

		// What the registry serves.
		{"a tag that was moved", Moved, func(t *testing.T, s scene) string {
			s.all(t, "v1")
			anImage(t, 2).publish(t, s.host, s.signer, s.options(), "v1")
			return ":v1@" + s.digest.String()
		}},
		{"a tag that was moved to what is not signed", Unsigned, func(t *testing.T, s scene) string {
			s.all(t, "v1")
			anImage(t, 2).push(t, s.host, "v1")
			return ""
		}},
		{"other bytes for the digest", Altered, func(t *testing.T, s scene) string {
			s.all(t, "v1")
			s.put(t, "manifests/other", content{string(types.OCIImageIndex), []byte(`{"schemaVersion":2,"manifests":[]}`)})
			s.serves("manifests/"+s.digest.String(), s.get(t, "manifests/other"))
			return "@" + s.digest.String()
		}},
		{"another platform's bytes for a digest", Altered, func(t *testing.T, s scene) string {
			s.all(t, "v1")
			s.serves("manifests/"+s.images[1].String(), s.get(t, "manifests/"+s.images[0].String()))
			return ""
		}},
		{"bytes that are not those of the digest beside them", Altered, func(t *testing.T, s scene) string {
			s.all(t, "v1")
			s.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/manifests/v1") {
					return false
				}
				w.Header().Set("Docker-Content-Digest", s.digest.String())
				w.Write([]byte(`{"schemaVersion":2,"manifests":[]}`))
				return true
			})
			return ""
		}},
		{"another configuration", Altered, func(t *testing.T, s scene) string {
			s.all(t, "v1")
			s.serves("blobs/"+s.parts(t)[2].config.Digest.String(), content{"application/json", []byte(`{"os":"linux"}`)})
			return ""
		}},
		{"no configuration", Incomplete, func(t *testing.T, s scene) string {
			s.all(t, "v1")
			s.lacks("blobs/" + s.parts(t)[2].config.Digest.String())
			return ""
		}},
		{"no manifest of a platform", Incomplete, func(t *testing.T, s scene) string {
			s.all(t, "v1")
			s.lacks("manifests/" + s.images[1].String())
			return ""
		}},
		{"no bundles and no legacy signatures any more", Unsigned, func(t *testing.T, s scene) string {
			s.all(t, "v1")
			s.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/referrers/") && !strings.Contains(r.URL.Path, "/manifests/sha256-") {
					return false
				}
				http.NotFound(w, r)
				return true
			})
			return ""
		}},
		{"altered evidence", Unsigned, func(t *testing.T, s scene) string {
			s.all(t, "v1")
			image := []string{"manifests/v1", "manifests/" + s.digest.String(), "manifests/" + s.images[0].String(), "manifests/" + s.images[1].String()}
			var configs []string
			for _, m := range s.parts(t)[1:] {
				configs = append(configs, "blobs/"+m.config.Digest.String())
			}
			s.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
				path := strings.TrimPrefix(r.URL.Path, "/v2/"+repository+"/")
				if r.URL.Path == "/v2/" || slices.Contains(image, path) || slices.Contains(configs, path) || strings.HasPrefix(path, "referrers/") {
					return false
				}
				w.Write([]byte(`{}`))
				return true
			})
			return ""
		}},

		// What is no image.
		{"an image that is an index too", Untrusted, func(t *testing.T, s scene) string {
			s.push(t, s.host, "v1")
			index := s.get(t, "manifests/v1").body
			image := s.get(t, "manifests/"+s.images[0].String())
			both := append(append(image.body[:len(image.body)-1:len(image.body)-1], ','), index[1:]...)
			s.put(t, "manifests/v1", content{image.mediaType, both})
			return ""
		}},
		{"something that calls itself an image and is an index", Untrusted, func(t *testing.T, s scene) string {
			s.put(t, "manifests/v1", content{string(types.OCIManifestSchema1),
				[]byte(`{"schemaVersion":2,"mediaType":"` + string(types.OCIManifestSchema1) + `","manifests":[]}`)})
			return ""
		}},
		{"something that is not JSON", Untrusted, func(t *testing.T, s scene) string {
			s.put(t, "manifests/v1", content{string(types.OCIManifestSchema1), []byte("nothing")})
			return ""
		}},
		{"an index of indexes without end", Untrusted, func(t *testing.T, s scene) string {
			inner := s.artifact.(v1.ImageIndex)
			for range maxDepth {
				inner = mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: inner})
			}
			product{artifact: inner}.push(t, s.host, "v1")
			return ""
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, kind := range kinds {
				s := scene{serve(t, kind.referrers), anIndex(t, 1), newKey(t)}
				ref := tc.prepare(t, s)
				if ref == "" {
					ref = ":v1"
				}
				for _, only := range []bool{false, true} {
					if only && tc.want == Incomplete && !strings.HasPrefix(tc.name, "no configuration") && !strings.HasPrefix(tc.name, "no manifest") {
						continue // without evidence nothing is missing
					}
					r, err := Open(context.Background(), s.refTo(t, ref), s.signer.Verifier(), Policy{SignatureOnly: only}, s.options())
					var no *Refusal
					if r != nil || !errors.As(err, &no) {
						t.Errorf("%s: err is %v, want %s", kind.name, err, tc.want)
						continue
					}
					want := &Refusal{Reason: tc.want, Ref: s.repo(t).String() + ref, Detail: no.Detail}
					if diff := cmp.Diff(want, no); diff != "" {
						t.Errorf("%s: refusal (-want +got):\n%s", kind.name, diff)
					}
				}
			}
		})
	}
}

// lacking signs everything but one statement: that about the whole, or about
// one of the images.
func lacking(predicateType string, image int) func(*testing.T, scene) string {
	return func(t *testing.T, s scene) string {
		about := s.digest
		if image >= 0 {
			about = s.images[image]
		}
		s.sign(t, s.host, s.signer, s.without(predicateType, about), everything)
		return ""
	}
}

// digesting also gives the digest of what it signs, as bundles of messages want.
type digesting struct{ keypair }

func (k digesting) SignData(ctx context.Context, data []byte) (sig, digest []byte, err error) {
	sig, _, err = k.keypair.SignData(ctx, data)
	sum := sha256.Sum256(data)
	return sig, sum[:], err
}

// claimOf is what a legacy signature of the manifest signs.
func claimOf(t testing.TB, manifest v1.Hash) []byte {
	t.Helper()
	claim := payload.SimpleContainerImage{Critical: payload.Critical{
		Type:  payload.CosignSignatureType,
		Image: payload.Image{DockerManifestDigest: manifest.String()},
	}}
	return mustJSON(t, claim)
}

// Nothing that a stranger puts beside a good release makes it fail, or changes
// what is believed of it.
func TestOpenIgnoresStrangers(t *testing.T) {
	stranger := newKey(t)
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			s := scene{serve(t, kind.referrers), anIndex(t, 1), newKey(t)}
			s.all(t, "v1")
			open := func(format Format) *Release {
				t.Helper()
				r, err := Open(context.Background(), s.refTo(t, ":v1"), s.signer.Verifier(), Policy{Format: format}, s.options())
				if err != nil {
					t.Error(err)
				}
				return r
			}
			want := open(Both)
			for _, m := range s.parts(t) {
				lie := state(t, evidence.Provenance, "a lie", m.Digest)
				s.refer(t, m,
					signBundle(t, stranger, signatureStatement(t, m.Digest)),
					signBundle(t, stranger, lie),
					signBundle(t, s.signer, signatureStatement(t, anImage(t, 2).digest)),
					[]byte("not a bundle"), []byte(`{}`), []byte(`null`), nil)
				s.append(t, m, signatureSuffix, simple(t, stranger, claimOf(t, m.Digest)),
					mutate.Addendum{Layer: static.NewLayer([]byte("no claim"), signatureMediaType)},
					mutate.Addendum{Layer: static.NewLayer(claimOf(t, m.Digest), signatureMediaType), Annotations: map[string]string{signatureAnnotation: "not base64"}})
				unsigned, err := dsse.WrapSigner(stranger.key, "text/plain").SignMessage(strings.NewReader("hello"))
				if err != nil {
					t.Fatal(err)
				}
				s.append(t, m, attestationSuffix, envelope(t, stranger, lie),
					mutate.Addendum{Layer: static.NewLayer(unsigned, envelopeMediaType)},
					mutate.Addendum{Layer: static.NewLayer([]byte(`{"payloadType":1}`), envelopeMediaType)})
			}
			for _, format := range []Format{"", Both, Bundle, Legacy} {
				got := open(format)
				if got != nil && format != "" && format != Both {
					got.Forms = want.Forms
				}
				if diff := cmp.Diff(want, got, cmp.Comparer(sameDigest)); diff != "" {
					t.Errorf("release by %q (-before +beside strangers):\n%s", format, diff)
				}
			}
		})
	}
}

// Whoever may write to a repository can take a signature away. Such a release
// is refused, and releasing again mends it.
func TestPublishMends(t *testing.T) {
	for _, suffix := range []string{"", signatureSuffix, attestationSuffix} {
		t.Run(fmt.Sprintf("%q", suffix), func(t *testing.T) {
			s := scene{serve(t, false), anIndex(t, 1), newKey(t)}
			open := func() error {
				_, err := Open(context.Background(), s.refTo(t, ":v1"), s.signer.Verifier(), Policy{Format: Both}, s.options())
				return err
			}
			s.all(t, "v1")
			s.remove(t, "manifests/"+referrersTag(s.images[1])+suffix)
			if reason(t, open()) == "" {
				t.Error("it is still a release")
			}
			s.all(t, "v1")
			if err := open(); err != nil {
				t.Error(err)
			}
		})
	}
}
