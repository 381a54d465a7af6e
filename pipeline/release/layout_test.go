package release

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A folder is an OCI layout that is being written, as a tool writes it.
type folder struct {
	dir   string
	index v1.IndexManifest
}

func newFolder(t testing.TB) *folder {
	t.Helper()
	f := &folder{dir: t.TempDir(), index: v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}}
	if err := os.MkdirAll(filepath.Join(f.dir, "blobs", "sha256"), 0o755); err != nil {
		t.Fatal(err)
	}
	f.write(t, layoutMark, []byte(`{"imageLayoutVersion":"1.0.0"}`))
	f.list(t)
	return f
}

func (f *folder) write(t testing.TB, file string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, file), raw, 0o644); err != nil {
		t.Fatal(err)
	}
}

// list writes an entry into index.json.
func (f *folder) list(t testing.TB, d ...v1.Descriptor) {
	t.Helper()
	f.index.Manifests = append(f.index.Manifests, d...)
	f.write(t, layoutIndex, mustJSON(t, f.index))
}

func (f *folder) path(h v1.Hash) string { return filepath.Join(f.dir, filepath.FromSlash(blobFile(h))) }

// pull copies a manifest by its digest or tag, and all that it is made of.
func (f *folder) pull(t testing.TB, h *host, id string) v1.Descriptor {
	t.Helper()
	c := h.get(t, "manifests/"+id)
	d := v1.Descriptor{MediaType: types.MediaType(c.mediaType), Size: int64(len(c.body)), Digest: hash(c.body)}
	f.write(t, blobFile(d.Digest), c.body)
	var m struct {
		Config            *v1.Descriptor
		Layers, Manifests []v1.Descriptor
	}
	if err := json.Unmarshal(c.body, &m); err != nil {
		t.Fatal(err)
	}
	if m.Config != nil {
		m.Layers = append(m.Layers, *m.Config)
	}
	for _, part := range m.Layers {
		f.write(t, blobFile(part.Digest), h.get(t, "blobs/"+part.Digest.String()).body)
	}
	for _, below := range m.Manifests {
		f.pull(t, h, below.Digest.String())
	}
	return d
}

func noted(d v1.Descriptor, annotations ...string) v1.Descriptor {
	d.Annotations = make(map[string]string)
	for i := 0; i < len(annotations); i += 2 {
		d.Annotations[annotations[i]] = annotations[i+1]
	}
	return d
}

// refersTo lists what refers to a manifest.
func (h *host) refersTo(t testing.TB, about v1.Hash) (content, []v1.Descriptor) {
	t.Helper()
	c := h.get(t, "referrers/"+about.String())
	var list v1.IndexManifest
	if err := json.Unmarshal(c.body, &list); err != nil {
		t.Fatal(err)
	}
	return c, list.Manifests
}

func (p product) all() []v1.Hash { return append([]v1.Hash{p.digest}, p.images...) }

// shapes are the layouts that the field writes of a product in a registry.
var shapes = []struct {
	name  string
	form  Format // what it carries over
	write func(t testing.TB, f *folder, h *host, p product)
}{
	// index.json lists every manifest; the one that has a tag by it.
	// https://github.com/oras-project/oras-go/blob/v2.6.0/content/oci/oci.go
	{"oras backup --include-referrers", Bundle, func(t testing.TB, f *folder, h *host, p product) {
		f.list(t, noted(f.pull(t, h, p.digest.String()), refName, "v1"))
		for _, about := range p.all() {
			if about != p.digest {
				f.list(t, f.pull(t, h, about.String()))
			}
			_, list := h.refersTo(t, about)
			for _, d := range list {
				f.list(t, f.pull(t, h, d.Digest.String()))
			}
		}
	}},
	// The list of referrers stands under a tag, and they are no entries themselves.
	// https://github.com/regclient/regclient/blob/v0.9.2/scheme/ocidir/referrer.go
	{"regctl image copy --referrers", Bundle, func(t testing.TB, f *folder, h *host, p product) {
		f.list(t, noted(f.pull(t, h, p.digest.String()), refName, "v1"))
		for _, about := range p.all() {
			c, list := h.refersTo(t, about)
			f.write(t, blobFile(hash(c.body)), c.body)
			f.list(t, noted(v1.Descriptor{MediaType: types.OCIImageIndex, Size: int64(len(c.body)), Digest: hash(c.body)}, refName, referrersTag(about)))
			for _, d := range list {
				f.pull(t, h, d.Digest.String())
			}
		}
	}},
	// Kinds in place of names, of the whole alone: it takes an image.
	// https://github.com/sigstore/cosign/blob/v2.6.5/pkg/oci/layout/write.go
	{"cosign save", Legacy, func(t testing.TB, f *folder, h *host, p product) {
		tag := referrersTag(p.digest)
		what := "dev.cosignproject.cosign/image"
		if len(p.images) > 0 {
			what += "Index"
		}
		f.list(t, noted(f.pull(t, h, p.digest.String()), kind, what),
			noted(f.pull(t, h, tag+signatureSuffix), kind, signaturesKind),
			noted(f.pull(t, h, tag+attestationSuffix), kind, envelopesKind))
	}},
	// Every tag is copied by its name.
	// https://github.com/containers/image/blob/v5.36.2/docs/containers-transports.5.md
	{"skopeo copy, tag by tag", Legacy, func(t testing.TB, f *folder, h *host, p product) {
		f.list(t, noted(f.pull(t, h, p.digest.String()), refName, "v1"))
		for _, about := range p.all() {
			for _, suffix := range []string{signatureSuffix, attestationSuffix} {
				tag := referrersTag(about) + suffix
				f.list(t, noted(f.pull(t, h, tag), refName, tag))
			}
		}
	}},
}

