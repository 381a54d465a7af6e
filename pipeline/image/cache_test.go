package image

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"temper/pipeline/store"
)

// A layer that the cache does not have as it was is made again, in its place.
func TestCacheRepairs(t *testing.T) {
	entries := []entry{file("/a", strings.Repeat("a", 5<<19))}
	want := must(newLayer(context.Background(), entries, "", nil))(t)
	dir := t.TempDir()
	must(newLayer(context.Background(), entries, cache(dir), nil))(t)
	key, _, err := keyOf(entries)
	check(t, err)
	// The cache, and apart from it the record, in which a look at the blob may be noted.
	kept := func() (map[string]string, record) {
		t.Helper()
		var r record
		check(t, json.Unmarshal(must(cache(dir).records())(t).Load(key), &r))
		r.Untouched = ""
		files := snapshot(t, dir)
		maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasSuffix(name, "/"+key) })
		return files, r
	}
	whole, noted := kept()
	blob, record := blobs(dir).name(want.digest), must(filepath.Glob(filepath.Join(dir, "layers", "*", key)))(t)[0]
	for _, tt := range []struct {
		name  string
		alter func() error
	}{
		{"as it was", func() error { return nil }},
		{"a blob altered", func() error { return flip(blob) }},
		{"a blob cut short", func() error { return os.Truncate(blob, 100) }},
		{"a blob gone", func() error { return os.Remove(blob) }},
		{"a record altered", func() error { return flip(record) }},
		{"a record of something else", func() error { return os.WriteFile(record, []byte("hello"), 0o600) }},
		{"a record cut short", func() error { return os.Truncate(record, 80) }},
		{"a record gone", func() error { return os.Remove(record) }},
		{"all of it gone", func() error { return os.RemoveAll(dir) }},
	} {
		check(t, tt.alter())
		got := must(newLayer(context.Background(), entries, cache(dir), nil))(t)
		if got.digest != want.digest || got.diffID != want.diffID || got.size != want.size {
			t.Errorf("with %s, the layer is %s of %d bytes, want %s of %d", tt.name, got.digest, got.size, want.digest, want.size)
		}
		check(t, validate.Layer(got))
		files, r := kept()
		if diff := cmp.Diff(whole, files) + cmp.Diff(noted, r); diff != "" {
			t.Errorf("with %s, the cache is not whole again (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A record is believed only whole: one that names a blob that is not there, or that is no
// digest, leads nowhere.
func TestCacheRecord(t *testing.T) {
	entries := []entry{file("/a", "a")}
	dir := t.TempDir()
	want := must(newLayer(context.Background(), entries, cache(dir), nil))(t)
	key, _, err := keyOf(entries)
	check(t, err)
	records := must(cache(dir).records())(t)
	for _, text := range []string{
		"hello", "{}", `{"DiffID":"sha256:../../../x","Digest":"sha256:../../../x"}`,
		`{"DiffID":"` + want.diffID.String() + `","Digest":"sha256:` + strings.Repeat("0", 64) + `"}`,
		`{"DiffID":"` + want.diffID.String() + `","Digest":"` + want.digest.String() + `","Size":1}`,
	} {
		check(t, records.Save(key, []byte(text)))
		if got := must(cache(dir).find(key))(t); got != nil {
			t.Errorf("the record %s led to %s", text, got.digest)
		}
		if got := must(newLayer(context.Background(), entries, cache(dir), nil))(t); got.digest != want.digest {
			t.Errorf("after the record %s, the layer is %s, want %s", text, got.digest, want.digest)
		}
	}
}

// Whatever is in a layer has a say in its key: nothing comes out of the cache for
// something else.
func TestCacheKey(t *testing.T) {
	one := entry{path: "/a", kind: tar.TypeReg, mode: fileMode, uid: 1, gid: 2, size: 1, digest: v1.Hash{Algorithm: "sha256", Hex: "aa"}}
	known := map[string]string{}
	for name, change := range map[string]func(*entry){
		"nothing": func(*entry) {},
		"path":    func(e *entry) { e.path = "/b" },
		"kind":    func(e *entry) { e.kind = tar.TypeDir },
		"mode":    func(e *entry) { e.mode = execMode },
		"user":    func(e *entry) { e.uid = 2 },
		"group":   func(e *entry) { e.gid = 1 },
		"link":    func(e *entry) { e.link = "/b" },
		"size":    func(e *entry) { e.size = 2 },
		"content": func(e *entry) { e.digest.Hex = "ab" },
	} {
		e := one
		change(&e)
		key, _, err := keyOf([]entry{e})
		check(t, err)
		if other, ok := known[key]; ok {
			t.Errorf("%s and %s have the same key", name, other)
		}
		known[key] = name
	}
}

// A file that is not what it was said to be is not kept under that name.
func TestCacheChangedMeanwhile(t *testing.T) {
	e := file("/a", "a")
	e.digest = v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}
	_, err := newLayer(context.Background(), []entry{e}, cache(t.TempDir()), nil)
	mentions(t, err, "/a changed while it was read")
}

// What the cache has is not compressed again.
func TestCacheIsUsed(t *testing.T) {
	entries := []entry{file("/a", "a")}
	dir := t.TempDir()
	first := must(newLayer(context.Background(), entries, cache(dir), nil))(t)
	name := blobs(dir).name(first.digest)
	old := time.Unix(1e9, 0)
	check(t, os.Chtimes(name, old, old))
	before := must(os.Stat(name))(t)
	must(newLayer(context.Background(), entries, cache(dir), nil))(t)
	after := must(os.Stat(name))(t)
	if !os.SameFile(before, after) {
		t.Error("the layer was written again")
	}
	if after.ModTime().Equal(old) {
		t.Error("nobody can tell that the layer is in use")
	}
}

// A layer that changes in the cache after it was taken from there is not passed
// on.
func TestCacheAlteredLater(t *testing.T) {
	dir := t.TempDir()
	img := assemble(t, orders(t), Options{Cache: dir}, amd64).(v1.Image)
	two := assemble(t, orders(t), Options{Cache: dir}, amd64, arm64)
	last := must(img.Manifest())(t).Layers[2].Digest
	for _, artifact := range []mutate.Appendable{img, two} {
		if Altered(artifact) {
			t.Errorf("a layer of the %T is altered, and nobody has touched it", artifact)
		}
	}
	check(t, flip(blobs(dir).name(last)))
	mentions(t, Write(t.TempDir(), Entry{Name: "orders", Artifact: img}), blobs(dir).name(last), "was altered")
	for _, artifact := range []mutate.Appendable{img, two} {
		if !Altered(artifact) {
			t.Errorf("no layer of the %T is altered", artifact)
		}
	}
}

// What an interrupted build has left goes away, but not what another build is
// just writing.
func TestCacheClearsWhatIsHalf(t *testing.T) {
	dir := t.TempDir()
	old, young := filepath.Join(dir, tempPrefix+"old"), filepath.Join(dir, tempPrefix+"young")
	for _, name := range []string{old, young} {
		check(t, os.WriteFile(name, []byte("half"), 0o666))
	}
	long := time.Now().Add(-2 * sweepAge)
	check(t, os.Chtimes(old, long, long))
	must(newLayer(context.Background(), []entry{file("/a", "a")}, cache(dir), nil))(t)
	if diff := cmp.Diff([]string{"/" + tempPrefix + "young"}, temps(t, dir)); diff != "" {
		t.Errorf("the cache does not keep the expected files (-want +got):\n%s", diff)
	}
}

// A blob that nobody has touched since it was found whole is not read for that. One that
// was altered all the same is in no image, and made anew the next time.
func TestCacheUntouched(t *testing.T) {
	dir := t.TempDir()
	entries := []entry{file("/a", "a")}
	want := must(newLayer(context.Background(), entries, cache(dir), nil))(t)
	key, _, err := keyOf(entries)
	check(t, err)
	kept := must(cache(dir).records())(t)
	noted := func() (r record) {
		t.Helper()
		check(t, json.Unmarshal(kept.Load(key), &r))
		return r
	}
	blob := blobs(dir).name(want.digest)
	now := func() string { return store.Stamp(must(os.Lstat(blob))(t)) }
	if now() == "" {
		t.Skip("this system does not tell whether somebody has touched a file")
	}
	if got := noted().Untouched; got != "" {
		t.Errorf("one that was just written is noted as %q", got)
	}
	time.Sleep(2 * store.Grace)
	must(newLayer(context.Background(), entries, cache(dir), nil))(t)
	if got := noted().Untouched; got != now() {
		t.Errorf("after a look at it, it is noted as %q, want %q", got, now())
	}
	times := must(os.Stat(blob))(t).ModTime()
	check(t, flip(blob))
	check(t, os.Chtimes(blob, times, times))
	must(newLayer(context.Background(), entries, cache(dir), nil))(t)
	if _, ok := blobs(dir).intact(want.digest, want.size); !ok {
		t.Error("one that was altered, with its time put back, is not made anew")
	}

	check(t, flip(blob))
	r := noted()
	r.Untouched = now()
	check(t, kept.save(key, r))
	got := must(newLayer(context.Background(), entries, cache(dir), nil))(t)
	_, err = io.Copy(io.Discard, must(got.Compressed())(t))
	mentions(t, err, blob, "was altered")
	got = must(newLayer(context.Background(), entries, cache(dir), nil))(t)
	check(t, validate.Layer(got))
	if got.digest != want.digest {
		t.Errorf("the layer is %s, want %s", got.digest, want.digest)
	}
}

// A layer that was just compressed gives the tar that it was made of, which is the one that
// it holds; one that was found gives none. What changes in between shows.
func TestTarOfWhatWasMade(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(name, noise(1, 3*blockSize), 0o666))
	onDisk := file("/b", "")
	onDisk.size, onDisk.open = 3*blockSize, func() (io.ReadCloser, error) { return os.Open(name) }
	entries := []entry{file("/a", "a"), onDisk}
	first := must(newLayer(context.Background(), entries, cache(dir), nil))(t)
	read := func() v1.Hash {
		t.Helper()
		tar := first.Tar(context.Background())
		defer tar.Close()
		h, _, err := v1.SHA256(tar)
		check(t, err)
		return h
	}
	if got := read(); got != first.diffID {
		t.Errorf("it gives a tar of %s, want %s", got, first.diffID)
	}
	check(t, first.Tar(context.Background()).Close()) // nobody waits for who does not read on
	if got := must(newLayer(context.Background(), entries, cache(dir), nil))(t).Tar(context.Background()); got != nil {
		t.Error("a layer that was found gives a tar")
	}
	check(t, flip(name))
	if got := read(); got == first.diffID {
		t.Error("it does not read what it was made of")
	}
}

// Builds share a cache without a lock.
func TestCacheIsShared(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	layers, errs := make([]*layer, 4), make([]error, 4)
	entries := []entry{file("/a", string(noise(1, 3*blockSize)))}
	for i := range layers {
		group.Go(func() { layers[i], errs[i] = newLayer(context.Background(), entries, cache(dir), nil) })
	}
	group.Wait()
	check(t, errors.Join(errs...))
	want := must(newLayer(context.Background(), entries, "", nil))(t)
	for _, l := range layers {
		if l.digest != want.digest {
			t.Errorf("the layer is %s, want %s", l.digest, want.digest)
		}
		check(t, validate.Layer(l))
	}
	if left := temps(t, dir); len(left) > 0 {
		t.Errorf("the cache keeps %q", left)
	}
}

// A cache that cannot be written is an error, and says which.
func TestCacheCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(file, nil, 0o666))
	_, err := newLayer(context.Background(), nil, cache(file), nil)
	mentions(t, err, "making the layer cache: ", file)
}

// Whoever watches is given the tar of a layer that is compressed, once, and of none that was
// found.
func TestWatch(t *testing.T) {
	entries := []entry{file("/a", string(noise(1, 3*blockSize))), file("/b", "b")}
	dir := cache(t.TempDir())
	var tars []v1.Hash
	var reading sync.WaitGroup
	watch := func(tar io.ReadCloser) {
		reading.Go(func() {
			defer tar.Close()
			h, _, err := v1.SHA256(tar)
			check(t, err)
			tars = append(tars, h)
		})
	}
	first := must(newLayer(context.Background(), entries, dir, watch))(t)
	reading.Wait()
	if diff := cmp.Diff([]v1.Hash{first.diffID}, tars); diff != "" {
		t.Errorf("tars (-want +got):\n%s", diff)
	}
	must(newLayer(context.Background(), entries, dir, watch))(t)
	reading.Wait()
	if len(tars) != 1 {
		t.Errorf("a layer that is there is watched: %v", tars)
	}
}
