package release

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"temper/pipeline/evidence"
)

// flood answers with this and then with spaces, until whoever asked hangs up
// or has taken far more than anything may be. It returns how much was taken.
func flood(w http.ResponseWriter, mediaType, start string) (taken int64) {
	w.Header().Set("Content-Type", mediaType)
	fmt.Fprint(w, start)
	chunk := bytes.Repeat([]byte(" "), 1<<20)
	for taken < 256<<20 {
		n, err := w.Write(chunk)
		taken += int64(n)
		if err != nil {
			break
		}
	}
	return taken
}

// An answer without an end is read as far as what it stands for may be large,
// and what is in flight.
func TestOpenReadsNoAnswerWithoutEnd(t *testing.T) {
	const inFlight = 32 << 20 // buffers of the kernel and of both ends
	for _, tc := range []struct {
		name, path string
		limit      int64
		want       Reason // empty: it opens all the same, by the other format
		ref        func(p product) string
	}{
		{"the manifest of a tag", "/manifests/v1", maxManifest, Untrusted, nil},
		{"the manifest of a digest", "/manifests/DIGEST", maxManifest, Untrusted, func(p product) string { return "@" + p.digest.String() }},
		{"a configuration", "/blobs/CONFIG", maxManifest, Incomplete, nil},
		{"the list of referrers", "/referrers/DIGEST", maxManifest, "", nil},
		{"legacy signatures", "/manifests/TAG.sig", maxManifest, "", nil},
		{"legacy attestations", "/manifests/TAG.att", maxManifest, "", nil},
		{"the manifests of bundles", "/manifests/REFERRER", maxReferrer, "", nil},
		{"bundles", "/blobs/BUNDLE", maxEnvelope, "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
			p.publish(t, h, signer, h.options(), "v1")
			names := h.names(t, p)
			var mu sync.Mutex
			var most int64 // of the answers
			h.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet || !names.match(r.URL.Path, tc.path) {
					return false
				}
				mediaType := types.OCIManifestSchema1
				if strings.Contains(tc.path, "referrers") {
					mediaType = types.OCIImageIndex
				}
				taken := flood(w, string(mediaType), `{"schemaVersion":2,`)
				mu.Lock()
				defer mu.Unlock()
				most = max(most, taken)
				return true
			})
			ref := ":v1"
			if tc.ref != nil {
				ref = tc.ref(p)
			}
			opts := h.options()
			opts.Jobs = 1
			_, err := Open(context.Background(), h.refTo(t, ref), signer.Verifier(), Policy{}, opts)
			if got := reason(t, err); got != tc.want {
				t.Errorf("err is %v, want %q", err, tc.want)
			}
			h.Close() // waits for the answers
			if most == 0 {
				t.Error("nobody asked for it")
			}
			if limit := tc.limit + inFlight; most > limit {
				t.Errorf("%d bytes of one answer were taken, want no more than %d", most, limit)
			}
		})
	}
}

// Names are where the parts of a release stand in a registry.
type names map[string][]string

func (h *host) names(t testing.TB, p product) names {
	t.Helper()
	r, err := h.options().reader(context.Background(), h.repo(t))
	if err != nil {
		t.Fatal(err)
	}
	refs, _, err := r.referrers(context.Background(), p.digest)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := r.bundleLayers(context.Background(), refs)
	if err != nil {
		t.Fatal(err)
	}
	n := names{
		"DIGEST": {p.digest.String()},
		"TAG":    {referrersTag(p.digest)},
		"CONFIG": {p.parts(t)[0].config.Digest.String()},
	}
	for _, ref := range refs {
		n["REFERRER"] = append(n["REFERRER"], ref.Digest.String())
	}
	for _, layer := range layers {
		n["BUNDLE"] = append(n["BUNDLE"], layer.Digest.String())
	}
	return n
}

func (n names) match(path, pattern string) bool {
	if strings.HasSuffix(path, pattern) {
		return true
	}
	for word, values := range n {
		for _, value := range values {
			if strings.Contains(pattern, word) && strings.HasSuffix(path, strings.Replace(pattern, word, value, 1)) {
				return true
			}
		}
	}
	return false
}

// A list whose every page names a next one comes to an end.
func TestOpenReadsNoListWithoutEnd(t *testing.T) {
	h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
	p.publish(t, h, signer, h.options(), "v1")
	pages := 0
	h.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/referrers/") {
			return false
		}
		pages++
		w.Header().Set("Content-Type", string(types.OCIImageIndex))
		w.Header().Set("Link", fmt.Sprintf(`<%s?page=%d>; rel="next"`, r.URL.Path, pages))
		fmt.Fprint(w, `{"schemaVersion":2,"manifests":[]}`)
		return true
	})
	if _, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{}, h.options()); err != nil {
		t.Error(err) // the legacy form is still there
	}
	if pages != maxPages {
		t.Errorf("%d pages were read, want %d", pages, maxPages)
	}
}

// A page that stands in another registry is not asked for.
func TestOpenFollowsNoPageElsewhere(t *testing.T) {
	h, elsewhere, p, signer := serve(t, true), serve(t, true), anImage(t, 1), newKey(t)
	p.publish(t, h, signer, h.options(), "v1")
	h.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/referrers/") {
			w.Header().Set("Link", `<`+elsewhere.URL+r.URL.Path+`>; rel="next"`)
		}
		return false
	})
	if _, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{Format: Both}, h.options()); err != nil {
		t.Error(err)
	}
	if got := elsewhere.requests(); len(got) > 0 {
		t.Errorf("the other registry was asked %v", got)
	}
}

