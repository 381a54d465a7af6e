package image

import (
	"archive/tar"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"temper/pipeline/binary"
	"temper/pipeline/service"
)

// orders is a service with a bit of everything.
func orders(t testing.TB) *service.Service {
	svc := copies(repository(t, "templates/index.html", "templates/run.sh 0755", "templates/latest -> index.html"), "templates", "/src/templates")
	svc.Path = "/src/server"
	svc.Workdir = "/src"
	svc.User = "1000:1001"
	svc.Ports = []int{8080, 9090}
	svc.Env = map[string]string{"GOTRACEBACK": "single", "PATH": "/src"}
	svc.Args = []string{"--config", "/etc/app.yaml"}
	svc.Labels = map[string]string{"org.opencontainers.image.source": "https://example.com/orders"}
	return svc
}

// assemble makes an image whose layers are not too small to be compressed in
// more than one block.
func assemble(t testing.TB, svc *service.Service, opts Options, platforms ...v1.Platform) artifact {
	t.Helper()
	var bins []*binary.Binary
	for i, p := range platforms {
		bins = append(bins, pretended(t, p, noise(uint64(i), 5<<19)))
	}
	return must(Assemble(context.Background(), svc, must(Builtin())(t), opts, bins...))(t).(artifact)
}

// An artifact is what images and indexes have in common.
type artifact interface {
	MediaType() (types.MediaType, error)
	Digest() (v1.Hash, error)
	Size() (int64, error)
	RawManifest() ([]byte, error)
}

func digestOf(t testing.TB, a interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	return must(a.Digest())(t).String()
}

func TestAssemble(t *testing.T) {
	base := must(Builtin())(t)
	bin := executables(t, amd64)[0]
	img := must(Assemble(context.Background(), orders(t), base, Options{}, bin))(t).(v1.Image)
	check(t, validate.Image(img))

	layers := must(img.Layers())(t)
	var own [][]string
	for _, l := range layers[1:] {
		nothingVaries(t, l)
		own = append(own, listing(t, l))
	}
	wantOwn := [][]string{
		{
			"d0755 0:0 src/",
			"d0755 0:0 src/templates/",
			"-0444 0:0 src/templates/index.html",
			"l0777 0:0 src/templates/latest -> index.html",
			"-0444 0:0 src/templates/run.sh",
		},
		{
			"d0755 0:0 src/",
			"-0555 0:0 src/server",
		},
	}
	if diff := cmp.Diff(wantOwn, own); diff != "" {
		t.Errorf("the service's layers are not the expected ones (-want +got):\n%s", diff)
	}

	epoch := v1.Time{Time: time.Unix(0, 0).UTC()}
	var diffIDs []v1.Hash
	for _, l := range layers {
		diffIDs = append(diffIDs, must(l.DiffID())(t))
	}
	wantConfig := &v1.ConfigFile{
		OS: "linux", Architecture: "amd64", Created: epoch,
		RootFS: v1.RootFS{Type: "layers", DiffIDs: diffIDs},
		History: []v1.History{
			{Created: epoch, CreatedBy: "temper base builtin v1"},
			{Created: epoch, CreatedBy: "temper assets"},
			{Created: epoch, CreatedBy: "temper binary /src/server"},
		},
		Config: v1.Config{
			User:         "1000:1001",
			Entrypoint:   []string{"/src/server"},
			Cmd:          []string{"--config", "/etc/app.yaml"},
			WorkingDir:   "/src",
			Env:          []string{"SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt", "GOTRACEBACK=single", "PATH=/src"},
			ExposedPorts: map[string]struct{}{"8080/tcp": {}, "9090/tcp": {}},
			Labels:       map[string]string{"org.opencontainers.image.source": "https://example.com/orders"},
		},
	}
	if diff := cmp.Diff(wantConfig, must(img.ConfigFile())(t)); diff != "" {
		t.Errorf("the configuration is not the expected one (-want +got):\n%s", diff)
	}

	m := must(img.Manifest())(t)
	wantAnnotations := map[string]string{
		"org.opencontainers.image.base.name":   "builtin",
		"org.opencontainers.image.base.digest": digestOf(t, must(base.Image(amd64))(t)),
	}
	if diff := cmp.Diff(wantAnnotations, m.Annotations); diff != "" {
		t.Errorf("the annotations are not the expected ones (-want +got):\n%s", diff)
	}
	mediaTypes := []types.MediaType{m.MediaType, m.Config.MediaType}
	for _, l := range m.Layers {
		mediaTypes = append(mediaTypes, l.MediaType)
	}
	wantTypes := []types.MediaType{types.OCIManifestSchema1, types.OCIConfigJSON, types.OCILayer, types.OCILayer, types.OCILayer}
	if diff := cmp.Diff(wantTypes, mediaTypes); diff != "" {
		t.Errorf("the media types are not the expected ones (-want +got):\n%s", diff)
	}
}

