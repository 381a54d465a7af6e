package image

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	archives "github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// dockerIndex is an index as docker makes it, with an attestation of buildkit.
func dockerIndex(t testing.TB, platforms ...v1.Platform) v1.ImageIndex {
	t.Helper()
	idx := mutate.IndexMediaType(empty.Index, types.DockerManifestList)
	for _, p := range platforms {
		img := dockerImage(t, p, layerOf(t, types.DockerLayer, "d0755 0:0 etc/", "-0644 0:0 etc/"+p.Architecture))
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &p}})
	}
	attestation := dockerImage(t, v1.Platform{OS: "unknown", Architecture: "unknown"})
	return mutate.AppendManifests(idx, mutate.IndexAddendum{Add: attestation,
		Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}}})
}

// on assembles the simplest service on a base.
func on(t testing.TB, base *Base, opts Options, platforms ...v1.Platform) (artifact, error) {
	t.Helper()
	made, err := Assemble(context.Background(), repository(t), base, opts, executables(t, platforms...)...)
	if err != nil {
		return nil, err
	}
	return made.(artifact), nil
}

// stored returns an artifact as it comes back from an OCI layout.
func stored(t testing.TB, a artifact) artifact {
	t.Helper()
	dir := t.TempDir()
	check(t, Write(dir, Entry{Name: "stored", Artifact: a}))
	back := must(Read(dir))(t)[0].Artifact.(artifact)
	if got, want := digestOf(t, back), digestOf(t, a); got != want {
		t.Fatalf("%s comes back as %s", want, got)
	}
	return back
}

// What docker has made becomes OCI, its layers stay the bytes they are, and of
// its configuration the environment and the working directory stay.
func TestDockerBase(t *testing.T) {
	r := newRegistry(t)
	from := dockerIndex(t, amd64, arm64)
	base := must(OpenBase(context.Background(), r.push(t, "acme/base:v1", from)))(t)
	img := stored(t, must(on(t, base, Options{}, arm64))(t)).(v1.Image)
	check(t, validate.Image(img))

	below := must(base.Image(arm64))(t)
	m, config := must(img.Manifest())(t), must(img.ConfigFile())(t)
	mediaTypes := []types.MediaType{m.MediaType, m.Config.MediaType, m.Layers[0].MediaType, m.Layers[1].MediaType}
	if diff := cmp.Diff([]types.MediaType{types.OCIManifestSchema1, types.OCIConfigJSON, types.OCILayer, types.OCILayer}, mediaTypes); diff != "" {
		t.Errorf("the media types are not the expected ones (-want +got):\n%s", diff)
	}
	if got, want := m.Layers[0].Digest, must(below.Manifest())(t).Layers[0].Digest; got != want {
		t.Errorf("the base's layer is %s, want its own bytes, %s", got, want)
	}
	want := v1.Config{
		User:       "65532:65532",
		Entrypoint: []string{"/usr/local/bin/orders"},
		WorkingDir: "/base",
		Env:        []string{"PATH=/bin", "LANG=C"},
	}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Errorf("the configuration is not the expected one (-want +got):\n%s", diff)
	}
	var history []string
	for _, h := range config.History {
		history = append(history, h.CreatedBy)
	}
	if diff := cmp.Diff([]string{"docker", "temper binary /usr/local/bin/orders"}, history); diff != "" {
		t.Errorf("the history is not the expected one (-want +got):\n%s", diff)
	}
	annotations := map[string]string{baseName: r.host + "/acme/base:v1", baseDigest: digestOf(t, below)}
	if diff := cmp.Diff(annotations, m.Annotations); diff != "" {
		t.Errorf("the annotations are not the expected ones (-want +got):\n%s", diff)
	}
}

func TestBaseReference(t *testing.T) {
	for text, want := range map[string]string{
		"acme.example/base":                "acme.example/base",
		"acme.example/base:v1":             "acme.example/base:v1",
		"acme.example:5000/base":           "acme.example:5000/base",
		"debian":                           "index.docker.io/library/debian",
		"debian:latest":                    "index.docker.io/library/debian:latest",
		"gcr.io/distroless/static:nonroot": "gcr.io/distroless/static:nonroot",
	} {
		digest := must(name.NewDigest(text + "@sha256:" + strings.Repeat("0", 64)))(t)
		if got := canonical(text, digest.Context()); got != want {
			t.Errorf("%s is called %s, want %s", text, got, want)
		}
	}
}

