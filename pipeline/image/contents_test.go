package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	layouts "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// texts returns a layer that holds text files.
func texts(t testing.TB, files map[string]string) v1.Layer {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		check(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), Typeflag: tar.TypeReg}))
		must(w.Write([]byte(files[name])))(t)
	}
	check(t, w.Close())
	return static.NewLayer(buf.Bytes(), types.DockerUncompressedLayer)
}

// holding is a base whose layers hold text files.
func holding(t testing.TB, config v1.Config, layers ...map[string]string) *Base {
	t.Helper()
	var list []v1.Layer
	for _, files := range layers {
		list = append(list, texts(t, files))
	}
	img := dockerImage(t, amd64, list...)
	file := must(img.ConfigFile())(t).DeepCopy()
	file.Config = config
	return must(newBase("docker", "", must(mutate.ConfigFile(img, file))(t)))(t)
}

const debian = `Package: %s
Version: %s
Architecture: all
Maintainer: Package: somebody <a@example.com>
Description: what it is
 Version: 0 is no field, for it is in the description
`

func TestContents(t *testing.T) {
	base := holding(t, v1.Config{User: "65532"}, map[string]string{
		"var/lib/dpkg/status.d/base-files":         fmt.Sprintf(debian, "base-files", "13.8"),
		"var/lib/dpkg/status.d/base-files.md5sums": "Package: none\nVersion: 1\n",
		"var/lib/dpkg/status.d/tzdata":             fmt.Sprintf(debian, "tzdata", "2026a-0+deb13u1"),
		"var/lib/dpkg/status.d/netbase":            fmt.Sprintf(debian, "netbase", "6.5"),
		"var/lib/dpkg/status": fmt.Sprintf(debian, "removed", "1") + "Status: deinstall ok config-files\n\n" +
			strings.ReplaceAll(fmt.Sprintf(debian, "there", "2")+"Status: install ok installed\n", "\n", "\r\n"),
		"lib/apk/db/installed": "C:Q1abc=\nP:wolfi-baselayout\nV:20230201-r24\nA:x86_64\nF:etc\nR:os-release\n\nP:tzdata\nV:2026a-r0\n\n",
		"etc/passwd":           "root",
		"etc/gone":             "gone",
		"etc/os-release":       "ID=debian\nVERSION_ID=13\n",
	}, map[string]string{
		"var/lib/dpkg/status.d/tzdata":      fmt.Sprintf(debian, "tzdata", "2026b-0+deb13u1"),
		"var/lib/dpkg/status.d/.wh.netbase": "",
		"etc/.wh.gone":                      "",
		"etc/passwd":                        "root and nonroot",
	})
	got := must(base.Contents(context.Background(), amd64))(t)
	want := []string{"base-files 13.8", "debian 13", "there 2", "tzdata 2026a-r0", "tzdata 2026b-0+deb13u1", "wolfi-baselayout 20230201-r24"}
	var names []string
	for _, p := range got.Packages {
		names = append(names, p.Name+" "+p.Version)
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	if got.Files != 7 || got.files["/etc/passwd"].size != int64(len("root and nonroot")) || got.Config.User != "65532" {
		t.Errorf("contents %+v, want 7 files, the last passwd and the user", got)
	}
	builtin := must(must(Builtin())(t).Contents(context.Background(), amd64))(t)
	if len(builtin.Packages) != 3 || builtin.Files < 400 || builtin.Size < 200<<10 {
		t.Errorf("the built-in base has %d files of %d bytes and the packages %v", builtin.Files, builtin.Size, builtin.Packages)
	}
}

func TestContentsTo(t *testing.T) {
	old := holding(t, v1.Config{User: "0", WorkingDir: "/", Env: []string{"PATH=/bin", "LANG=C"}, Entrypoint: []string{"/bin/sh", "-c"}}, map[string]string{
		"var/lib/dpkg/status.d/tzdata":  fmt.Sprintf(debian, "tzdata", "2026a"),
		"var/lib/dpkg/status.d/netbase": fmt.Sprintf(debian, "netbase", "6.5"),
		"etc/same":                      "same",
		"etc/other":                     "one",
	})
	now := holding(t, v1.Config{User: "65532", WorkingDir: "/", Env: []string{"PATH=/bin", "SSL_CERT_FILE=/x"}}, map[string]string{
		"var/lib/dpkg/status.d/tzdata":      fmt.Sprintf(debian, "tzdata", "2026b"),
		"var/lib/dpkg/status.d/media-types": fmt.Sprintf(debian, "media-types", "13"),
		"etc/same":                          "same",
		"etc/other":                         "two",
	})
	a, b := must(old.Contents(context.Background(), amd64))(t), must(now.Contents(context.Background(), amd64))(t)
	got := a.To(b)
	want := &Changes{
		Packages: []Change{{"media-types", "", "13"}, {"netbase", "6.5", ""}, {"tzdata", "2026a", "2026b"}},
		Config: []Change{
			{"entrypoint", `["/bin/sh" "-c"]`, ""}, {"env LANG", "C", ""}, {"env SSL_CERT_FILE", "", "/x"}, {"user", "0", "65532"},
		},
	}
	want.Files.Added, want.Files.Removed, want.Files.Changed = 1, 1, 2
	want.Files.OldSize, want.Files.NewSize = a.Size, b.Size
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if got.None() || !a.To(a).None() {
		t.Error("what differs and what does not is told apart wrongly")
	}
}

// A package database without end is an error, and not a lot of memory.
func TestContentsAreBounded(t *testing.T) {
	base := holding(t, v1.Config{}, map[string]string{"var/lib/dpkg/status": strings.Repeat("x", maxDocument+1)})
	_, err := base.Contents(context.Background(), amd64)
	mentions(t, err, "reading packages of base docker: ", "var/lib/dpkg/status")
}

func TestNewest(t *testing.T) {
	r := newRegistry(t)
	old := dockerImage(t, amd64)
	ref := r.push(t, "base", old)
	now := dockerIndex(t, amd64)
	check(t, remote.WriteIndex(must(name.ParseReference(r.host+"/base:v1"))(t), now))
	repository, digest, _ := strings.Cut(ref, "@")
	for _, tc := range []struct{ base, tag, want string }{
		{repository + ":v1@" + digest, "", repository + ":v1@" + digestOf(t, now)},
		{repository + ":v0@" + digest, "v1", repository + ":v1@" + digestOf(t, now)},
		{ref, "v1", repository + ":v1@" + digestOf(t, now)},
	} {
		if got := must(Newest(context.Background(), tc.base, tc.tag))(t); got != tc.want {
			t.Errorf("newest of %s and %q is %s, want %s", tc.base, tc.tag, got, tc.want)
		}
	}
	if _, err := Newest(context.Background(), ref, ""); !errors.Is(err, ErrNoTag) {
		t.Errorf("without a tag: %v", err)
	}
	for base, want := range map[string]string{
		"builtin":                         "base builtin is no image by digest",
		repository + ":v2@" + digest:      "asking what " + repository + ":v2 names",
		repository + ":no tag/@" + digest: "base " + repository,
	} {
		_, err := Newest(context.Background(), base, "")
		mentions(t, err, want)
	}
}

// Beside a base a layout may hold its signatures, whoever wrote them and how;
// they are no second image.
func TestLayoutBaseWithSignatures(t *testing.T) {
	dir := t.TempDir()
	path := must(layouts.Write(dir, empty.Index))(t)
	base := dockerImage(t, amd64)
	check(t, path.AppendImage(base))
	subject := must(partialDescriptor(base))(t)
	signature := must(mutate.Append(empty.Image, mutate.Addendum{Layer: static.NewLayer([]byte("{}"), "application/vnd.dev.cosign.simplesigning.v1+json")}))(t)
	tag := strings.ReplaceAll(digestOf(t, base), ":", "-") + ".sig"
	check(t, path.AppendImage(signature, layouts.WithAnnotations(map[string]string{refName: tag})))
	check(t, path.AppendImage(must(mutate.Append(signature, mutate.Addendum{Layer: static.NewLayer([]byte("[]"), "application/json")}))(t),
		layouts.WithAnnotations(map[string]string{"kind": "dev.cosignproject.cosign/sigs"})))
	referrer := mutate.Subject(mutate.MediaType(signature, types.OCIManifestSchema1), subject).(v1.Image)
	check(t, path.AppendImage(referrer))
	got := must(OpenBase(context.Background(), dir))(t)
	if got.Digest != subject.Digest || len(got.Attached()) != 3 {
		t.Errorf("the base is %s with %d attached, want %s with 3", got.Digest, len(got.Attached()), subject.Digest)
	}
	if _, ok := got.Remote(); ok {
		t.Error("a layout is said to be in a registry")
	}

	// What cannot be read signs nothing, and is no reason not to build.
	check(t, flip(blobs(dir).name(must(signature.Digest())(t))))
	if got := must(OpenBase(context.Background(), dir))(t); len(got.Attached()) != 2 {
		t.Errorf("%d attached, want the 2 that can be read", len(got.Attached()))
	}
}

func partialDescriptor(img v1.Image) (v1.Descriptor, error) {
	digest, err := img.Digest()
	if err != nil {
		return v1.Descriptor{}, err
	}
	size, err := img.Size()
	return v1.Descriptor{MediaType: types.DockerManifestSchema2, Digest: digest, Size: size}, err
}

func TestRemote(t *testing.T) {
	r := newRegistry(t)
	ref := r.push(t, "base", dockerImage(t, amd64))
	repository, digest, _ := strings.Cut(ref, "@")
	base := must(OpenBase(context.Background(), repository+":v1@"+digest))(t)
	if got, ok := base.Remote(); !ok || got.String() != ref {
		t.Errorf("the base is %s in its registry, %v, want %s", got, ok, ref)
	}
	if _, ok := must(Builtin())(t).Remote(); ok {
		t.Error("the built-in base is said to be in a registry")
	}
}
