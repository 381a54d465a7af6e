package binary

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"temper/checks/memory"
	"temper/pipeline/store"
)

// What was read of files that nobody has touched is not read again, by this run or another;
// whatever happens to one of them, or to the names beside them, they are.
func TestStamps(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	put("a.go", "package a\n")
	put("a_test.go", "package a\n")
	put("data.txt", "data")
	info, err := os.Lstat(filepath.Join(dir, "a.go"))
	if err != nil {
		t.Fatal(err)
	}
	if store.Stamp(info) == "" {
		t.Skip("this system does not tell whether somebody has touched a file")
	}
	kept := t.TempDir()
	read := func(s *stamps) (hash string, again bool) {
		t.Helper()
		hash, err := s.get(dir, func() (string, error) {
			again = true
			files, err := new(reader).folder(dir, true)
			return hashOf(files), err
		})
		if err := errors.Join(err, s.save()); err != nil {
			t.Fatal(err)
		}
		return hash, again
	}
	// Another run has another folder value, and loads anew.
	run := func() *stamps {
		t.Helper()
		folder, err := memory.Open(kept)
		if err != nil {
			t.Fatal(err)
		}
		return stampsOf(folder, dir)
	}
	if _, again := read(run()); !again {
		t.Error("nothing is known, and nobody reads")
	}
	if _, again := read(run()); !again {
		t.Error("files that were written just now are taken for known")
	}
	time.Sleep(2 * store.Grace)
	want, _ := read(run())
	if got, again := read(run()); again || got != want {
		t.Errorf("of untouched files it says %s, want %s; read again: %v", got, want, again)
	}
	put("a_test.go", "package a // a test is none of a binary\n")
	put("data.txt", "its name alone counts")
	if got, again := read(run()); again || got != want {
		t.Errorf("what does not count was changed, and it says %s, want %s; read again: %v", got, want, again)
	}
	for what, change := range map[string]func(){
		"another content": func() {
			put("a.go", "package b\n") // of the same size, and of the same time
			if err := os.Chtimes(filepath.Join(dir, "a.go"), info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
		},
		"another file":        func() { put("b.go", "package a\n") },
		"another name beside": func() { put("more.txt", "") },
		"a file that is a link": func() {
			if err := os.Symlink("a.go", filepath.Join(dir, "c.go")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		before, _ := read(run())
		change()
		if got, again := read(run()); !again || got == before {
			t.Errorf("%s: read again: %v, and it says %s as before", what, again, got)
		}
	}
	if _, again := read(stampsOf(nil, dir)); !again {
		t.Error("nothing is kept, and nobody reads")
	}
}