func TestBasePlatforms(t *testing.T) {
	armV6 := v1.Platform{OS: "linux", Architecture: "arm", Variant: "v6"}
	armV7 := v1.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}
	index := must(newBase("acme", "", dockerIndex(t, arm64, armV6, armV7)))(t)
	image := must(newBase("acme", "", dockerImage(t, armV7)))(t)
	nothing := must(newBase("acme", "", empty.Index))(t)
	for _, tt := range []struct {
		base     *Base
		platform v1.Platform
		want     string // the variant, or the error
	}{
		{index, arm64, ""},
		{index, v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}, ""},
		{index, armV6, "v6"},
		{index, armV7, "v7"},
		{index, v1.Platform{OS: "linux", Architecture: "arm"}, "v7"},
		{index, amd64, "base acme has no image for linux/amd64; it has: linux/arm64, linux/arm/v6, linux/arm/v7"},
		{index, v1.Platform{OS: "windows", Architecture: "arm64"}, "base acme has no image for windows/arm64; it has: linux/arm64, linux/arm/v6, linux/arm/v7"},
		{image, armV7, "v7"},
		{image, armV6, "base acme has no image for linux/arm/v6; it has: linux/arm/v7"},
		{image, amd64, "base acme has no image for linux/amd64; it has: linux/arm/v7"},
		{nothing, amd64, "base acme has no image for linux/amd64; it has: none that names its platform"},
	} {
		var got string
		if img, err := tt.base.Image(tt.platform); err != nil {
			got = err.Error()
		} else {
			got = must(img.ConfigFile())(t).Variant
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("the base's image for %s is not the expected one (-want +got):\n%s", tt.platform, diff)
		}
	}
}

// An index can lie about what is in it.
func TestBaseOfAnotherPlatform(t *testing.T) {
	idx := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: dockerImage(t, arm64), Descriptor: v1.Descriptor{Platform: &amd64}})
	_, err := must(newBase("acme", "", idx))(t).Image(amd64)
	mentions(t, err, "base acme has no image for linux/amd64; it has: linux/arm64")
}

func TestOpenBaseRefuses(t *testing.T) {
	r := newRegistry(t)
	digest := r.push(t, "acme/base:v1", dockerIndex(t, amd64))
	other := "sha256:" + strings.Repeat("0", 64)
	for _, tt := range []struct{ ref, tell string }{
		{r.host + "/acme/base:v1", "has no digest, so it can change at any time; write " + r.host + "/acme/base:v1@sha256:..."},
		{r.host + "/acme/base", "has no digest"},
		{"some words", `base "some words" is not builtin, distroless, an image by digest or the absolute path of an OCI layout`},
		{"acme/base@sha256:123", "base acme/base@sha256:123: "},
		{strings.Split(digest, "@")[0] + "@" + other, "reading base "},
		{filepath.Join(t.TempDir(), "nothing"), "is not an OCI layout: it has no file oci-layout"},
	} {
		_, err := OpenBase(context.Background(), tt.ref)
		mentions(t, err, tt.tell)
	}
}

// A registry that answers with something else than the digest says is caught,
// whichever part it is; nothing of it stays in the cache.
func TestAlteredBase(t *testing.T) {
	from := dockerIndex(t, amd64)
	img := must(from.Image(must(from.IndexManifest())(t).Manifests[0].Digest))(t)
	m := must(img.Manifest())(t)
	for part, digest := range map[string]v1.Hash{
		"index": must(from.Digest())(t), "manifest": must(img.Digest())(t), "configuration": m.Config.Digest, "layer": m.Layers[0].Digest,
	} {
		for name, cache := range map[string]string{"without a cache": "", "with a cache": t.TempDir()} {
			t.Run(part+" "+name, func(t *testing.T) {
				r := newRegistry(t)
				ref := r.push(t, "acme/base", from)
				r.alter(digest)
				base, err := OpenBase(context.Background(), ref)
				if err == nil {
					_, err = on(t, base, Options{Cache: cache}, amd64)
				}
				if err == nil {
					t.Fatal("the altered base was taken")
				}
				if r.pulls(digest) == 0 {
					t.Errorf("the error is %v, but nobody has asked for the %s", err, part)
				}
				if cache != "" {
					if kept := snapshot(t, cache); len(kept) > 0 {
						t.Errorf("the cache keeps %v", kept)
					}
				}
			})
		}
	}
}