// A service that says nothing gets what the base says, and no layer for what it
// does not have.
func TestAssembleDefaults(t *testing.T) {
	img := assemble(t, repository(t), Options{}, amd64).(v1.Image)
	if n := len(must(img.Layers())(t)); n != 2 {
		t.Errorf("there are %d layers, want 2: base and binary", n)
	}
	want := v1.Config{
		User:       "65532:65532",
		Entrypoint: []string{"/usr/local/bin/orders"},
		WorkingDir: "/home/nonroot",
		Env:        builtinEnv,
	}
	if diff := cmp.Diff(want, must(img.ConfigFile())(t).Config); diff != "" {
		t.Errorf("the configuration is not the expected one (-want +got):\n%s", diff)
	}
}

func TestAssembleMakesTheWorkingDirectory(t *testing.T) {
	for _, tt := range []struct {
		workdir string
		want    []string
	}{
		{"/data", []string{"d0755 0:0 data/", "d0755 0:0 usr/", "d0755 0:0 usr/local/", "d0755 0:0 usr/local/bin/", "-0555 0:0 usr/local/bin/orders"}},
		{"/tmp", []string{"d0755 0:0 usr/", "d0755 0:0 usr/local/", "d0755 0:0 usr/local/bin/", "-0555 0:0 usr/local/bin/orders"}},
		{"/", []string{"d0755 0:0 usr/", "d0755 0:0 usr/local/", "d0755 0:0 usr/local/bin/", "-0555 0:0 usr/local/bin/orders"}},
		{"/usr/local", []string{"d0755 0:0 usr/", "d0755 0:0 usr/local/", "d0755 0:0 usr/local/bin/", "-0555 0:0 usr/local/bin/orders"}},
		// The folder is the base's, with its owner and its mode, when it holds something new.
		{"/home/nonroot/data", []string{"d0755 0:0 home/", "d0700 65532:65532 home/nonroot/", "d0755 0:0 home/nonroot/data/",
			"d0755 0:0 usr/", "d0755 0:0 usr/local/", "d0755 0:0 usr/local/bin/", "-0555 0:0 usr/local/bin/orders"}},
	} {
		svc := repository(t)
		svc.Workdir = tt.workdir
		layers := must(assemble(t, svc, Options{}, amd64).(v1.Image).Layers())(t)
		if diff := cmp.Diff(tt.want, listing(t, layers[len(layers)-1])); diff != "" {
			t.Errorf("with the working directory %s the binary's layer is not the expected one (-want +got):\n%s", tt.workdir, diff)
		}
	}
}

// The digest of one image and of an index, of Format 2, in which only binaries differ from 1. If one of them changes,
// every image of every user does: raise Format.
func TestFormat(t *testing.T) {
	if Format != 2 {
		t.Errorf("Format is %d: write the digests of the new one here", Format)
	}
	for _, tt := range []struct {
		name      string
		platforms []v1.Platform
		want      string
	}{
		{"image", []v1.Platform{amd64}, "sha256:b59e2b7ce1ac3cceda10a7ec37aa49e3d0a15616a59b6491c7765a978cec2d00"},
		{"index", []v1.Platform{amd64, arm64}, "sha256:6325ca33c6001898f3dd1b30ad5f1d992f31a1db6dfcc81df80c7dc4e02d768e"},
	} {
		var bins []*binary.Binary
		for i, p := range tt.platforms {
			bins = append(bins, pretended(t, p, noise(uint64(i), 5<<19)))
		}
		made := must(Assemble(context.Background(), orders(t), fixedBase(t), Options{}, bins...))(t)
		if got := digestOf(t, made); got != tt.want {
			t.Errorf("the %s is %s, want %s", tt.name, got, tt.want)
		}
	}
}

