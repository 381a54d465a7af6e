package lane

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"temper/pipeline/store"
)

// A layer is a folder of entries. An entry is a file named for its action, which names
// the output, and a file named for the output, which is its SHA-256.
type layer string

// An entry is what a layer gives for an action.
type entry struct {
	output [sha256.Size]byte
	path   string
	info   fs.FileInfo // of the file at the path
}

// errMissing is that of all entries that cannot be used, whatever the cause.
var errMissing = errors.New("not in the cache")

// recordSize is that of the file of an action: a version, the output, and a sum over
// both and the action, so that half a record, or that of another action, is none.
const recordSize = 1 + sha256.Size + sha256.Size

// version is that of the format.
const version = 1

// open makes the folders, so that nobody has to look whether they are there.
func (l layer) open() error {
	if _, err := os.Stat(filepath.Join(string(l), "d", "ff")); err == nil {
		return nil // which is made last
	}
	for _, kind := range []string{"a", "d"} {
		for i := range 256 {
			if err := os.MkdirAll(filepath.Join(string(l), kind, fmt.Sprintf("%02x", i)), 0o700); err != nil {
				return fmt.Errorf("making the build cache: %w", err)
			}
		}
	}
	return nil
}

func (l layer) path(kind string, id []byte) string {
	name := hex.EncodeToString(id)
	return filepath.Join(string(l), kind, name[:2], name)
}

// get returns the entry of an action, if its output is whole.
func (l layer) get(action []byte, known *notes) (entry, error) {
	e, untouched, err := l.find(action, known)
	if err != nil || untouched {
		return e, err
	}
	return e, l.check(e, known)
}

// find returns the entry of an action without reading its output, and tells whether that
// has been found whole before and was not touched since. If not, [layer.check] is to be
// asked.
func (l layer) find(action []byte, known *notes) (e entry, untouched bool, err error) {
	if len(action) == 0 {
		return e, false, errMissing
	}
	name := l.path("a", action)
	noted, err := os.Lstat(name)
	if err != nil {
		return e, false, err
	}
	if !noted.Mode().IsRegular() {
		return e, false, errMissing
	}
	record, err := readRecord(name)
	if err != nil {
		return e, false, err
	}
	if record[0] != version || sumOf(action, record[1:1+sha256.Size]) != [sha256.Size]byte(record[1+sha256.Size:]) {
		return e, false, errMissing
	}
	e.output = [sha256.Size]byte(record[1:])
	e.path = l.path("d", e.output[:])
	if e.info, err = os.Lstat(e.path); err != nil {
		return e, false, err
	}
	untouched = known.untouched(e.path, e.info) // before this very look touches it
	store.Seen(name, noted)
	store.Seen(e.path, e.info)
	return e, untouched, nil
}

// check holds the output of an entry against its name.
func (l layer) check(e entry, known *notes) error {
	if !l.whole(e.path, e.output[:]) {
		return errMissing
	}
	known.whole(e.path, e.info)
	return nil
}

// readRecord reads the file of an action, which is of one size.
func readRecord(name string) (record [recordSize]byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return record, err
	}
	defer f.Close()
	var text [recordSize + 1]byte
	n, err := f.Read(text[:])
	if err != nil {
		return record, err
	}
	if n != recordSize {
		return record, errMissing
	}
	return [recordSize]byte(text[:]), nil
}

// regular tells whether there is a file, and not what ends nowhere when it is read, as a
// pipe or a link to a device.
func regular(name string) error {
	info, err := os.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = errMissing
	}
	return err
}

func sumOf(action, output []byte) [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "temper lane %d\n%d ", version, len(action))
	h.Write(action)
	h.Write(output)
	return [sha256.Size]byte(h.Sum(nil))
}

// put keeps an output, and then notes it as that of the action. A file appears whole or
// not at all.
func (l layer) put(action, output []byte, size int64, body io.Reader) (path string, err error) {
	if len(action) == 0 || len(output) != sha256.Size {
		return "", fmt.Errorf("an output is named by %d bytes, and not by a SHA-256", len(output))
	}
	path = l.path("d", output)
	if !l.whole(path, output) {
		hash := sha256.New()
		err := write(path, func(w io.Writer) error {
			n, err := io.Copy(io.MultiWriter(w, hash), body)
			if err == nil && (n != size || string(hash.Sum(nil)) != string(output)) {
				err = errors.New("an output is not what it is named for")
			}
			return err
		})
		if err != nil {
			return "", fmt.Errorf("caching: %w", err)
		}
	}
	sum := sumOf(action, output)
	err = write(l.path("a", action), func(w io.Writer) error {
		record := append(append([]byte{version}, output...), sum[:]...)
		_, err := w.Write(record)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("caching: %w", err)
	}
	return path, nil
}

// whole tells whether a file has the content that it is named for.
func (l layer) whole(path string, output []byte) bool {
	if regular(path) != nil {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	hash := sha256.New()
	_, err = io.Copy(hash, f)
	return err == nil && string(hash.Sum(nil)) == string(output)
}

// write makes a file beside and moves it into place, which it clears of a folder first.
func write(path string, fill func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := fill(f); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return os.Rename(f.Name(), path)
}
