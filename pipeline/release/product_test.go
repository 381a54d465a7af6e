package release

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	randv1 "math/rand"
	"runtime/debug"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/sigstore/pkg/signature"

	"temper/checks"
	"temper/pipeline/evidence"
)

// A product is what a build hands to a release.
type product struct {
	artifact   mutate.Appendable
	digest     v1.Hash
	images     []v1.Hash // those in an index
	report     *checks.Report
	statements []*evidence.Statement
}

// anImage returns one image with its evidence; each seed makes another.
func anImage(t testing.TB, seed int64) product {
	t.Helper()
	return stated(t, platformImage(t, seed, "amd64"))
}

// anIndex returns an image for each of two platforms with their evidence.
func anIndex(t testing.TB, seed int64) product {
	t.Helper()
	return stated(t, indexOf(t, platformImage(t, seed, "amd64"), platformImage(t, seed, "arm64")))
}

func platformImage(t testing.TB, seed int64, arch string) v1.Image {
	t.Helper()
	layer, err := random.Layer(256, types.OCILayer, random.WithSource(randv1.NewSource(seed)))
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layer)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	image, err = mutate.ConfigFile(image, config)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func indexOf(t testing.TB, images ...v1.Image) v1.ImageIndex {
	t.Helper()
	var adds []mutate.IndexAddendum
	for _, image := range images {
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		adds = append(adds, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: config.Platform()}})
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), adds...)
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	m = m.DeepCopy()
	for i := range m.Manifests {
		m.Manifests[i].ArtifactType = "" // as package image writes it: skopeo drops it, and the digest changes
	}
	return &writtenIndex{index, m, mustJSON(t, m)}
}

// held is what an index holds; the name is not that of a method.
type held = v1.ImageIndex

// A writtenIndex is an index with these very bytes.
type writtenIndex struct {
	held
	parsed *v1.IndexManifest
	raw    []byte
}

func (x *writtenIndex) IndexManifest() (*v1.IndexManifest, error) { return x.parsed, nil }
func (x *writtenIndex) RawManifest() ([]byte, error)              { return x.raw, nil }
func (x *writtenIndex) Digest() (v1.Hash, error)                  { return hash(x.raw), nil }
func (x *writtenIndex) Size() (int64, error)                      { return int64(len(x.raw)), nil }

// stated adds a report that approves and all statements that a release needs.
func stated(t testing.TB, artifact mutate.Appendable) product {
	t.Helper()
	digest, err := artifact.Digest()
	if err != nil {
		t.Fatal(err)
	}
	p := product{artifact: artifact, digest: digest}
	if index, ok := artifact.(v1.ImageIndex); ok {
		m, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		for _, desc := range m.Manifests {
			p.images = append(p.images, desc.Digest)
		}
	}
	p.report = &checks.Report{
		Subject:  checks.Subject{Name: "orders", Digest: digest.String()},
		Rules:    []string{"nonroot", "static"},
		Findings: []checks.Finding{},
	}
	all := append([]v1.Hash{digest}, p.images...)
	for _, about := range all {
		p.statements = append(p.statements, sbom(t, about))
	}
	p.statements = append(p.statements, provenance(t, "https://example.com/shop/orders", all...), reported(t, p.report))
	return p
}

var (
	buildInfo = &debug.BuildInfo{
		GoVersion: "go1.26.8",
		Main:      debug.Module{Path: "example.com/shop/orders"},
		Deps:      []*debug.Module{{Path: "golang.org/x/sync", Version: "v0.22.0"}},
	}
	aBase = evidence.Base{Name: "builtin", Digest: hash([]byte("a base"))}
)

func sbom(t testing.TB, about v1.Hash) *evidence.Statement {
	t.Helper()
	image := evidence.Image{Platform: "linux/amd64", Digest: about, Executables: []evidence.Executable{{File: evidence.File{Path: "/usr/local/bin/orders", Digest: about}, Go: buildInfo}}}
	doc, err := evidence.SBOM("orders", about, aBase, evidence.Known{}, image)
	if err != nil {
		t.Fatal(err)
	}
	return state(t, evidence.SPDX, doc, about)
}

func provenance(t testing.TB, remote string, about ...v1.Hash) *evidence.Statement {
	t.Helper()
	p := evidence.ProvenanceOf(evidence.Build{
		Parameters: map[string]string{"service": "orders"},
		Source:     evidence.Source{URI: remote, Commit: fmt.Sprintf("%x", sha256.Sum256([]byte(remote)))[:40]},
		Go:         "go1.26.8",
		Base:       aBase,
		Started:    time.Unix(0, 0),
		Finished:   time.Unix(1, 0),
	})
	return state(t, evidence.Provenance, p, about...)
}

func reported(t testing.TB, r *checks.Report) *evidence.Statement {
	t.Helper()
	s, err := evidence.StateReport(r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func state(t testing.TB, predicateType string, predicate any, about ...v1.Hash) *evidence.Statement {
	t.Helper()
	s, err := evidence.State(predicateType, predicate, "orders", about...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// without returns the statements but those of one predicate type about one
// image.
func (p product) without(predicateType string, about v1.Hash) []*evidence.Statement {
	var rest []*evidence.Statement
	for _, s := range p.statements {
		if s.PredicateType != predicateType || !s.About(about) {
			rest = append(rest, s)
		}
	}
	return rest
}

// newKey returns a signer with a new key in memory.
func newKey(t testing.TB) *Signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := signature.LoadDefaultSignerVerifier(private)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// publish publishes the product, which must succeed.
func (p product) publish(t testing.TB, h *host, signer *Signer, opts Options, tags ...string) {
	t.Helper()
	if _, err := Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, signer, tags, opts); err != nil {
		t.Fatal(err)
	}
}

func predicateTypes(all []*evidence.Statement) (list []string) {
	for _, s := range all {
		list = append(list, s.PredicateType)
	}
	return list
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