// fixedBase is a base that neither a root certificate nor Go can change.
func fixedBase(t testing.TB) *Base {
	t.Helper()
	layer := must(newLayer(context.Background(), []entry{{path: "/tmp", kind: tar.TypeDir, mode: 0o1777}}, "", nil))(t)
	var members []member
	for _, p := range []v1.Platform{amd64, arm64} {
		config := &v1.ConfigFile{OS: p.OS, Architecture: p.Architecture, Created: v1.Time{Time: epoch}}
		members = append(members, member{p, must(newImage(config, nil, mutate.Addendum{Layer: layer}))(t)})
	}
	return must(newBase("fixed", "example.com/fixed", must(newIndex(nil, members))(t)))(t)
}

// Nothing of the machine is in the digest.
func TestAssembleIsTheSameEverywhere(t *testing.T) {
	cache := t.TempDir()
	platforms := []v1.Platform{amd64, arm64}
	want := digestOf(t, assemble(t, orders(t), Options{}, platforms...))
	for _, tt := range []struct {
		name  string
		cores int
		cache string
		alter func(*service.Service)
	}{
		{name: "again"},
		{name: "on one core", cores: 1},
		{name: "on four cores", cores: 4},
		{name: "into an empty cache", cache: cache},
		{name: "from the cache", cache: cache},
		{name: "on one core into an empty cache", cores: 1, cache: filepath.Join(t.TempDir(), "not", "there")},
		{name: "with other modes", alter: func(svc *service.Service) {
			check(t, os.Chmod(filepath.Join(svc.Root, "templates", "index.html"), 0o700))
			check(t, os.Chmod(filepath.Join(svc.Root, "templates"), 0o700))
		}},
		{name: "at another time", alter: func(svc *service.Service) {
			check(t, os.Chtimes(filepath.Join(svc.Root, "templates", "index.html"), time.Unix(1, 0), time.Unix(2, 0)))
		}},
		{name: "with the epoch written out", alter: func(svc *service.Service) { t.Setenv("SOURCE_DATE_EPOCH", "1700000000") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.cores > 0 {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(tt.cores))
			}
			svc := orders(t)
			if tt.alter != nil {
				tt.alter(svc)
			}
			if got := digestOf(t, assemble(t, svc, Options{Cache: tt.cache}, platforms...)); got != want {
				t.Errorf("the digest is %s, want %s", got, want)
			}
		})
	}
}

// What should be in the digest is.
func TestAssembleTellsApart(t *testing.T) {
	seen := map[string]string{digestOf(t, assemble(t, orders(t), Options{}, amd64)): "as it is"}
	for _, tt := range []struct {
		name  string
		opts  Options
		alter func(*service.Service)
	}{
		{name: "path", alter: func(svc *service.Service) { svc.Path = "/src/orders" }},
		{name: "user", alter: func(svc *service.Service) { svc.User = "1:1" }},
		{name: "label", alter: func(svc *service.Service) { svc.Labels["a"] = "b" }},
		{name: "variable", alter: func(svc *service.Service) { svc.Env["A"] = "b" }},
		{name: "argument", alter: func(svc *service.Service) { svc.Args = nil }},
		{name: "port", alter: func(svc *service.Service) { svc.Ports = nil }},
		{name: "working directory", alter: func(svc *service.Service) { svc.Workdir = "/" }},
		{name: "no static files", alter: func(svc *service.Service) { svc.Files = nil }},
		{name: "another static file", alter: func(svc *service.Service) { plant(t, svc.Root, "templates/more") }},
		{name: "a static file's content", alter: func(svc *service.Service) {
			check(t, os.WriteFile(filepath.Join(svc.Root, "templates", "index.html"), []byte("TEMPLATES/index.html"), 0o666))
		}},
		{name: "time", opts: Options{Created: time.Unix(1, 0)}},
	} {
		svc := orders(t)
		if tt.alter != nil {
			tt.alter(svc)
		}
		got := digestOf(t, assemble(t, svc, tt.opts, amd64))
		if as, ok := seen[got]; ok {
			t.Errorf("another %s gives the same digest as %s", tt.name, as)
		}
		seen[got] = tt.name
	}
}

