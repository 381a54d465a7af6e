package image

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	layouts "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"temper/pipeline/evidence"
)

// small returns an image of two layers; each seed has one of its own and one
// in common with the others.
func small(t testing.TB, seed string) v1.Image {
	t.Helper()
	return dockerImage(t, amd64, layerOf(t, types.DockerLayer, "-0644 0:0 common"), layerOf(t, types.DockerLayer, "-0644 0:0 "+seed))
}

// state makes a statement about the artifacts, with a text for its predicate.
func state(t testing.TB, predicateType, text, name string, about ...artifact) *evidence.Statement {
	t.Helper()
	var digests []v1.Hash
	for _, a := range about {
		digests = append(digests, must(a.Digest())(t))
	}
	return must(evidence.State(predicateType, map[string]string{"text": text}, name, digests...))(t)
}

// sign makes what stands for a signature: a referrer that is no statement.
func sign(t testing.TB, text string, about artifact) v1.Image {
	t.Helper()
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.example.signature")
	img = must(mutate.AppendLayers(img, static.NewLayer([]byte(text), "application/vnd.example.bundle")))(t)
	subject := v1.Descriptor{MediaType: must(about.MediaType())(t), Digest: must(about.Digest())(t), Size: must(about.Size())(t)}
	img = mutate.Annotations(img, map[string]string{"text": text}).(v1.Image)
	return mutate.Subject(img, subject).(v1.Image) // last: mutate forgets it
}

// outline says what a layout holds, a line for each entry and each thing that
// is known of it, most of it by what its names are.
func outline(t testing.TB, dir string) []string {
	t.Helper()
	var lines []string
	for _, e := range must(Read(dir))(t) {
		lines = append(lines, e.Name+" "+must(e.Artifact.Digest())(t).Hex[:8])
		for _, s := range e.Statements {
			lines = append(lines, "  "+s.PredicateType+" "+string(s.Predicate))
		}
		for _, r := range e.Referrers {
			lines = append(lines, "  referrer "+must(r.Manifest())(t).Annotations["text"])
		}
	}
	return lines
}

func short(t testing.TB, a artifact) string {
	t.Helper()
	return must(a.Digest())(t).Hex[:8]
}

func indexOf(t testing.TB, dir string) *v1.IndexManifest {
	t.Helper()
	return must(readIndex(dir))(t)
}

func TestWriteAndRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	idx := assemble(t, orders(t), Options{}, amd64, arm64).(v1.ImageIndex)
	m := must(idx.IndexManifest())(t)
	first, second := must(idx.Image(m.Manifests[0].Digest))(t), must(idx.Image(m.Manifests[1].Digest))(t)
	img := small(t, "a")
	want := []Entry{
		{
			Name:     "orders",
			Artifact: idx,
			Statements: []*evidence.Statement{
				state(t, evidence.Provenance, "all", "orders", idx, first, second),
				state(t, evidence.SPDX, "2", "orders", second), // by predicate type, then by their bytes
				state(t, evidence.SPDX, "1", "orders", first),
			},
			Referrers: []v1.Image{sign(t, "of the index", idx)},
		},
		{Name: "web", Artifact: img, Statements: []*evidence.Statement{state(t, evidence.TestResult, "3", "web", img)}},
	}
	check(t, Write(dir, want[1], want[0]))

	got := must(Read(dir))(t)
	plain := cmp.Transformer("artifact", func(a mutate.Appendable) string { return digestOf(t, a) })
	if diff := cmp.Diff(want, got, plain); diff != "" {
		t.Errorf("what is read is not what was written (-want +got):\n%s", diff)
	}
	check(t, validate.Index(got[0].Artifact.(v1.ImageIndex)))
	check(t, validate.Image(got[1].Artifact.(v1.Image)))

	// The same in the words of the specification: every statement is a referrer
	// of each image that it is about.
	about := make(map[string]int)
	for _, d := range indexOf(t, dir).Manifests {
		if d.ArtifactType == string(evidence.MediaType) {
			subject, _ := blobs(dir).subject(d)
			about[subject.String()+" "+d.Annotations[evidence.PredicateTypeAnnotation]]++
		}
	}
	wantAbout := map[string]int{
		digestOf(t, idx) + " " + evidence.Provenance:    1,
		digestOf(t, first) + " " + evidence.Provenance:  1,
		digestOf(t, second) + " " + evidence.Provenance: 1,
		digestOf(t, first) + " " + evidence.SPDX:        1,
		digestOf(t, second) + " " + evidence.SPDX:       1,
		digestOf(t, img) + " " + evidence.TestResult:    1,
	}
	if diff := cmp.Diff(wantAbout, about); diff != "" {
		t.Errorf("index.json does not have the expected referrers (-want +got):\n%s", diff)
	}

	// Of a single image index.json says what it is for, as the index itself says
	// of those in it; other tools choose by that.
	for _, d := range indexOf(t, dir).Manifests {
		switch d.Annotations[refName] {
		case "orders":
			if d.Platform != nil {
				t.Errorf("the index is said to be for %s", d.Platform)
			}
		case "web":
			if d.Platform == nil || d.Platform.String() != "linux/amd64" {
				t.Errorf("the image is said to be for %v, want linux/amd64", d.Platform)
			}
		}
	}

	// Another reader understands it.
	other := must(layouts.FromPath(dir))(t)
	check(t, validate.Image(must(other.Image(must(img.Digest())(t)))(t)))
	if diff := cmp.Diff(mark, string(must(os.ReadFile(filepath.Join(dir, "oci-layout")))(t))); diff != "" {
		t.Errorf("the mark is not the specification's (-want +got):\n%s", diff)
	}
}

