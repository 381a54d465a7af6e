// Package memory keeps in a folder what rules have seen, so that they need not look
// again at what has not changed.
//
// [Open] opens the part of a folder that belongs to the program that runs: what another
// one has written was seen by other rules. What a caller keeps it names by all that it
// depends on. [Folder.Load] gives back what [Folder.Save] was given, or nothing: a file
// that is not whole counts as none.
//
// A folder belongs to one user, like Go's build cache: who can write into it can write
// there that all is well.
package memory

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A Folder is the part of a folder that one program writes and reads.
type Folder struct{ dir string }

// forgetAge is after how long what nobody has asked for is removed, sweepAge how often that
// is done, and freshAge how exactly it is known when somebody asked.
const (
	forgetAge = 30 * 24 * time.Hour
	sweepAge  = 24 * time.Hour
	freshAge  = time.Hour
)

// Open makes the part of the folder that is this program's, and removes those of
// programs that nobody has used for long.
func Open(dir string) (*Folder, error) {
	program, err := programID()
	if err != nil {
		return nil, fmt.Errorf("telling which program this is: %w", err)
	}
	return OpenAs(dir, program)
}

// OpenAs is [Open] for a program that is told apart by a name of the caller's.
func OpenAs(dir, program string) (*Folder, error) {
	sum := sha256.Sum256([]byte(program))
	f := &Folder{filepath.Join(dir, hex.EncodeToString(sum[:16]))}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, fmt.Errorf("making a memory: %w", err)
	}
	swept := f.dir + ".swept"
	now := time.Now()
	if info, err := os.Stat(swept); err == nil && now.Sub(info.ModTime()) < sweepAge {
		return f, nil
	}
	err := errors.Join(os.WriteFile(swept, nil, 0o600), os.Chtimes(swept, now, now), os.Chtimes(f.dir, now, now))
	if err == nil {
		err = errors.Join(forget(dir, now), forget(f.dir, now))
	}
	if err != nil {
		return nil, fmt.Errorf("making a memory: %w", err)
	}
	return f, nil
}

// forget removes what lies in a folder and has not been used for long. What cannot be
// removed is removed the next time.
func forget(dir string, now time.Time) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > forgetAge {
			os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
	return nil
}

// Load returns what was saved under a key, nil if there is nothing or not as it was
// written. A key is the name of a file.
func (f *Folder) Load(key string) []byte {
	file := filepath.Join(f.dir, key)
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	line, text, _ := bytes.Cut(raw, []byte("\n"))
	if string(line) != sumLine(key, text) {
		return nil
	}
	if info, err := os.Stat(file); err == nil && time.Since(info.ModTime()) > freshAge {
		os.Chtimes(file, time.Time{}, time.Now()) // it is in use
	}
	return text
}

// Save keeps a text under a key.
func (f *Folder) Save(key string, text []byte) error {
	to, err := os.CreateTemp(f.dir, ".new-*")
	if err != nil {
		return fmt.Errorf("writing a memory: %w", err)
	}
	_, err = to.WriteString(sumLine(key, text) + "\n")
	if err == nil {
		_, err = to.Write(text)
	}
	err = errors.Join(err, to.Close())
	if err == nil {
		err = os.Rename(to.Name(), filepath.Join(f.dir, key))
	}
	if err != nil {
		return fmt.Errorf("writing a memory: %w", errors.Join(err, os.Remove(to.Name())))
	}
	return nil
}

// sumLine is what a file begins with. The key is in the sum, for a file of another name
// is about something else.
func sumLine(key string, text []byte) string {
	sum := sha256.New()
	sum.Write([]byte(key + "\n"))
	sum.Write(text)
	return hex.EncodeToString(sum.Sum(nil))
}