// A layer of a registry is pulled once, and again when the cache does not have
// it as it was.
func TestBaseLayersAreCached(t *testing.T) {
	r := newRegistry(t)
	img := dockerImage(t, amd64, layerOf(t, types.DockerLayer, "-0644 0:0 etc/x"))
	layer := must(img.Manifest())(t).Layers[0].Digest
	ref, cache := r.push(t, "acme/base", img), t.TempDir()
	build := func() string {
		base := must(OpenBase(context.Background(), ref))(t)
		made := must(on(t, base, Options{Cache: cache}, amd64))(t).(v1.Image)
		check(t, Write(t.TempDir(), Entry{Name: "orders", Artifact: made}))
		return digestOf(t, made)
	}
	first := build()
	for _, tt := range []struct {
		name  string
		alter func(file string) error
		pulls int
	}{
		{"as it was", func(string) error { return nil }, 1},
		{"altered", func(file string) error { return flip(file) }, 2},
		{"cut short", func(file string) error { return os.Truncate(file, 1) }, 3},
		{"gone", os.Remove, 4},
	} {
		check(t, tt.alter(blobs(cache).name(layer)))
		if again := build(); again != first {
			t.Errorf("with the layer in the cache %s the image is %s, want %s", tt.name, again, first)
		}
		if got := r.pulls(layer); got != tt.pulls {
			t.Errorf("with the layer in the cache %s it was pulled %d times in all, want %d", tt.name, got, tt.pulls)
		}
	}
}

// Layers of all kinds are read and passed on.
func TestBaseLayerTypes(t *testing.T) {
	raw := tarOf(t, "d0755 0:0 usr/", "-0644 0:0 usr/local")
	for _, tt := range []struct {
		name  string
		opts  []archives.LayerOption
		want  types.MediaType
		error string
	}{
		{name: "docker gzip", want: types.OCILayer},
		{name: "OCI gzip", opts: []archives.LayerOption{archives.WithMediaType(types.OCILayer)}, want: types.OCILayer},
		{name: "OCI zstd", opts: []archives.LayerOption{archives.WithMediaType(types.OCILayerZStd), archives.WithCompression(compression.ZStd)}, want: types.OCILayerZStd},
		{name: "docker foreign", opts: []archives.LayerOption{archives.WithMediaType(types.DockerForeignLayer)},
			error: "layer 1: its media type application/vnd.docker.image.rootfs.foreign.diff.tar.gzip is not that of a layer that may be passed on"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			layer := must(archives.LayerFromOpener(content(raw), tt.opts...))(t)
			base := must(newBase("acme", "", dockerImage(t, amd64, layer)))(t)
			svc := repository(t)
			_, err := Assemble(context.Background(), svc, base, Options{}, executables(t, amd64)...)
			if tt.error != "" {
				mentions(t, err, tt.error)
				return
			}
			mentions(t, err, "the base acme has a file at /usr/local")
			svc.Path = "/orders"
			made := must(Assemble(context.Background(), svc, base, Options{}, executables(t, amd64)...))(t).(v1.Image)
			for _, img := range []v1.Image{made, stored(t, made).(v1.Image)} {
				layers := must(img.Layers())(t)
				types := []types.MediaType{must(img.Manifest())(t).Layers[0].MediaType, must(layers[0].MediaType())(t)}
				if types[0] != tt.want || types[1] != tt.want {
					t.Errorf("the base's layer is of type %s, want %s", types, tt.want)
				}
				must(readTree("the image", layers))(t)
			}
		})
	}
}