// openLayout opens the first image in a layout.
func openLayout(t testing.TB, dir string, by *Verifier, policy Policy) (*Release, error) {
	t.Helper()
	l, err := OpenLayout(dir, "the-layout")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	all, err := l.Images()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("it holds no image")
	}
	return Open(context.Background(), all[0], by, policy, Options{Layout: l, Keychain: nobody{t}})
}

// What a tool copied out of a registry verifies as it does there, by the signer
// and by no other.
func TestOpenLayout(t *testing.T) {
	for _, shape := range shapes {
		for _, p := range []product{anImage(t, 1), anIndex(t, 1)} {
			if shape.name == "cosign save" && len(p.images) > 0 {
				continue // it leaves the signatures of the platforms behind
			}
			t.Run(shape.name, func(t *testing.T) {
				h, signer, f := serve(t, true), newKey(t), newFolder(t)
				p.publish(t, h, signer, h.options(), "v1")
				want, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{Format: shape.form}, h.options())
				if err != nil {
					t.Fatal(err)
				}
				shape.write(t, f, h, p)
				h.requests()
				if all := imagesIn(t, f.dir); len(all) != 1 {
					t.Errorf("it holds %v, want one image", all)
				}
				got, err := openLayout(t, f.dir, signer.Verifier(), Policy{Format: shape.form})
				if err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(got.Ref, "the-layout") || got.Digest.DigestStr() != want.Digest.DigestStr() {
					t.Errorf("it is %s, %s, want the-layout... and %s", got.Ref, got.Digest, want.Digest)
				}
				got.Ref, got.Digest = want.Ref, want.Digest
				if diff := cmp.Diff(mustJSON(t, want), mustJSON(t, got)); diff != "" {
					t.Errorf("the release (-registry +layout):\n%s", diff)
				}
				if _, err := openLayout(t, f.dir, newKey(t).Verifier(), Policy{}); reason(t, err) != Untrusted {
					t.Errorf("with another key err is %v, want %s", err, Untrusted)
				}
				if got := h.requests(); len(got) > 0 {
					t.Errorf("the registry was asked for %v", got)
				}
			})
		}
	}
}