// To write what was read changes nothing, and neither does the order.
func TestWriteIsDeterministic(t *testing.T) {
	img, other := small(t, "a"), small(t, "b")
	entries := []Entry{
		{Name: "a", Artifact: img, Statements: []*evidence.Statement{state(t, evidence.SPDX, "1", "a", img)}, Referrers: []v1.Image{sign(t, "s", img), sign(t, "s", img)}},
		{Name: "b", Artifact: other, Statements: []*evidence.Statement{state(t, evidence.SPDX, "2", "b", other)}},
	}
	dir := t.TempDir()
	check(t, Write(dir, entries...))
	want := snapshot(t, dir)
	again := map[string]func(dir string) error{
		"turned around": func(dir string) error { return Write(dir, entries[1], entries[0]) },
		"one by one":    func(dir string) error { return errors.Join(Write(dir, entries[1]), Write(dir, entries[0])) },
		"twice":         func(dir string) error { return errors.Join(Write(dir, entries...), Write(dir, entries...)) },
		"read and written": func(dir string) error {
			return errors.Join(Write(dir, entries...), Write(dir, must(Read(dir))(t)...))
		},
	}
	for name, write := range again {
		dir := t.TempDir()
		check(t, write(dir))
		if diff := cmp.Diff(want, snapshot(t, dir)); diff != "" {
			t.Errorf("%s, the layout is another (-want +got):\n%s", name, diff)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	img, other := small(t, "a"), small(t, "b")
	for _, tt := range []struct {
		name    string
		entries []Entry
		tell    string
	}{
		{"no name", []Entry{{Artifact: img}}, "an image needs a name to be kept by"},
		{"a name twice", []Entry{{Name: "a", Artifact: img}, {Name: "a", Artifact: other}}, "two images are named a"},
		{"no image", []Entry{{Name: "a", Artifact: unknown{}}}, "a: image.unknown is neither an image nor an index"},
		{"a statement about another image", []Entry{{Name: "a", Artifact: img, Statements: []*evidence.Statement{state(t, evidence.SPDX, "1", "a", other)}}},
			"a: the statement https://spdx.dev/Document is about another image than " + digestOf(t, img)},
		{"a signature of another image", []Entry{{Name: "a", Artifact: img, Referrers: []v1.Image{sign(t, "s", other)}}},
			"a: a referrer is about another image than " + digestOf(t, img)},
		{"a referrer that refers to nothing", []Entry{{Name: "a", Artifact: img, Referrers: []v1.Image{other}}},
			"a: a referrer is about another image than " + digestOf(t, img)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			check(t, Write(dir, Entry{Name: "before", Artifact: small(t, "c")}))
			want := snapshot(t, dir)
			mentions(t, Write(dir, tt.entries...), tt.tell)
			if diff := cmp.Diff(want, snapshot(t, dir)); diff != "" {
				t.Errorf("the layout is not what it was (-want +got):\n%s", diff)
			}
		})
	}
}

// A folder that holds something else is refused and left alone.
func TestWriteRefusesOtherFolders(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		tell  string
	}{
		{"sources", map[string]string{"main.go": "package main"}, "is not an OCI layout and not empty (it holds main.go); choose another folder"},
		{"a hidden file", map[string]string{".git": ""}, "it holds .git"},
		{"sources beside what a writer begins with", map[string]string{lockFile: "", "main.go": ""}, "it holds main.go"},
		{"a layout of another version", map[string]string{markFile: `{"imageLayoutVersion":"2.0.0"}`}, `is an OCI layout of version "2.0.0", want 1.0.0`},
		{"a mark that is none", map[string]string{markFile: `hello`}, "invalid character"},
		{"another kind of index", map[string]string{markFile: mark, indexFile: `{}`}, "index.json is not an OCI index"},
		{"an index of docker's", map[string]string{markFile: mark, indexFile: `{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json"}`},
			"index.json is not an OCI index"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range tt.files {
				check(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666))
			}
			want := snapshot(t, dir)
			mentions(t, Write(dir, Entry{Name: "a", Artifact: small(t, "a")}), dir, tt.tell)
			if diff := cmp.Diff(want, snapshot(t, dir)); diff != "" {
				t.Errorf("the folder is not what it was (-want +got):\n%s", diff)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(file, nil, 0o666))
	mentions(t, Write(file, Entry{Name: "a", Artifact: small(t, "a")}), file)
}

// What a writer begins with is no reason to refuse the folder, and what an
// interrupted one has left goes away.
func TestWriteAfterAnInterruptedBeginning(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{lockFile, tempPrefix + "half"} {
		check(t, os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o666))
	}
	img := small(t, "a")
	check(t, Write(dir, Entry{Name: "a", Artifact: img}))
	if diff := cmp.Diff([]string{"a " + short(t, img)}, outline(t, dir)); diff != "" {
		t.Errorf("the layout does not hold the expected entries (-want +got):\n%s", diff)
	}
	if left := temps(t, dir); len(left) > 0 {
		t.Errorf("the layout keeps %q", left)
	}
}

