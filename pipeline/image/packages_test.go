package image

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	archives "github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"temper/pipeline/evidence"
	"temper/pipeline/inventory"
)

func names(packages []evidence.Package) []string {
	var list []string
	for _, p := range packages {
		list = append(list, strings.TrimSpace(p.Name+" "+p.Version))
	}
	return list
}

// What Temper says of the files that it puts into an image is what whoever
// unpacks the image finds, with and without a cache, and on the second run.
func TestDescribe(t *testing.T) {
	base := must(Builtin())(t)
	svc := orders(t)
	var first evidence.Image
	cached := Options{Cache: t.TempDir()}
	for i, opts := range []Options{{}, cached, cached} {
		img := must(Assemble(context.Background(), svc, base, opts, pretended(t, amd64, []byte("the binary"))))(t).(v1.Image)
		got := must(base.Describe(img))(t)
		if i == 0 {
			first = got
		}
		if diff := cmp.Diff(first, got); diff != "" {
			t.Errorf("run %d (-first +this):\n%s", i, diff)
		}
		unpacked := must(inventory.Read(context.Background(), img))(t)
		all := append(append([]evidence.File(nil), got.Files...), got.BaseFiles...)
		byPath := cmp.Transformer("byPath", func(list []evidence.File) map[string]evidence.File {
			m := make(map[string]evidence.File)
			for _, f := range list {
				m[f.Path] = f
			}
			return m
		})
		if diff := cmp.Diff(unpacked.Files, all, byPath); diff != "" {
			t.Errorf("files (-unpacked +described):\n%s", diff)
		}
		if got.Digest.String() != digestOf(t, img) || got.Platform != "linux/amd64" {
			t.Errorf("it is %s for %s", got.Digest, got.Platform)
		}
	}
	var own []string
	for _, f := range first.Files {
		own = append(own, f.Path)
	}
	if diff := cmp.Diff([]string{"/src/templates/index.html", "/src/templates/run.sh", "/src/server"}, own); diff != "" {
		t.Errorf("the service's own files (-want +got):\n%s", diff)
	}
	want := []string{"temper-builtin 1", "tzdata 2025c", "golang.org/x/crypto/x509roots/fallback " + RootsVersion}
	if diff := cmp.Diff(want, names(first.Packages)); diff != "" {
		t.Errorf("packages of the built-in base (-want +got):\n%s", diff)
	}
}

// Of another base the databases tell, and a base whose database cannot be read
// is none.
func TestDescribeOtherBases(t *testing.T) {
	layer := func(files ...string) v1.Layer {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		for i := 0; i < len(files); i += 2 {
			check(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: files[i], Size: int64(len(files[i+1])), Mode: 0o644}))
			must(io.WriteString(w, files[i+1]))(t)
		}
		check(t, w.Close())
		return must(archives.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil }))(t)
	}
	bin := pretended(t, amd64, []byte("the binary"))
	good := must(newBase("distroless", "", dockerImage(t, amd64, layer(
		"etc/os-release", "ID=debian\nVERSION_ID=13\n",
		"var/lib/dpkg/status.d/netbase", "Package: netbase\nVersion: 6.5\nArchitecture: all\n",
		"var/lib/rpm/rpmdb.sqlite", "SQLite format 3"))))(t)
	img := must(Assemble(context.Background(), repository(t), good, Options{}, bin))(t).(v1.Image)
	got := must(good.Describe(img))(t)
	if diff := cmp.Diff([]string{"debian 13", "netbase 6.5"}, names(got.Packages)); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/var/lib/rpm/rpmdb.sqlite"}, got.Unread); diff != "" {
		t.Errorf("databases that nobody read (-want +got):\n%s", diff)
	}
	if len(got.BaseFiles) > 0 || len(got.Files) != 1 {
		t.Errorf("files are %v and of the base %v, want the binary and none", got.Files, got.BaseFiles)
	}
	bad := must(newBase("odd", "", dockerImage(t, amd64, layer("var/lib/dpkg/status.d/netbase", "netbase\n"))))(t)
	if _, err := Assemble(context.Background(), repository(t), bad, Options{}, bin); err == nil || !strings.Contains(err.Error(), "packages of the base odd: reading /var/lib/dpkg/status.d/netbase: line 1") {
		t.Errorf("a base whose database is broken: %v", err)
	}
	if _, err := bad.Describe(img); err == nil {
		t.Error("the image of another base is described")
	}
}

func TestBuiltinPackages(t *testing.T) {
	onBuiltin := assemble(t, repository(t), Options{}, arm64).(v1.Image)
	if got := must(BuiltinPackages(onBuiltin))(t); len(got) != 3 {
		t.Errorf("an image on the built-in base has its packages %v", got)
	}
	if got := must(BuiltinPackages(dockerImage(t, amd64, layerOf(t, types.DockerLayer, "d0755 0:0 etc/"))))(t); got != nil {
		t.Errorf("another image has the built-in base's packages %v", got)
	}
}
