package image

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"temper/checks/memory"
	"temper/pipeline/store"
)

// A layer that was found whole in a layout is not read again to write the layout, by this
// process or the next, until somebody touches it, whatever time the file is given then.
func TestForesee(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "layout")
	folder := must(memory.OpenAs(t.TempDir(), "this program"))(t)
	img := small(t, "one")
	entry := Entry{Name: "one", Artifact: img}
	layer := must(img.Manifest())(t).Layers[0]
	name := blobs(dir).name(layer.Digest)
	// foreseen tells whether the layer is known after a look by another process.
	foreseen := func(kept *memory.Folder) bool {
		whole.Clear()
		Foresee(dir, img, kept)
		return blobs(dir).untouched(layer.Digest, layer.Size)
	}
	if foreseen(folder) {
		t.Error("a layer that is not there is known")
	}
	check(t, Write(dir, entry))
	info := must(os.Lstat(name))(t)
	if store.Stamp(info) == "" {
		t.Skip("this system does not tell whether somebody has touched a file")
	}
	if foreseen(folder) {
		t.Error("a file that was written just now is taken for known")
	}
	time.Sleep(2 * store.Grace)
	for _, kept := range []*memory.Folder{folder, folder, nil} {
		if !foreseen(kept) {
			t.Fatal("a layer that is whole is not known")
		}
	}
	if blobs(dir).untouched(layer.Digest, layer.Size+1) {
		t.Error("of another size, it is known as well")
	}
	check(t, flip(name))
	check(t, os.Chtimes(name, info.ModTime(), info.ModTime()))
	if blobs(dir).untouched(layer.Digest, layer.Size) {
		t.Error("what was altered is known, with its time put back")
	}
	time.Sleep(2 * store.Grace)
	for _, kept := range []*memory.Folder{folder, nil} {
		if foreseen(kept) {
			t.Error("what was altered is found whole")
		}
	}
	check(t, Write(dir, entry))
	if _, ok := blobs(dir).intact(layer.Digest, layer.Size); !ok {
		t.Error("what was altered was left as it is")
	}
}

// What is kept of one layer says nothing of another, or of the same in another place.
func TestForeseeKeepsPlacesApart(t *testing.T) {
	folder := must(memory.OpenAs(t.TempDir(), "this program"))(t)
	one, two := t.TempDir(), t.TempDir()
	img := small(t, "one")
	layer := must(img.Manifest())(t).Layers[0]
	check(t, Write(one, Entry{Name: "one", Artifact: img}))
	check(t, Write(two, Entry{Name: "one", Artifact: img}))
	check(t, flip(blobs(two).name(layer.Digest)))
	time.Sleep(2 * store.Grace)
	Foresee(one, img, folder)
	Foresee(two, img, folder)
	if blobs(two).untouched(layer.Digest, layer.Size) {
		t.Error("a layer is taken for that of another layout")
	}
}