// Writers wait for one another, and what one adds the other keeps.
func TestConcurrentWriters(t *testing.T) {
	const writers, rounds = 4, 4
	dir := filepath.Join(t.TempDir(), "oci")
	entries := make(map[string]Entry)
	var want []string
	for w := range writers {
		for r := range rounds {
			name := fmt.Sprintf("s%d-%d", w, r)
			img := small(t, name)
			s := state(t, evidence.SPDX, name, name, img)
			entries[name] = Entry{Name: name, Artifact: img, Statements: []*evidence.Statement{s}}
			want = append(want, name+" "+short(t, img), "  "+s.PredicateType+" "+string(s.Predicate))
		}
	}
	var group sync.WaitGroup
	errs := make([]error, writers)
	for w := range writers {
		group.Go(func() {
			for r := range rounds {
				errs[w] = errors.Join(errs[w], Write(dir, entries[fmt.Sprintf("s%d-%d", w, r)]))
			}
		})
	}
	group.Wait()
	check(t, errors.Join(errs...))
	if diff := cmp.Diff(want, outline(t, dir)); diff != "" {
		t.Errorf("the layout does not hold what was written (-want +got):\n%s", diff)
	}
	for _, e := range must(Read(dir))(t) {
		check(t, validate.Image(e.Artifact.(v1.Image)))
	}
	if left := temps(t, dir); len(left) > 0 {
		t.Errorf("the layout keeps %q", left)
	}
}

// A failing entry takes what it has written along, also what the entries before
// it have.
func TestWriteUndoes(t *testing.T) {
	img := small(t, "a")
	broken := errors.New("broken")
	layers := must(img.Layers())(t)
	failing := must(mutate.AppendLayers(small(t, "b"), &failingLayer{layers[0], broken}))(t)
	entries := []Entry{
		{Name: "good", Artifact: small(t, "c")},
		{Name: "bad", Artifact: failing},
	}

	dir := t.TempDir()
	check(t, Write(dir, Entry{Name: "before", Artifact: img}))
	want := snapshot(t, dir)
	if err := Write(dir, entries...); !errors.Is(err, broken) {
		t.Fatalf("the error is %v, want %v", err, broken)
	}
	if diff := cmp.Diff(want, snapshot(t, dir)); diff != "" {
		t.Errorf("the layout is not what it was (-want +got):\n%s", diff)
	}

	// A new layout is an empty one then, and can be written.
	dir = filepath.Join(t.TempDir(), "new")
	if err := Write(dir, entries...); !errors.Is(err, broken) {
		t.Fatalf("the error is %v, want %v", err, broken)
	}
	if diff := cmp.Diff([]string{"/oci-layout"}, slices.Sorted(maps.Keys(snapshot(t, dir)))); diff != "" {
		t.Errorf("the new layout holds something (-want +got):\n%s", diff)
	}
	check(t, Write(dir, entries[0]))
}

