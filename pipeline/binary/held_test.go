package binary

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// What was just compiled is read once into memory, one binary at a time; its facts and its
// digest are those of the file.
func TestHeld(t *testing.T) {
	select {
	case <-holding: // another test's, which has not let go
	default:
	}
	build := func(tree string) *Binary {
		t.Helper()
		repo, svc := write(t, folder(t), tree)
		return mustBuild(t, repo, svc, Options{Cache: cache})
	}
	first := build(embedding)
	held := first.Held()
	if held == nil {
		t.Fatal("the first one is not held")
	}
	second := build(embedding)
	if second.Held() != nil {
		t.Error("two are held at a time")
	}
	second.Release() // which does not let go of the other
	if third := build(embedding); third.Held() != nil {
		t.Error("who holds nothing let go of another's")
	}
	first.Release()
	got, err := io.ReadAll(held)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(first.Path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes are held, want the %d of the file", len(got), len(want))
	}
	opened, err := look(first.Path, first.Platform)
	if err != nil {
		t.Fatal(err)
	}
	if opened.Digest != first.Digest || opened.Size != first.Size || opened.Facts.Go.Path != first.Facts.Go.Path {
		t.Errorf("held it is %s of %d bytes, read %s of %d", first.Digest, first.Size, opened.Digest, opened.Size)
	}
	if first.Held() != nil {
		t.Error("it is held for good")
	}
	if fourth := build(embedding); fourth.Held() == nil {
		t.Error("nothing is held, and the next one is not")
	} else {
		fourth.Release()
	}
	name := filepath.Join(t.TempDir(), "none")
	for range 2 {
		if _, err := hold(name, first.Platform); err == nil {
			t.Error("a file that is not there is held")
		}
	}
	if _, err := hold(first.Path, first.Platform); err != nil || len(holding) != 1 {
		t.Errorf("after files that could not be read, %v is held, %v", len(holding), err)
	}
	<-holding
}