// Four megabytes of {} would be a hundred times that in memory.
func TestOpenMakesLittleOfEmptyEntries(t *testing.T) {
	const most = 64 << 20
	entries := strings.Repeat("{},", 1_300_000) + "{}"
	for name, tc := range map[string]struct{ path, body string }{
		"an index":              {"/manifests/v1", `{"schemaVersion":2,"manifests":[` + entries + `]}`},
		"an image":              {"/manifests/v1", `{"schemaVersion":2,"config":{"digest":"sha256:` + strings.Repeat("0", 64) + `"},"layers":[` + entries + `]}`},
		"the list of referrers": {"/referrers/DIGEST", `{"schemaVersion":2,"manifests":[` + entries + `]}`},
		"legacy signatures":     {"/manifests/TAG.sig", `{"schemaVersion":2,"layers":[` + entries + `]}`},
		"legacy attestations":   {"/manifests/TAG.att", `{"schemaVersion":2,"layers":[` + entries + `]}`},
	} {
		t.Run(name, func(t *testing.T) {
			if len(tc.body) > maxManifest {
				t.Fatalf("it is of %d bytes and will not be read at all", len(tc.body))
			}
			h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
			p.publish(t, h, signer, h.options(), "v1")
			names := h.names(t, p)
			h.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if !names.match(r.URL.Path, tc.path) {
					return false
				}
				w.Header().Set("Content-Type", string(types.OCIImageIndex))
				fmt.Fprint(w, tc.body)
				return true
			})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{}, h.options())
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > most {
				t.Errorf("%d MiB were allocated, want no more than %d (err is %v)", got>>20, most>>20, err)
			}
		})
	}
}

// Of the many things that may refer to an image those that call themselves
// bundles come first, and no more than maxCandidates are fetched.
func TestOpenLooksAtManyReferrers(t *testing.T) {
	h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
	p.push(t, h, "v1")
	top := p.parts(t)[0]
	for i := range 8 * maxCandidates { // the registry lists them in any order
		raw := mustJSON(t, v1.Manifest{
			SchemaVersion: 2,
			MediaType:     types.OCIManifestSchema1,
			Subject:       &top.Descriptor,
			Annotations:   map[string]string{"number": fmt.Sprint(i)},
		})
		h.put(t, "manifests/"+hash(raw).String(), content{string(types.OCIManifestSchema1), raw})
	}
	p.publish(t, h, signer, h.options(), "v1")
	h.requests()
	if _, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{Format: Both}, h.options()); err != nil {
		t.Error(err)
	}
	if got, most := len(h.requests()), maxCandidates+40; got > most {
		t.Errorf("%d requests, want no more than %d", got, most)
	}
}

// A large blob does not keep a signature out of what may be fetched.
func TestOpenFetchesTheSmallFirst(t *testing.T) {
	for _, suffix := range []string{signatureSuffix, attestationSuffix} {
		t.Run(suffix, func(t *testing.T) {
			h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
			p.push(t, h, "v1")
			top := p.parts(t)[0]
			large := bytes.Repeat([]byte("x"), maxEnvelope)
			for i := range 5 {
				large[0] = byte(i)
				h.append(t, top, suffix, mutate.Addendum{Layer: static.NewLayer(bytes.Clone(large), envelopeMediaType)})
			}
			opts := h.options()
			opts.Format = Legacy
			p.publish(t, h, signer, opts, "v1")
			if _, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{Format: Legacy}, h.options()); err != nil {
				t.Error(err)
			}
		})
	}
}

// An index of more images than there are platforms is not looked through.
func TestOpenCountsManifests(t *testing.T) {
	h, signer := serve(t, true), newKey(t)
	var adds []mutate.IndexAddendum
	for seed := range int64(maxManifests) {
		adds = append(adds, mutate.IndexAddendum{Add: platformImage(t, seed, "amd64")})
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), adds...)
	product{artifact: index}.push(t, h, "v1")
	_, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{}, h.options())
	if got := reason(t, err); got != Untrusted {
		t.Errorf("err is %v, want %s", err, Untrusted)
	}
}

// What a blob's descriptor says of its size is the most that is read of it.
func TestOpenBelievesNoSize(t *testing.T) {
	h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
	p.sign(t, h, signer, p.without(evidence.SPDX, p.digest), everything)
	top := p.parts(t)[0]
	bundle := signBundle(t, signer, p.about(p.digest, evidence.SPDX)[0])
	for _, size := range []int64{0, 1, -1, int64(len(bundle)) - 1, 1 << 62} {
		ref, err := refer(top.Descriptor, bundle, evidence.SPDX)
		if err != nil {
			t.Fatal(err)
		}
		raw := strings.Replace(string(ref.raw), fmt.Sprintf(`"size":%d`, len(bundle)), fmt.Sprintf(`"size":%d`, size), 1)
		h.put(t, "manifests/"+hash([]byte(raw)).String(), content{string(types.OCIManifestSchema1), []byte(raw)})
	}
	blob := hash(bundle).String()
	h.put(t, "blobs/uploads/1?digest="+blob, content{"application/octet-stream", bundle})
	_, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{}, h.options())
	if got := reason(t, err); got != Incomplete {
		t.Errorf("err is %v, want %s", err, Incomplete)
	}
}
