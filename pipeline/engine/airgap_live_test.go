package engine

import (
	"archive/tar"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"dagger.io/dagger"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// On a real engine, with nothing but what is given: the digest is that of a
// build here on the same base, whether it is a folder or an archive, and no
// registry is asked for anything.
func TestLiveAirGap(t *testing.T) {
	needEngine(t)
	ctx := t.Context()
	command := compiled(t, "linux")
	here := command
	if runtime.GOOS != "linux" {
		here = compiled(t, runtime.GOOS)
	}
	files := t.TempDir() // of the proxy
	dir := consumer(t, proxied(t, files, "corp.test/lib"))
	modules := listen(t)
	server := &http.Server{Handler: http.FileServer(http.Dir(files))}
	go server.Serve(modules)
	t.Cleanup(func() { server.Close() })
	base := ownBase(t)

	// Another session, which may pull, has brought the toolchain. It is for a user
	// of its own, as many a company's is.
	toolchain := filepath.Join(t.TempDir(), "toolchain.tar")
	pulling := new(written)
	before, err := dagger.Connect(ctx, dagger.WithLogOutput(pulling))
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if _, err := before.Container().From(DefaultToolchain).WithUser("1000:1000").AsTarball().Export(ctx, toolchain); err != nil {
		t.Fatal(err)
	}

	log := new(written)
	client, err := dagger.Connect(ctx, dagger.WithLogOutput(log))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	access, err := Access{}.WithGoProxyService(ctx, client.Host().Service([]dagger.PortForward{forwarded(8081, modules)}))
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{
		Toolchain: client.Container().Import(client.Host().File(toolchain)), Temper: client.Host().File(command),
		Access: access, Repository: "live-air-gap",
	}
	want := onLaptopThrough(t, "http://"+modules.Addr().String(), here, dir, "consumer", "--base", base)
	packed := archive(t, base)
	for name, on := range map[string]Options{
		"a folder":   {Base: client.Host().Directory(base)},
		"an archive": {BaseTarball: client.Host().File(packed)},
	} {
		given := opts
		given.Base, given.BaseTarball = on.Base, on.BaseTarball
		p := New(client, client.Host().Directory(dir), given)
		built, err := p.Layout(ctx, "consumer")
		if err != nil {
			t.Fatal(err)
		}
		digests, err := p.Digests(ctx, built)
		if err != nil {
			t.Fatal(err)
		}
		if digests["consumer"] != want {
			t.Errorf("on a base in %s the digest on the engine is %s, on this machine %s", name, digests["consumer"], want)
		}
	}
	client.Close() // and with it goes the rest of the log
	before.Close()
	for _, sign := range []string{"docker.resolver", "HTTP HEAD"} {
		if strings.Contains(log.String(), sign) {
			t.Errorf("something is pulled: the log has %q", sign)
		}
		if !strings.Contains(pulling.String(), sign) {
			t.Errorf("the log of a session that pulls has no %q, so that nothing can be told by it\n%s", sign, pulling.String())
		}
	}
}

// onLaptopThrough is onLaptop with modules from a proxy, into a cache of its
// own.
func onLaptopThrough(t *testing.T, goProxy, command, dir, service string, flags ...string) string {
	t.Helper()
	t.Setenv("GOPROXY", goProxy)
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Cleanup(func() { exec.Command("go", "clean", "-modcache").Run() }) // it is read-only to os.RemoveAll
	return onLaptop(t, command, dir, service, flags...)
}

// ownBase is an OCI layout with an image of one file, as a company's own base
// may be.
func ownBase(t *testing.T) string {
	t.Helper()
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	const text = "our own base\n"
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "etc/base", Size: int64(len(text)), Mode: 0o444}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		t.Fatal(err)
	}
	if image, err = mutate.AppendLayers(image, layer); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	at, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := at.AppendImage(image); err != nil {
		t.Fatal(err)
	}
	return dir
}

// archive is a folder in a tar file.
func archive(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "base.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := tar.NewWriter(f)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}