func imagesIn(t testing.TB, dir string) []Stored {
	t.Helper()
	l, err := OpenLayout(dir, "the-layout")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	all, err := l.Images()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// nobody has no credentials, and is not asked for any.
type nobody struct{ testing.TB }

func (n nobody) Resolve(r authn.Resource) (authn.Authenticator, error) {
	n.Errorf("credentials are looked for, of %s", r)
	return authn.Anonymous, nil
}

// Nothing is believed because it is at hand.
func TestOpenLayoutRefuses(t *testing.T) {
	flip := func(t testing.TB, file string) {
		t.Helper()
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)/2] ^= 1
		if err := os.WriteFile(file, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	part := func(t testing.TB, p product, layer bool) v1.Hash {
		t.Helper()
		index, err := p.artifact.(v1.ImageIndex).Image(p.images[1])
		if err != nil {
			t.Fatal(err)
		}
		m, err := index.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		if layer {
			return m.Layers[0].Digest
		}
		return m.Config.Digest
	}
	for _, tc := range []struct {
		name string
		want Reason // empty for an error that is no refusal
		with func(t testing.TB, f *folder, p product)
	}{
		{"an altered index", Altered, func(t testing.TB, f *folder, p product) { flip(t, f.path(p.digest)) }},
		{"an altered manifest", Altered, func(t testing.TB, f *folder, p product) { flip(t, f.path(p.images[1])) }},
		{"an altered configuration", Altered, func(t testing.TB, f *folder, p product) { flip(t, f.path(part(t, p, false))) }},
		{"an altered layer of the same size", Altered, func(t testing.TB, f *folder, p product) { flip(t, f.path(part(t, p, true))) }},
		{"a layer that is cut short", Altered, func(t testing.TB, f *folder, p product) {
			if err := os.Truncate(f.path(part(t, p, true)), 7); err != nil {
				t.Fatal(err)
			}
		}},
		{"a missing layer", Incomplete, func(t testing.TB, f *folder, p product) { os.Remove(f.path(part(t, p, true))) }},
		{"a missing configuration", Incomplete, func(t testing.TB, f *folder, p product) { os.Remove(f.path(part(t, p, false))) }},
		{"a missing platform", Incomplete, func(t testing.TB, f *folder, p product) { os.Remove(f.path(p.images[0])) }},
		{"no image", "", func(t testing.TB, f *folder, p product) { os.Remove(f.path(p.digest)) }},
		{"a layer that is a link to the same bytes elsewhere", "", func(t testing.TB, f *folder, p product) {
			file, away := f.path(part(t, p, true)), filepath.Join(t.TempDir(), "layer")
			if err := os.Rename(file, away); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(away, file); err != nil {
				t.Fatal(err)
			}
		}},
		{"blobs that are a link to a folder elsewhere", "", func(t testing.TB, f *folder, p product) {
			away := filepath.Join(t.TempDir(), "blobs")
			if err := os.Rename(filepath.Join(f.dir, "blobs"), away); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(away, filepath.Join(f.dir, "blobs")); err != nil {
				t.Fatal(err)
			}
		}},
		{"no referrers and no legacy tags", Unsigned, func(t testing.TB, f *folder, p product) {
			top := f.index.Manifests[0]
			f.index.Manifests = nil
			f.list(t, top)
		}},
		{"the referrers of the whole alone", Unsigned, func(t testing.TB, f *folder, p product) {
			var keep []v1.Descriptor
			for _, d := range f.index.Manifests {
				raw, err := os.ReadFile(f.path(d.Digest))
				if err != nil {
					t.Fatal(err)
				}
				var m v1.Manifest
				if err := json.Unmarshal(raw, &m); err != nil {
					t.Fatal(err)
				}
				if m.Subject == nil || m.Subject.Digest == p.digest {
					keep = append(keep, d)
				}
			}
			f.index.Manifests = nil
			f.list(t, keep...)
		}},
		{"a referrer that names another subject now", Unsigned, func(t testing.TB, f *folder, p product) {
			raw, err := os.ReadFile(filepath.Join(f.dir, layoutIndex))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(raw, &f.index); err != nil {
				t.Fatal(err)
			}
			top := f.index.Manifests[0]
			var refer []v1.Descriptor
			for _, d := range f.index.Manifests[1:] {
				raw, err := os.ReadFile(f.path(d.Digest))
				if err != nil {
					t.Fatal(err)
				}
				moved := []byte(strings.ReplaceAll(string(raw), p.digest.Hex, p.images[0].Hex))
				f.write(t, blobFile(hash(moved)), moved)
				refer = append(refer, v1.Descriptor{MediaType: d.MediaType, Size: int64(len(moved)), Digest: hash(moved)})
			}
			f.index.Manifests = nil
			f.list(t, append([]v1.Descriptor{top}, refer...)...)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h, p, signer, f := serve(t, true), anIndex(t, 1), newKey(t), newFolder(t)
			opts := h.options()
			opts.Format = Bundle
			p.publish(t, h, signer, opts, "v1")
			shapes[0].write(t, f, h, p)
			if _, err := openLayout(t, f.dir, signer.Verifier(), Policy{}); err != nil {
				t.Fatalf("before: %v", err)
			}
			tc.with(t, f, p)
			_, err := openLayout(t, f.dir, signer.Verifier(), Policy{})
			var no *Refusal
			switch {
			case err == nil:
				t.Error("it verifies")
			case tc.want == "" && errors.As(err, &no):
				t.Errorf("err is the refusal %v, want one that nobody could look", err)
			case tc.want != "" && (!errors.As(err, &no) || no.Reason != tc.want):
				t.Errorf("err is %v, want %s", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), layoutHost) {
				t.Errorf("err tells of an address that leads nowhere: %v", err)
			}
		})
	}
}

// Of several images each is called by its name, and what belongs to an image is
// none.
func TestLayoutImages(t *testing.T) {
	h, signer, f := serve(t, true), newKey(t), newFolder(t)
	one, two := anIndex(t, 1), anImage(t, 2)
	for _, p := range []product{one, two} {
		p.publish(t, h, signer, h.options())
	}
	for _, shape := range shapes {
		shape.write(t, f, h, one)
	}
	f.list(t, noted(f.pull(t, h, one.digest.String()), refName, "latest"),
		noted(f.pull(t, h, two.digest.String()), refName, "registry.example.com/shop/two:v2"),
		noted(f.pull(t, h, two.digest.String()), refName, "twice"),
		noted(f.pull(t, h, one.images[0].String()), refName, "twice"))
	l, err := OpenLayout(f.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	all, err := l.Images()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range all {
		got = append(got, strings.TrimPrefix(one.String(), f.dir)+" "+one.DigestStr())
	}
	want := []string{
		"#latest " + one.digest.String(),
		"#registry.example.com/shop/two:v2 " + two.digest.String(),
		"#twice " + one.images[0].String(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	for want, digest := range map[string]v1.Hash{
		"v1": one.digest, "latest": one.digest, "registry.example.com/shop/two:v2": two.digest, two.digest.String(): two.digest,
	} {
		if found, err := l.Image(want); err != nil || found.DigestStr() != digest.String() {
			t.Errorf("%s is %s, %v, want %s", want, found, err, digest)
		}
	}
	for want, says := range map[string]string{"v9": `holds no image "v9"; it holds: latest; `, "twice": "has several images named twice"} {
		if _, err := l.Image(want); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: err is %v, want one that says %q", want, err, says)
		}
	}
}

// A folder that is no layout, or one that could take all memory, is told from
// one without signatures.
func TestOpenLayoutIndex(t *testing.T) {
	for _, tc := range []struct {
		name, file, content, want string
	}{
		{"no mark", layoutMark, "", "it has no file oci-layout"},
		{"another version", layoutMark, `{"imageLayoutVersion":"2.0.0"}`, `of version "2.0.0"`},
		{"no index", layoutIndex, "", "index.json"},
		{"an index that is none", layoutIndex, "[]", "index.json"},
		{"an index of another kind", layoutIndex, `{"mediaType":"application/vnd.oci.image.manifest.v1+json"}`, "want an OCI index"},
		{"an index that is too large", layoutIndex, strings.Repeat(" ", maxManifest) + "{}", "larger than evidence may be"},
		{"too many entries", layoutIndex, `{"manifests":[` + strings.Repeat("{},", maxListed) + "{}]}", "larger than evidence may be"},
		{"a digest that leads outside", layoutIndex, `{"manifests":[{"digest":"sha256:../../../../etc/passwd"}]}`, "index.json"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFolder(t)
			if tc.content == "" {
				os.Remove(filepath.Join(f.dir, tc.file))
			} else {
				f.write(t, tc.file, []byte(tc.content))
			}
			if _, err := OpenLayout(f.dir, ""); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("err is %v, want one that says %q", err, tc.want)
			}
		})
	}
}

// A stored image is looked for in its layout and nowhere else, and one of a
// registry not in a layout.
func TestLayoutIsNoRegistry(t *testing.T) {
	h, p, signer, f := serve(t, true), anImage(t, 1), newKey(t), newFolder(t)
	p.publish(t, h, signer, h.options(), "v1")
	shapes[0].write(t, f, h, p)
	l, err := OpenLayout(f.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	stored, err := l.Image("v1")
	if err != nil {
		t.Fatal(err)
	}
	h.requests()
	within := Options{Layout: l, Transport: h.Client().Transport}
	for _, tc := range []struct {
		ref  name.Reference
		opts Options
	}{
		{stored, h.options()}, {h.refTo(t, ":v1"), within},
	} {
		if _, err := Open(context.Background(), tc.ref, signer.Verifier(), Policy{}, tc.opts); err == nil || !strings.Contains(err.Error(), "not where it is looked for") {
			t.Errorf("%s: err is %v", tc.ref, err)
		}
	}
	if _, err := Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, signer, nil, within); err == nil {
		t.Error("it is published")
	}
	r, err := http.NewRequest(http.MethodPut, "https://"+inLayout+"/v2/images/manifests/v2", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.RoundTrip(r); err == nil {
		t.Error("something is written into the layout")
	}
	if got := h.requests(); len(got) > 0 {
		t.Errorf("the registry was asked for %v", got)
	}
	sig, err := VerifySigner(context.Background(), stored.Digest, signer.Verifier(), Options{Layout: l})
	if err != nil || sig.Digest != p.digest {
		t.Errorf("its signer is not verified: %v", err)
	}
}
