package release

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// collected is a collection as a test compares it.
type collected struct {
	Digest    v1.Hash
	Referrers int
	Tags      []string
	Claims    int
	Left      []string
}

func collect(t testing.TB, h *host, suffix string) collected {
	t.Helper()
	c, err := Collect(context.Background(), h.refTo(t, suffix), h.options())
	if err != nil {
		t.Fatal(err)
	}
	return collected{c.Digest, len(c.Referrers), c.Tags(), c.Claims, c.Left}
}

// All that belongs to an image and its platforms is found, on either kind of
// registry, and what nobody would look at is left where it is and told.
func TestCollect(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			h, p, signer := serve(t, kind.referrers), anIndex(t, 1), newKey(t)
			p.publish(t, h, signer, h.options(), "v1")
			want := collected{Digest: p.digest}
			for _, about := range p.all() {
				n := h.attached(t, signer, about)
				want.Referrers += n.Referrers
				want.Tags = append(want.Tags, referrersTag(about)+attestationSuffix, referrersTag(about)+signatureSuffix)
				want.Claims += n.Referrers + 2
			}
			sortTags := cmpopts.SortSlices(func(a, b string) bool { return a < b })
			if diff := cmp.Diff(want, collect(t, h, ":v1"), sortTags); diff != "" {
				t.Errorf("what was collected (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCollectLeavesWhatNobodyLooksAt(t *testing.T) {
	h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
	opts := h.options()
	opts.Format = Bundle
	p.publish(t, h, signer, opts, "v1")
	want := collect(t, h, ":v1")
	top := h.get(t, "manifests/v1")
	subject := v1.Descriptor{MediaType: types.MediaType(top.mediaType), Digest: p.digest, Size: int64(len(top.body))}
	put := func(m v1.Manifest) v1.Hash {
		m.SchemaVersion, m.MediaType, m.Subject = 2, types.OCIManifestSchema1, &subject
		raw := mustJSON(t, m)
		h.put(t, "manifests/"+hash(raw).String(), content{string(types.OCIManifestSchema1), raw})
		return hash(raw)
	}
	config := v1.Descriptor{MediaType: emptyMediaType, Digest: hash([]byte("{}")), Size: 2}
	huge := put(v1.Manifest{Config: config, Layers: []v1.Descriptor{{MediaType: "text/plain", Digest: hash([]byte("huge")), Size: maxEnvelope + 1}}})
	many := put(v1.Manifest{Config: config, Layers: slices.Repeat([]v1.Descriptor{config}, maxCandidates+1)})
	h.put(t, "manifests/"+referrersTag(p.digest)+attestationSuffix, content{"text/plain", []byte("not a manifest")})
	got := collect(t, h, ":v1")
	left := strings.Join(got.Left, "\n")
	for _, says := range []string{short(huge) + ": it is larger", short(many) + ": it has 257 layers", attestationSuffix + ": it is no manifest"} {
		if !strings.Contains(left, says) {
			t.Errorf("left behind is\n%s\nand nothing that says %q", left, says)
		}
	}
	got.Left = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was collected beside junk (-want +got):\n%s", diff)
	}
}

func TestCollectWhatIsNotThere(t *testing.T) {
	h := serve(t, true)
	if _, err := Collect(context.Background(), h.refTo(t, ":v1"), h.options()); !errors.Is(err, ErrNotFound) {
		t.Errorf("err is %v, want %v", err, ErrNotFound)
	}
	p := anImage(t, 1)
	p.publish(t, h, newKey(t), h.options(), "v1")
	h.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/referrers/") {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	if c, err := Collect(context.Background(), h.refTo(t, ":v1"), h.options()); err == nil {
		t.Errorf("what nobody could list is taken for %d", len(c.Referrers))
	}
}
