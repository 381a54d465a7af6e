package release

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"temper/pipeline/evidence"
)

// refTo reads a reference into the host's repository: ":v1", "@sha256:..." or
// both.
func (h *host) refTo(t testing.TB, rest string) name.Reference {
	t.Helper()
	ref, err := Parse(h.repo(t).String() + rest)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// What Publish wrote Open gets back, however it is asked for.
func TestOpen(t *testing.T) {
	for _, kind := range kinds {
		for _, tc := range []struct {
			format Format
			forms  []Format
		}{
			{"", []Format{Bundle, Legacy}},
			{Both, []Format{Bundle, Legacy}},
			{Bundle, []Format{Bundle}},
			{Legacy, []Format{Legacy}},
		} {
			t.Run(kind.name+", "+string(tc.format), func(t *testing.T) {
				h, p, signer := serve(t, kind.referrers), anIndex(t, 1), newKey(t)
				opts := h.options()
				opts.Format = tc.format
				p.publish(t, h, signer, opts, "v1")
				for _, rest := range []string{":v1", "@" + p.digest.String(), ":v1@" + p.digest.String()} {
					ref := h.refTo(t, rest)
					got, err := Open(context.Background(), ref, signer.Verifier(), Policy{Format: tc.format}, h.options())
					if err != nil {
						t.Error(err)
						continue
					}
					want := &Release{
						Ref:        h.repo(t).String() + rest,
						Digest:     h.repo(t).Digest(p.digest.String()),
						Signer:     signer.Verifier().String(),
						Forms:      tc.forms,
						Statements: p.about(p.digest, evidence.TestResult, evidence.Provenance, evidence.SPDX),
						Platforms: []Platform{
							{"linux/amd64", p.images[0], p.about(p.images[0], evidence.Provenance, evidence.SPDX)},
							{"linux/arm64", p.images[1], p.about(p.images[1], evidence.Provenance, evidence.SPDX)},
						},
					}
					if diff := cmp.Diff(want, got, cmp.Comparer(sameDigest)); diff != "" {
						t.Errorf("release of %s (-want +got):\n%s", rest, diff)
					}
				}
			})
		}
	}
}

func sameDigest(a, b name.Digest) bool { return a.String() == b.String() }

// about returns the product's statements of these types about an image, in
// their order.
func (p product) about(image v1.Hash, predicateTypes ...string) (all []*evidence.Statement) {
	for _, predicateType := range predicateTypes {
		for _, s := range p.statements {
			if s.PredicateType == predicateType && s.About(image) {
				all = append(all, s)
			}
		}
	}
	return all
}

// One image is its own platform.
func TestOpenImage(t *testing.T) {
	h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
	p.publish(t, h, signer, h.options(), "v1")
	r, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{}, h.options())
	if err != nil {
		t.Fatal(err)
	}
	want := []Platform{{"linux/amd64", p.digest, r.Statements}}
	if diff := cmp.Diff(want, r.Platforms); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	for _, predicateType := range []string{evidence.SPDX, evidence.Provenance, evidence.TestResult} {
		if s := r.Statement(predicateType); s == nil || s.PredicateType != predicateType {
			t.Errorf("the statement of type %s is %v", predicateType, s)
		}
	}
	if s := r.Statement("https://example.com/none"); s != nil {
		t.Errorf("there is a statement %v", s)
	}
}

// A format that a policy names must hold everything; without one either will
// do, and also half of each.
func TestOpenWantsTheFormatOfThePolicy(t *testing.T) {
	p, signer := anImage(t, 1), newKey(t)
	for _, tc := range []struct {
		published, policy Format
		want              Reason
	}{
		{Bundle, "", ""}, {Bundle, Bundle, ""}, {Bundle, Legacy, Unsigned}, {Bundle, Both, Unsigned},
		{Legacy, "", ""}, {Legacy, Bundle, Unsigned}, {Legacy, Legacy, ""}, {Legacy, Both, Unsigned},
		{Both, "", ""}, {Both, Bundle, ""}, {Both, Legacy, ""}, {Both, Both, ""},
	} {
		t.Run(string(tc.published)+" for "+string(tc.policy), func(t *testing.T) {
			h := serve(t, true)
			opts := h.options()
			opts.Format = tc.published
			p.publish(t, h, signer, opts, "v1")
			_, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{Format: tc.policy}, h.options())
			if got := reason(t, err); got != tc.want {
				t.Errorf("err is %v, want %q", err, tc.want)
			}
		})
	}
	t.Run("half and half", func(t *testing.T) {
		h := serve(t, true)
		p.push(t, h, "v1")
		top := p.parts(t)[0]
		h.refer(t, top, signBundle(t, signer, signatureStatement(t, p.digest)))
		for _, s := range p.statements {
			h.append(t, top, attestationSuffix, envelope(t, signer, s))
		}
		for format, want := range map[Format]Reason{"": "", Bundle: Incomplete, Legacy: Unsigned, Both: Incomplete} {
			_, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{Format: format}, h.options())
			if got := reason(t, err); got != want {
				t.Errorf("by %q err is %v, want %q", format, err, want)
			}
		}
	})
}