func TestAssembleIndex(t *testing.T) {
	base := must(Builtin())(t)
	idx := must(Assemble(context.Background(), orders(t), base, Options{}, executables(t, arm64, amd64)...))(t).(v1.ImageIndex)
	check(t, validate.Index(idx))
	m := must(idx.IndexManifest())(t)
	want := &v1.IndexManifest{
		SchemaVersion: 2,
		MediaType:     types.OCIImageIndex,
		Manifests: []v1.Descriptor{
			{MediaType: types.OCIManifestSchema1, Platform: &arm64},
			{MediaType: types.OCIManifestSchema1, Platform: &amd64},
		},
		Annotations: map[string]string{
			"org.opencontainers.image.base.name":   "builtin",
			"org.opencontainers.image.base.digest": base.Digest.String(),
		},
	}
	for i := range want.Manifests {
		want.Manifests[i].Digest, want.Manifests[i].Size = m.Manifests[i].Digest, m.Manifests[i].Size
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("the index is not the expected one (-want +got):\n%s", diff)
	}
	var assets []v1.Hash
	for _, d := range m.Manifests {
		img := must(idx.Image(d.Digest))(t)
		config := must(img.ConfigFile())(t)
		if config.Architecture != d.Platform.Architecture {
			t.Errorf("the image for %s says that it is for %s", d.Platform, config.Architecture)
		}
		got := must(img.Manifest())(t).Annotations[baseDigest]
		if want := digestOf(t, must(base.Image(*d.Platform))(t)); got != want {
			t.Errorf("the image for %s names %s as its base, want that platform's own, %s", d.Platform, got, want)
		}
		assets = append(assets, must(must(img.Layers())(t)[1].Digest())(t))
	}
	if assets[0] != assets[1] {
		t.Errorf("the static files are two layers, %v", assets)
	}
	// A platform's image does not depend on the company it keeps.
	alone := must(Assemble(context.Background(), orders(t), base, Options{}, executables(t, amd64)...))(t)
	if diff := cmp.Diff(m.Manifests[1].Digest.String(), digestOf(t, alone)); diff != "" {
		t.Errorf("alone, the image is another (-in index +alone):\n%s", diff)
	}
}

// A platform's bases can differ in the folders above the static files.
func TestAssembleOnBasesThatDiffer(t *testing.T) {
	var members []member
	for p, line := range map[*v1.Platform]string{&amd64: "d0755 0:0 src/", &arm64: "d0700 1:1 src/"} {
		members = append(members, member{*p, dockerImage(t, *p, layerOf(t, types.DockerLayer, line))})
	}
	base := must(newBase("two", "", must(newIndex(nil, members))(t)))(t)
	bins := []*binary.Binary{pretended(t, amd64, []byte("1")), pretended(t, arm64, []byte("2"))}
	idx := must(Assemble(context.Background(), orders(t), base, Options{}, bins...))(t).(v1.ImageIndex)
	var folders []string
	for _, d := range must(idx.IndexManifest())(t).Manifests {
		for _, l := range must(must(idx.Image(d.Digest))(t).Layers())(t)[1:] {
			folders = append(folders, d.Platform.Architecture+" "+listing(t, l)[0])
		}
	}
	want := []string{"amd64 d0755 0:0 src/", "amd64 d0755 0:0 src/", "arm64 d0700 1:1 src/", "arm64 d0700 1:1 src/"}
	if diff := cmp.Diff(want, folders); diff != "" {
		t.Errorf("the folder above is not that of each platform's base (-want +got):\n%s", diff)
	}
}

func TestCreated(t *testing.T) {
	for _, tt := range []struct {
		name    string
		created time.Time
		want    time.Time
	}{
		{"not said", time.Time{}, time.Unix(0, 0)},
		{"to the second", time.Unix(1700000000, 999), time.Unix(1700000000, 0)},
		{"elsewhere", time.Date(2026, 1, 31, 12, 0, 0, 0, time.FixedZone("", 3600)), time.Date(2026, 1, 31, 11, 0, 0, 0, time.UTC)},
	} {
		img := assemble(t, orders(t), Options{Created: tt.created}, amd64).(v1.Image)
		config := must(img.ConfigFile())(t)
		got := []time.Time{config.Created.Time}
		for _, h := range config.History {
			got = append(got, h.Created.Time)
		}
		want := tt.want.UTC()
		// The base's layer is as old as the base.
		if diff := cmp.Diff([]time.Time{want, time.Unix(0, 0).UTC(), want, want}, got); diff != "" {
			t.Errorf("%s: the times are not the expected ones (-want +got):\n%s", tt.name, diff)
		}
		for _, l := range must(img.Layers())(t) {
			nothingVaries(t, l)
		}
	}
}

