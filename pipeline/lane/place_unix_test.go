//go:build unix

package lane

import (
	"bytes"
	"crypto/sha256"
	"os"
	"syscall"
	"testing"
)

// Whatever lies where a file is to be is a miss, at once, and makes way for the file.
func TestNoFile(t *testing.T) {
	places := map[string]func(path string) error{
		"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"folder": func(path string) error { return os.MkdirAll(path+"/in/it", 0o700) },
		"device": func(path string) error { return os.Symlink("/dev/zero", path) },
		"link":   func(path string) error { return os.Symlink(path, path) },
	}
	body := []byte("what was compiled")
	output := sha256.Sum256(body)
	action := sha256.Sum256([]byte("what it was made from"))
	for name, place := range places {
		for kind, id := range map[string][]byte{"a": action[:], "d": output[:]} {
			t.Run(name+" as "+kind, func(t *testing.T) {
				l := layer(t.TempDir())
				put := func() error {
					_, err := l.put(action[:], output[:], int64(len(body)), bytes.NewReader(body))
					return err
				}
				if err := l.open(); err != nil {
					t.Fatal(err)
				}
				if err := put(); err != nil {
					t.Fatal(err)
				}
				path := l.path(kind, id)
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				if err := place(path); err != nil {
					t.Fatal(err)
				}
				if _, err := l.get(action[:], l.notes()); err == nil {
					t.Error("it is given out")
				}
				if err := put(); err != nil {
					t.Fatal(err)
				}
				e, err := l.get(action[:], l.notes())
				if err != nil {
					t.Fatal(err)
				}
				if got, err := os.ReadFile(e.path); err != nil || !bytes.Equal(got, body) {
					t.Errorf("it gives %q, %v", got, err)
				}
			})
		}
	}
}