// What was damaged before a writer that fails is whole after it.
func TestWriteKeepsWhatItRepaired(t *testing.T) {
	img := small(t, "a")
	dir := t.TempDir()
	check(t, Write(dir, Entry{Name: "before", Artifact: img}))
	want := snapshot(t, dir)
	check(t, flip(blobs(dir).name(must(img.Manifest())(t).Layers[0].Digest)))
	broken := errors.New("broken")
	failing := must(mutate.AppendLayers(small(t, "b"), &failingLayer{must(img.Layers())(t)[0], broken}))(t)
	if err := Write(dir, Entry{Name: "bad", Artifact: failing}); !errors.Is(err, broken) {
		t.Fatalf("the error is %v, want %v", err, broken)
	}
	if diff := cmp.Diff(want, snapshot(t, dir)); diff != "" {
		t.Errorf("the layout is not whole (-want +got):\n%s", diff)
	}
}

// A failingLayer breaks off in the middle of what it is.
type failingLayer struct {
	v1.Layer
	err error
}

func (f *failingLayer) Digest() (v1.Hash, error) { return sum([]byte("failing")), nil }
func (f *failingLayer) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(strings.NewReader("half"), &failingReader{f.err})), nil
}

type failingReader struct{ err error }

func (f *failingReader) Read([]byte) (int, error) { return 0, f.err }

// Not even index.json can be replaced in a folder that nobody may write to.
func TestWriteUndoesWithoutIndex(t *testing.T) {
	dir := t.TempDir()
	check(t, Write(dir, Entry{Name: "before", Artifact: small(t, "a")}))
	want := snapshot(t, dir)
	check(t, os.Remove(filepath.Join(dir, indexFile)))
	check(t, os.MkdirAll(filepath.Join(dir, indexFile, "in the way"), 0o777))
	if err := Write(dir, Entry{Name: "after", Artifact: small(t, "b")}); err == nil {
		t.Fatal("there is no error")
	}
	delete(want, "/index.json")
	if diff := cmp.Diff(want, snapshot(t, dir)); diff != "" {
		t.Errorf("the layout is not what it was (-want +got):\n%s", diff)
	}
}

// Whatever is damaged is written again, and then the layout is whole.
func TestWriteRepairs(t *testing.T) {
	img := small(t, "a")
	e := Entry{Name: "a", Artifact: img, Statements: []*evidence.Statement{state(t, evidence.SPDX, "1", "a", img)}}
	dir := t.TempDir()
	check(t, Write(dir, e))
	want := snapshot(t, dir)
	damages := map[string]func(string) error{
		"altered":   flip,
		"cut short": func(file string) error { return os.Truncate(file, 1) },
		"longer":    func(file string) error { return os.WriteFile(file, make([]byte, 1<<20), 0o666) },
		"gone":      os.Remove,
	}
	if runtime.GOOS != "windows" {
		damages["a link out of the layout"] = func(file string) error {
			outside := filepath.Join(t.TempDir(), "same bytes")
			return errors.Join(os.Rename(file, outside), os.Symlink(outside, file))
		}
	}
	for damage, do := range damages {
		for name := range want {
			if !strings.HasPrefix(name, "/blobs/") {
				continue
			}
			check(t, do(filepath.Join(dir, name)))
			check(t, Write(dir, e))
			if diff := cmp.Diff(want, snapshot(t, dir)); diff != "" {
				t.Errorf("with %s %s, the layout is not whole again (-want +got):\n%s", name, damage, diff)
			}
			if info := must(os.Lstat(filepath.Join(dir, name)))(t); !info.Mode().IsRegular() {
				t.Errorf("with %s %s, it is no regular file now", name, damage)
			}
		}
	}
}

// An image that is not what it says is not written.
func TestWriteRefusesAlteredLayers(t *testing.T) {
	img := small(t, "a")
	for name, layer := range map[string]v1.Layer{
		"altered":   &alteredLayer{must(img.Layers())(t)[0], func(b []byte) []byte { b[0] ^= 1; return b }},
		"cut short": &alteredLayer{must(img.Layers())(t)[0], func(b []byte) []byte { return b[:len(b)-1] }},
		"longer":    &alteredLayer{must(img.Layers())(t)[0], func(b []byte) []byte { return append(b, 0) }},
	} {
		dir := t.TempDir()
		err := Write(dir, Entry{Name: "a", Artifact: must(mutate.AppendLayers(empty.Image, layer))(t)})
		mentions(t, err, "writing "+dir+": a: blob "+digestOf(t, layer))
		if got := slices.Sorted(maps.Keys(snapshot(t, dir))); len(got) != 1 {
			t.Errorf("after a layer that is %s, the layout holds %q", name, got)
		}
	}
}

type alteredLayer struct {
	v1.Layer
	alter func([]byte) []byte
}

func (a *alteredLayer) Compressed() (io.ReadCloser, error) {
	raw, err := readAll(a.Layer.Compressed())
	return io.NopCloser(strings.NewReader(string(a.alter(raw)))), err
}