func TestAssembleRefuses(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	base := dockerBase(t, "d0755 0:0 usr/", "-0644 0:0 usr/file", "l0777 0:0 bin -> usr/bin", "d0755 0:0 opt/")
	for _, tt := range []struct {
		name string
		ctx  context.Context
		bins []v1.Platform
		path string
		work string
		tell []string
	}{
		{name: "no binary", bins: []v1.Platform{}, tell: []string{"assembling orders: there is no binary"}},
		{name: "two for a platform", bins: []v1.Platform{amd64, amd64}, tell: []string{"assembling orders: there are two binaries for linux/amd64"}},
		{name: "two spellings of a platform", bins: []v1.Platform{{OS: "linux", Architecture: "amd64", Variant: "v1"}, amd64},
			tell: []string{"assembling orders: there are two binaries for linux/amd64"}},
		{name: "a platform that the base lacks", bins: []v1.Platform{arm64},
			tell: []string{"assembling orders for linux/arm64: base docker has no image for linux/arm64; it has: linux/amd64"}},
		{name: "a file of the base", path: "/usr/file",
			tell: []string{"the binary cannot stand at /usr/file: the base docker has a file there"}},
		{name: "a folder of the base", path: "/opt",
			tell: []string{"the binary cannot stand at /opt: the base docker has a folder there"}},
		{name: "below a file of the base", path: "/usr/file/orders",
			tell: []string{"the binary cannot stand at /usr/file/orders: the base docker has a file at /usr/file"}},
		{name: "below a link of the base", path: "/bin/orders",
			tell: []string{"the binary cannot stand at /bin/orders: the base docker has a symbolic link at /bin"}},
		{name: "in the place of a link of the base", path: "/bin",
			tell: []string{"the binary cannot stand at /bin: the base docker has a symbolic link there"}},
		{name: "the working directory is a file", work: "/usr/file",
			tell: []string{"the working directory cannot stand at /usr/file: the base docker has a file there"}},
		{name: "the working directory is the binary", work: "/usr/local/bin/orders",
			tell: []string{"cannot stand at /usr/local/bin/orders"}},
		{name: "told to stop", ctx: cancelled, tell: []string{context.Canceled.Error()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			svc := repository(t)
			if tt.path != "" {
				svc.Path = tt.path
			}
			svc.Workdir = tt.work
			if tt.bins == nil {
				tt.bins = []v1.Platform{amd64}
			}
			if tt.ctx == nil {
				tt.ctx = context.Background()
			}
			var bins []*binary.Binary
			for _, p := range tt.bins {
				bins = append(bins, pretended(t, p, []byte("binary")))
			}
			_, err := Assemble(tt.ctx, svc, base, Options{}, bins...)
			mentions(t, err, tt.tell...)
		})
	}
}

// What package binary looked at is what goes into the image, or nothing does.
func TestAssembleRefusesAnAlteredBinary(t *testing.T) {
	for _, tt := range []struct {
		name  string
		alter func(*binary.Binary) error
		tell  string
	}{
		{"other bytes", func(b *binary.Binary) error { return os.WriteFile(b.Path, []byte("BINARY"), 0o600) }, "was altered: its digest is sha256:"},
		{"fewer bytes", func(b *binary.Binary) error { return os.Truncate(b.Path, 3) }, "is cut short: 3 bytes, want 6"},
		{"more bytes", func(b *binary.Binary) error { return os.WriteFile(b.Path, []byte("binary+"), 0o600) }, "the binary is longer than the 6 bytes it was"},
		{"gone", func(b *binary.Binary) error { return os.Remove(b.Path) }, "no such file"},
	} {
		for _, cache := range []string{"", t.TempDir()} {
			bin := pretended(t, amd64, []byte("binary"))
			check(t, tt.alter(bin))
			_, err := Assemble(context.Background(), repository(t), must(Builtin())(t), Options{Cache: cache}, bin)
			mentions(t, err, "assembling orders for linux/amd64: writing /usr/local/bin/orders: ", tt.tell)
			if cache != "" {
				if left := temps(t, cache); len(left) > 0 {
					t.Errorf("%s: the cache keeps %q", tt.name, left)
				}
			}
		}
	}
}