// reason returns that of a refusal, empty where nothing was refused. Any other
// error fails the test.
func reason(t testing.TB, err error) Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	var no *Refusal
	if !errors.As(err, &no) {
		t.Fatalf("err is no refusal: %v", err)
	}
	return no.Reason
}

// Wrong parameters never verify anything.
func TestOpenParameters(t *testing.T) {
	h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
	p.push(t, h, "v1")
	for name, tc := range map[string]struct {
		by     *Verifier
		policy Policy
	}{
		"no key":                      {nil, Policy{}},
		"an empty verifier":           {&Verifier{}, Policy{}},
		"a format that nobody knows":  {signer.Verifier(), Policy{Format: "cosign", SignatureOnly: true}},
		"a format in another writing": {signer.Verifier(), Policy{Format: "BOTH"}},
	} {
		r, err := Open(context.Background(), h.refTo(t, ":v1"), tc.by, tc.policy, h.options())
		if r != nil || err == nil {
			t.Errorf("%s: got %v, %v", name, r, err)
		}
	}
}

func TestOpenNotFound(t *testing.T) {
	for _, kind := range kinds {
		h, p, signer := serve(t, kind.referrers), anImage(t, 1), newKey(t)
		nowhere := h.refTo(t, ":v1")
		open := func(ref name.Reference) {
			t.Helper()
			_, err := Open(context.Background(), ref, signer.Verifier(), Policy{}, h.options())
			if no := (*Refusal)(nil); !errors.Is(err, ErrNotFound) || errors.As(err, &no) {
				t.Errorf("%s: %s: err is %v, want ErrNotFound", kind.name, ref, err)
			}
		}
		open(nowhere)
		p.publish(t, h, signer, h.options(), "v1")
		other := anImage(t, 2).digest.String()
		open(h.refTo(t, ":v2"))
		open(h.refTo(t, "@"+other))
		open(h.refTo(t, ":v2@"+p.digest.String()))
	}
}

// Where nobody could look there is no answer, neither yes nor no: not after any
// one of the requests.
func TestOpenCannotLook(t *testing.T) {
	for _, kind := range kinds {
		for _, status := range []int{http.StatusInternalServerError, http.StatusUnauthorized, http.StatusForbidden} {
			h, p, signer := serve(t, kind.referrers), anIndex(t, 1), newKey(t)
			p.publish(t, h, signer, h.options(), "v1")
			opts := h.options()
			opts.Jobs = 1
			h.requests()
			if _, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{Format: Both}, opts); err != nil {
				t.Fatal(err)
			}
			for n := range h.requests() {
				var failed request
				h.answer(func(i int, w http.ResponseWriter, r *http.Request) bool {
					if i != n+1 || r.URL.Path == "/v2/" {
						return false
					}
					failed = request{r.Method, r.URL.Path}
					w.WriteHeader(status)
					return true
				})
				r, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{Format: Both}, opts)
				if failed == (request{}) {
					continue // the greeting may be answered with anything
				}
				if no := (*Refusal)(nil); r != nil || err == nil || errors.As(err, &no) || errors.Is(err, ErrNotFound) {
					t.Errorf("%s: %d to %s: err is %v, want one that is no answer", kind.name, status, failed, err)
				}
			}
		}
	}
}

// A signature alone is what others give: an artifact that names no platform,
// too, and one whose manifest does not name its own media type.
func TestOpenSignatureOnly(t *testing.T) {
	config := content{"application/octet-stream", []byte(`{}`)}
	for name, mediaType := range map[string]string{
		"a manifest":                      `"mediaType":"` + string(types.OCIManifestSchema1) + `",`,
		"a manifest without a media type": ``,
	} {
		t.Run(name, func(t *testing.T) {
			h, signer := serve(t, true), newKey(t)
			h.put(t, "blobs/uploads/1?digest="+hash(config.body).String(), config)
			raw := []byte(`{"schemaVersion":2,` + mediaType + `"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","size":2,"digest":"` +
				hash(config.body).String() + `"},"layers":[]}`)
			h.put(t, "manifests/v1", content{string(types.OCIManifestSchema1), raw})
			top := manifest{Descriptor: v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: hash(raw), Size: int64(len(raw))}}
			h.refer(t, top, signBundle(t, signer, signatureStatement(t, top.Digest)))

			r, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{SignatureOnly: true}, h.options())
			if err != nil {
				t.Fatal(err)
			}
			want := []Platform{{"", top.Digest, nil}}
			if diff := cmp.Diff(want, r.Platforms); diff != "" {
				t.Errorf("platforms (-want +got):\n%s", diff)
			}
			_, err = Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{}, h.options())
			if got := reason(t, err); got != Incomplete {
				t.Errorf("with evidence asked for, err is %v, want %s", err, Incomplete)
			}
		})
	}
}

// A refusal is read by people, on a terminal or in a log that takes commands.
func TestRefusalIsPrintable(t *testing.T) {
	got := refuse(Untrusted, "shop/orders:v1", "it signs a %s", "\x1b[2Jlie\n::add-mask::x"+strings.Repeat("y", 1<<20)).Error()
	if strings.ContainsAny(got, "\x1b\n") || len(got) > 3000 {
		t.Errorf("%d bytes: %.100q", len(got), got)
	}
}
