package image

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	archives "github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// loaded returns the image of that tag as an engine that reads manifest.json
// has it.
func loaded(t testing.TB, file, tag string) v1.Image {
	t.Helper()
	ref := must(name.NewTag(tag))(t)
	img := must(archives.ImageFromPath(file, &ref))(t)
	check(t, validate.Image(img))
	return img
}

// sameImage compares all that an engine runs: the manifest is docker's own.
func sameImage(t testing.TB, want, got v1.Image) {
	t.Helper()
	if diff := cmp.Diff(string(must(want.RawConfigFile())(t)), string(must(got.RawConfigFile())(t))); diff != "" {
		t.Errorf("the configuration is not the expected one (-want +got):\n%s", diff)
	}
	layers := func(img v1.Image) []string {
		var all []string
		for _, l := range must(img.Layers())(t) {
			all = append(all, digestOf(t, l))
		}
		return all
	}
	if diff := cmp.Diff(layers(want), layers(got)); diff != "" {
		t.Errorf("the layers are not the expected ones (-want +got):\n%s", diff)
	}
}

func TestWriteTarball(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.tar")
	one, two := assemble(t, orders(t), Options{}, amd64).(v1.Image), small(t, "two")
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: two, Descriptor: v1.Descriptor{Platform: &amd64}})
	check(t, WriteTarball(file, Entry{Name: "orders", Artifact: one}, Entry{Name: "acme/web", Artifact: index}))
	sameImage(t, one, loaded(t, file, "orders:latest"))
	sameImage(t, two, loaded(t, file, "acme/web:latest"))

	// What lies in it, and that it is an OCI layout as well.
	dir := t.TempDir()
	names := untar(t, file, dir)
	entries := must(Read(dir))(t)
	for i, want := range []v1.Image{one, two} {
		if got := digestOf(t, entries[i].Artifact); got != digestOf(t, want) {
			t.Errorf("entry %d of the layout is %s, want %s", i, got, digestOf(t, want))
		}
	}
	annotations := []map[string]string{}
	for _, d := range indexOf(t, dir).Manifests {
		annotations = append(annotations, d.Annotations)
		if want := types.MediaType(must(entries[len(annotations)-1].Artifact.MediaType())(t)); d.MediaType != want {
			t.Errorf("the manifest is called %s, want %s", d.MediaType, want)
		}
	}
	wantAnnotations := []map[string]string{
		{refName: "latest", "io.containerd.image.name": "docker.io/library/orders:latest"},
		{refName: "latest", "io.containerd.image.name": "docker.io/acme/web:latest"},
	}
	if diff := cmp.Diff(wantAnnotations, annotations); diff != "" {
		t.Errorf("the images are not named as containerd wants it (-want +got):\n%s", diff)
	}
	if folders := 2; len(names) != len(snapshot(t, dir))+folders {
		t.Errorf("the archive holds something twice: %q", names)
	}
	var list []archived
	check(t, json.Unmarshal(must(os.ReadFile(filepath.Join(dir, manifestFile)))(t), &list))
	if diff := cmp.Diff([]string{"orders:latest"}, list[0].RepoTags); diff != "" {
		t.Errorf("the first image is not tagged as expected (-want +got):\n%s", diff)
	}

	// The same bytes again, in place of what was there.
	want := sum(must(os.ReadFile(file))(t))
	check(t, os.WriteFile(file, []byte("old"), 0o666))
	check(t, WriteTarball(file, Entry{Name: "orders", Artifact: one}, Entry{Name: "acme/web", Artifact: index}))
	if got := sum(must(os.ReadFile(file))(t)); got != want {
		t.Errorf("written again, the archive is %s, want %s", got, want)
	}
}

// untar unpacks an archive and returns the names in it.
func untar(t testing.TB, file, dir string) []string {
	t.Helper()
	f := must(os.Open(file))(t)
	defer f.Close()
	var names []string
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		check(t, err)
		names = append(names, h.Name)
		if h.Typeflag == tar.TypeDir {
			continue
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		check(t, os.MkdirAll(filepath.Dir(path), 0o777))
		check(t, os.WriteFile(path, must(io.ReadAll(r))(t), 0o666))
	}
}

func TestWriteTarballRefuses(t *testing.T) {
	img := small(t, "a")
	broken := errors.New("broken")
	failing := must(mutate.AppendLayers(img, &failingLayer{must(img.Layers())(t)[0], broken}))(t)
	altered := must(mutate.AppendLayers(small(t, "b"), &alteredLayer{must(img.Layers())(t)[1], func(b []byte) []byte { b[0] ^= 1; return b }}))(t)
	cut := must(mutate.AppendLayers(small(t, "b"), &alteredLayer{must(img.Layers())(t)[1], func(b []byte) []byte { return b[1:] }}))(t)
	for _, tt := range []struct {
		name    string
		entries []Entry
		tell    string
	}{
		{"two platforms", []Entry{{Name: "a", Artifact: assemble(t, orders(t), Options{}, amd64, arm64)}},
			"a: a tarball holds one platform and the image has 2; choose one with --platform"},
		{"no image", []Entry{{Name: "a", Artifact: unknown{}}}, "a: image.unknown is no image"},
		{"no name", []Entry{{Artifact: img}}, "an image needs a name to be kept by"},
		{"a name twice", []Entry{{Name: "a", Artifact: img}, {Name: "a", Artifact: img}}, "two images are named a"},
		{"a name that is no tag", []Entry{{Name: "A B", Artifact: img}}, "A B"},
		{"a layer that breaks off", []Entry{{Name: "a", Artifact: failing}}, "broken"},
		{"a layer altered", []Entry{{Name: "a", Artifact: altered}}, "was altered"},
		{"a layer cut short", []Entry{{Name: "a", Artifact: cut}}, "is cut short"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "x.tar")
			check(t, os.WriteFile(file, []byte("before"), 0o666))
			mentions(t, WriteTarball(file, tt.entries...), tt.tell)
			if diff := cmp.Diff(map[string]string{"/x.tar": sum([]byte("before")).Hex}, snapshot(t, dir)); diff != "" {
				t.Errorf("the folder is not what it was (-want +got):\n%s", diff)
			}
		})
	}
	dir := t.TempDir() // a folder in its place
	plant(t, dir, "x.tar/in-the-way")
	if err := WriteTarball(filepath.Join(dir, "x.tar"), Entry{Name: "a", Artifact: img}); err == nil {
		t.Error("the archive was written over a folder")
	}
	if left := temps(t, dir); len(left) > 0 {
		t.Errorf("the folder keeps %q", left)
	}
	mentions(t, WriteTarball(filepath.Join(t.TempDir(), "not", "there", "x.tar"), Entry{Name: "a", Artifact: img}), "no such file")
}
