package workloads

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"temper/checks/images"
)

// What an image tells of itself, through the links in it.
func TestImageOf(t *testing.T) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, h := range []*tar.Header{
		{Name: "srv/", Typeflag: tar.TypeDir, Mode: 0o750, Gid: 1000},
		{Name: "srv/orders", Typeflag: tar.TypeReg, Mode: 0o550, Uid: 1000, Gid: 1000, Size: 1},
		{Name: "bin", Typeflag: tar.TypeSymlink, Linkname: "srv"},
		{Name: "srv/old", Typeflag: tar.TypeLink, Linkname: "srv/orders"},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte("a")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, l)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	config.Config = v1.Config{
		Entrypoint: []string{"/bin/orders"}, Cmd: []string{"-v"}, User: "1000:1000", WorkingDir: "/srv", Env: []string{"GOMEMLIMIT=100MiB"},
		Volumes: map[string]struct{}{"/data": {}}, ExposedPorts: map[string]struct{}{"8443/tcp": {}, "8080": {}, "53/udp": {}},
	}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	j, err := images.Check(t.Context(), "orders", img, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := ImageOf("orders", j.Images[0])
	for path, want := range map[string]File{
		"/srv": {fs.ModeDir | 0o750, 0, 1000}, "/bin": {fs.ModeDir | 0o750, 0, 1000},
		"/srv/orders": {0o550, 1000, 1000}, "/bin/orders": {0o550, 1000, 1000}, "/bin/old": {0o550, 1000, 1000},
	} {
		if f, ok := got.Look(path); !ok || f != want {
			t.Errorf("%s is %v, %v; want %v", path, f, ok, want)
		}
	}
	if f, ok := got.Look("/srv/other"); ok {
		t.Errorf("/srv/other is %v, and is not there", f)
	}
	got.Look = nil
	want := &Image{
		Name: "orders", Entrypoint: []string{"/bin/orders"}, Command: []string{"-v"}, User: "1000:1000", Workdir: "/srv", Env: []string{"GOMEMLIMIT=100MiB"},
		Writes: []string{"/data"}, Ports: []int{8080, 8443},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the image (-want +got):\n%s", diff)
	}
}