func TestLayoutBase(t *testing.T) {
	dir := t.TempDir()
	check(t, Write(dir, Entry{Name: "base", Artifact: must(Builtin())(t).index}))
	base := must(OpenBase(context.Background(), dir))(t)
	if want := must(Builtin())(t).Digest; base.Digest != want || base.Reference != "base" {
		t.Errorf("the base is %s named %q, want %s named base", base.Digest, base.Reference, want)
	}
	made := must(on(t, base, Options{}, amd64))(t).(v1.Image)
	check(t, validate.Image(made))
	for _, value := range must(made.Manifest())(t).Annotations {
		if strings.Contains(value, dir) {
			t.Errorf("the image has a path of this machine: %s", value)
		}
	}
	// An image that stands on the base can be a base as well.
	second := t.TempDir()
	svc := repository(t)
	svc.Path = "/other"
	check(t, Write(second, Entry{Name: "orders", Artifact: made}))
	check(t, validate.Image(must(Assemble(context.Background(), svc, must(OpenBase(context.Background(), second))(t), Options{}, executables(t, amd64)...))(t).(v1.Image)))

	check(t, flip(blobs(dir).name(must(builtinLayer(t).Digest())(t))))
	_, err := on(t, must(OpenBase(context.Background(), dir))(t), Options{}, amd64)
	mentions(t, err, "reading layer 1 of the base "+dir)
}

func TestLayoutBaseOfTwoImages(t *testing.T) {
	dir := t.TempDir()
	one, two := dockerImage(t, amd64), dockerImage(t, arm64)
	check(t, Write(dir, Entry{Name: "one", Artifact: one}, Entry{Name: "two", Artifact: two}))
	_, err := OpenBase(context.Background(), dir)
	mentions(t, err, "base "+dir+" holds 2 images, want 1: one "+digestOf(t, one)+", two "+digestOf(t, two))
}

// A base that has two layers of one content, compressed in two ways, keeps both.
func TestBaseWithTwoLayersOfOneContent(t *testing.T) {
	raw := tarOf(t, "d0755 0:0 etc/")
	img := dockerImage(t, amd64,
		must(archives.LayerFromOpener(content(raw), archives.WithCompressionLevel(1)))(t),
		must(archives.LayerFromOpener(content(raw), archives.WithCompressionLevel(0)))(t))
	made := must(on(t, must(newBase("acme", "", img))(t), Options{}, amd64))(t).(v1.Image)
	dir := t.TempDir()
	check(t, validate.Image(stored(t, made).(v1.Image)))
	check(t, WriteTarball(filepath.Join(dir, "x.tar"), Entry{Name: "orders", Artifact: made}))
	check(t, validate.Image(must(archives.ImageFromPath(filepath.Join(dir, "x.tar"), nil))(t)))
}

func TestWithHistory(t *testing.T) {
	two := []mutate.Addendum{{URLs: []string{"1"}}, {URLs: []string{"2"}}}
	for _, tt := range []struct {
		name    string
		history []v1.History
		want    []string
	}{
		{"none", nil, []string{"1 base", "2 base"}},
		{"one for each", []v1.History{{CreatedBy: "a"}, {CreatedBy: "b"}}, []string{"1 a", "2 b"}},
		{"too few", []v1.History{{CreatedBy: "a"}}, []string{"1 base", "2 base"}},
		{"too many", []v1.History{{CreatedBy: "a"}, {CreatedBy: "b"}, {CreatedBy: "c"}}, []string{"1 base", "2 base"}},
		{"with steps that made none", []v1.History{{CreatedBy: "ENV", EmptyLayer: true}, {CreatedBy: "a"}, {CreatedBy: "USER", EmptyLayer: true}, {CreatedBy: "b"}},
			[]string{" ENV", "1 a", " USER", "2 b"}},
	} {
		var got []string
		for _, a := range withHistory(append([]mutate.Addendum(nil), two...), tt.history) {
			got = append(got, strings.Join(a.URLs, "")+" "+a.History.CreatedBy)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: the layers do not have the expected history (-want +got):\n%s", tt.name, diff)
		}
	}
}
