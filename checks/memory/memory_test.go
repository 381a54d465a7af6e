package memory

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func open(t *testing.T, dir, program string) *Folder {
	t.Helper()
	f, err := OpenAs(dir, program)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What was kept comes back to the same program, whole or not at all.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir, "one")
	if got := f.Load("key"); got != nil {
		t.Errorf("an empty folder holds %q", got)
	}
	for _, text := range []string{"first\nlines\n", "second"} {
		if err := f.Save("key", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := string(open(t, dir, "one").Load("key")); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	if got := open(t, dir, "another").Load("key"); got != nil {
		t.Errorf("another program got %q", got)
	}
	file := filepath.Join(f.dir, "key")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"empty": {}, "cut": raw[:len(raw)-1], "longer": append(raw, 'x'), "changed": append(raw[:len(raw)-1:len(raw)-1], 'D'),
	} {
		if err := os.WriteFile(file, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := f.Load("key"); got != nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if err := os.WriteFile(filepath.Join(f.dir, "other"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := f.Load("other"); got != nil {
		t.Errorf("what was kept under one key came back under another: %q", got)
	}
}

// What nobody has used for long goes, of this program and of others, and what is in use
// stays however long ago it was written.
func TestForget(t *testing.T) {
	dir := t.TempDir()
	f, gone := open(t, dir, "one"), open(t, dir, "gone")
	for _, key := range []string{"old", "used"} {
		if err := f.Save(key, []byte("text")); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-forgetAge - time.Hour)
	for _, file := range []string{filepath.Join(f.dir, "old"), filepath.Join(f.dir, "used"), f.dir + ".swept", gone.dir} {
		if err := os.Chtimes(file, long, long); err != nil {
			t.Fatal(err)
		}
	}
	if f.Load("used") == nil {
		t.Error("what is used was not there")
	}
	f = open(t, dir, "one")
	if f.Load("old") != nil || f.Load("used") == nil {
		t.Errorf("old is there: %v, used is there: %v; want only what is used", f.Load("old") != nil, f.Load("used") != nil)
	}
	if _, err := os.Stat(gone.dir); !os.IsNotExist(err) {
		t.Errorf("the folder of a program that is gone: %v, want none", err)
	}
}
