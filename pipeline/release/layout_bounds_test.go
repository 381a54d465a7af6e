package release

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Junk beside an image keeps no signature out, and more of it than can be looked
// at is an error and takes no memory.
func TestLayoutBounds(t *testing.T) {
	h, p, signer, f := serve(t, true), anImage(t, 1), newKey(t), newFolder(t)
	opts := h.options()
	opts.Format = Bundle
	p.publish(t, h, signer, opts, "v1")
	junk := func(n, size int) {
		var all []v1.Descriptor
		for i := range n {
			raw := fmt.Appendf(nil, `{"mediaType":%q,"subject":{"digest":%q},"annotations":{"%d":%q}}`, types.OCIManifestSchema1, p.digest, i, strings.Repeat("x", size))
			f.write(t, blobFile(hash(raw)), raw)
			all = append(all, v1.Descriptor{MediaType: types.OCIManifestSchema1, Size: int64(len(raw)), Digest: hash(raw)})
		}
		f.list(t, all...)
	}
	junk(2*maxCandidates, 4)
	shapes[0].write(t, f, h, p)
	if _, err := openLayout(t, f.dir, signer.Verifier(), Policy{}); err != nil {
		t.Errorf("beside junk: %v", err)
	}
	junk(maxEvidence/maxManifest+1, maxManifest-1000)
	l, err := OpenLayout(f.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Images(); err == nil || !strings.Contains(err.Error(), "too many to be looked at") {
		t.Errorf("err is %v, want one that they are too many", err)
	}
}

// A small layout that names the same lists over and over, or many of them, takes
// no memory either.
func TestLayoutListsAreBounded(t *testing.T) {
	full := func(kind, field, name string) []byte {
		return fmt.Appendf(nil, `{"mediaType":%q,%q:[%s{}],"annotations":{"name":%q}}`, kind, field, strings.Repeat("{},", maxListed-1), name)
	}
	put := func(t *testing.T, f *folder, raw []byte, mediaType types.MediaType, annotations ...string) v1.Descriptor {
		f.write(t, blobFile(hash(raw)), raw)
		return noted(v1.Descriptor{MediaType: mediaType, Size: int64(len(raw)), Digest: hash(raw)}, annotations...)
	}
	h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
	opts := h.options()
	opts.Format = Bundle
	p.publish(t, h, signer, opts, "v1")
	t.Run("referrers", func(t *testing.T) {
		f := newFolder(t)
		shapes[0].write(t, f, h, p)
		same := put(t, f, full(string(types.OCIImageIndex), "manifests", ""), types.OCIImageIndex, refName, referrersTag(p.digest))
		f.list(t, slices.Repeat([]v1.Descriptor{same}, 64)...)
		l, err := OpenLayout(f.dir, "")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		s, err := l.survey()
		if err != nil {
			t.Fatal(err)
		}
		if n := len(s.referrers[p.digest]); n > maxListed+maxCandidates {
			t.Errorf("the same list is read again, to %d entries", n)
		}
		for i := range maxSurveyed/maxListed + 1 {
			f.list(t, put(t, f, full(string(types.OCIImageIndex), "manifests", fmt.Sprint(i)), types.OCIImageIndex, refName, referrersTag(p.digest)))
		}
		more, err := OpenLayout(f.dir, "")
		if err != nil {
			t.Fatal(err)
		}
		defer more.Close()
		if _, err := more.Images(); err == nil || !strings.Contains(err.Error(), "too many others to be looked at") {
			t.Errorf("err is %v, want one that they are too many", err)
		}
	})
	t.Run("legacy", func(t *testing.T) {
		f := newFolder(t)
		shapes[0].write(t, f, h, p)
		for i := range 3 {
			f.list(t, put(t, f, full(string(types.OCIManifestSchema1), "layers", fmt.Sprint(i)), types.OCIManifestSchema1, kind, signaturesKind))
		}
		l, err := OpenLayout(f.dir, "")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if raw, err := l.under(referrersTag(p.digest) + signatureSuffix); !errors.Is(err, errTooLarge) {
			t.Errorf("under is %d bytes (%v), want that it is too large", len(raw), err)
		}
		// One is read, and its layers are what no layout can hold.
		one := newFolder(t)
		shapes[0].write(t, one, h, p)
		one.list(t, put(t, one, full(string(types.OCIManifestSchema1), "layers", ""), types.OCIManifestSchema1, kind, signaturesKind))
		if _, err := openLayout(t, one.dir, signer.Verifier(), Policy{}); err != nil {
			t.Errorf("beside layers without a digest: %v", err)
		}
		// It is junk beside a good signature, which counts.
		if _, err := openLayout(t, f.dir, signer.Verifier(), Policy{}); err != nil {
			t.Errorf("beside junk: %v", err)
		}
	})
}
