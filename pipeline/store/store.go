// Package store keeps the folder of Temper's caches within bounds.
//
// Nothing in the folder is needed: whatever is removed is made again. What was used least
// lately goes first. Whoever uses a file of it sets its time of modification, once an hour at
// most, as Go does in its own cache.
//
// A build holds the folder ([Hold]) as long as it may read what it has found there.
// [Prune] removes nothing then that was used in the last hours, and so is safe
// at any time.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// lockName is the file that is locked while somebody builds or prunes.
const lockName = "lock"

// OriginName is the name of the file, in a folder of a repository's services, that says
// where the repository lies.
const OriginName = "repository"

// kinds are the folders in the folder. Nothing else in it is ever looked at.
var kinds = []string{"code", "judged", "lane", "layers", "looked", "services"}

// The tag says of a folder that it holds a cache, to us and to whoever makes copies of
// what is worth it. https://bford.info/cachedir/
const (
	tagName = "CACHEDIR.TAG"
	tag     = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache of temper's. What is in it can be removed.\n"
)

// A ForeignError tells that a folder holds other things as well, so that nothing in it is
// removed.
type ForeignError struct {
	Folder string
	// Others are the names of a few of them.
	Others []string
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s is no folder of temper's alone: there is %s in it", e.Folder, strings.Join(e.Others, ", "))
}

// own makes the folder one of Temper's, if there is nothing else in it. If not, the error
// is a [*ForeignError].
func own(dir string) error {
	if text, err := os.ReadFile(filepath.Join(dir, tagName)); err == nil && string(text) == tag {
		return nil // and not the tag of some other cache
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	foreign := &ForeignError{Folder: dir}
	for _, e := range entries {
		ours := slices.Contains(kinds, e.Name()) && e.IsDir() || e.Name() == lockName || e.Name() == prunedName || strings.HasPrefix(e.Name(), tagName+".")
		if !ours && len(foreign.Others) < 3 {
			foreign.Others = append(foreign.Others, e.Name())
		}
	}
	if len(foreign.Others) > 0 {
		return foreign
	}
	f, err := os.CreateTemp(dir, tagName+".*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(tag)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, tagName))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Hold keeps what is in use from being removed until release is called.
func Hold(ctx context.Context, dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the cache folder: %w", err)
	}
	if err := own(dir); err != nil && !errors.As(err, new(*ForeignError)) {
		return nil, fmt.Errorf("making the cache folder: %w", err)
	}
	l := flock.New(filepath.Join(dir, lockName))
	if _, err := l.TryRLockContext(ctx, 20*time.Millisecond); err != nil {
		return nil, fmt.Errorf("locking the cache folder: %w", err)
	}
	return func() { l.Unlock() }, nil
}

// Used notes that a file of the folder is in use, once an hour.
func Used(names ...string) {
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			Seen(name, info)
		}
	}
}

// Seen is [Used] of a file that has just been looked at.
func Seen(name string, info fs.FileInfo) {
	if now := time.Now(); now.Sub(info.ModTime()) > hour {
		os.Chtimes(name, now, now)
	}
}

const hour = time.Hour

// safeAge is how long a file must not have been used to be removed while somebody builds:
// twice as long as it may take until its use is noted.
const safeAge = 2 * hour

// A Unit is a part of the folder that belongs to one thing.
type Unit struct {
	// Kind is the first element of its path: "services", "lane" for what services share,
	// "layers" of images, or one of those that hold what rules have seen.
	Kind string `json:"kind"`
	// Repository is where the repository of a service lies, or the name of its folder here
	// where that is not known.
	Repository string `json:"repository,omitempty"`
	Service    string `json:"service,omitempty"`
	// Platform is as in linux-amd64, and Go as in go1.26.8.
	Platform string `json:"platform,omitempty"`
	Go       string `json:"go,omitempty"`
	// Bytes are on disk, in blocks, and Files how many there are.
	Bytes int64 `json:"bytes"`
	Files int   `json:"files"`
	// Used is when one of them was used last, to the hour.
	Used time.Time `json:"used"`

	dir    string
	pruned bool
}

// A file is one that may be removed.
type file struct {
	path  string
	bytes int64
	used  time.Time
	unit  *Unit
	// half tells that it has not come to be what it was to be.
	half bool
}

// Look returns what is in a folder, the largest first. A folder that is not there is empty.
// If it holds other things as well, the error is a [*ForeignError].
func Look(dir string) ([]Unit, error) {
	if err := own(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading the cache folder: %w", err)
	}
	files, err := list(dir)
	if err != nil {
		return nil, err
	}
	var units []Unit
	for _, u := range unitsOf(files) {
		units = append(units, *u)
	}
	slices.SortStableFunc(units, func(a, b Unit) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return units, nil
}

// unitsOf are the units of files, in the files' order.
func unitsOf(files []file) []*Unit {
	var units []*Unit
	for _, f := range files {
		if len(units) == 0 || units[len(units)-1] != f.unit {
			units = append(units, f.unit)
		}
	}
	return units
}

// blockSize is that of most file systems.
const blockSize = 4096

// list finds the files of a folder that may be removed, those of a unit after each other,
// and adds them up.
func list(dir string) ([]file, error) {
	var files []file
	var unit *Unit
	walk := func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it has been removed meanwhile
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		if kept(filepath.ToSlash(rel)) {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		of := unitOf(dir, filepath.ToSlash(rel))
		if unit == nil || unit.dir != of.dir {
			unit = of
		}
		f := file{name, (info.Size() + blockSize - 1) / blockSize * blockSize, info.ModTime(), unit, half(filepath.ToSlash(rel))}
		unit.Bytes += f.bytes
		unit.Files++
		if f.used.After(unit.Used) {
			unit.Used = f.used
		}
		files = append(files, f)
		return nil
	}
	for _, kind := range kinds {
		if err := filepath.WalkDir(filepath.Join(dir, kind), walk); err != nil {
			return nil, fmt.Errorf("reading the cache folder: %w", err)
		}
	}
	return files, nil
}

// kept tells of a file, by its path in the folder, that it says something about others and
// goes with them.
func kept(rel string) bool {
	base := rel[strings.LastIndex(rel, "/")+1:]
	return base == lockName || base == OriginName || strings.HasSuffix(base, ".swept") || strings.Contains(rel, "/filled/")
}

// half tells of a file that whoever writes it has not finished, or will not: of Temper's own
// temporary names and those of Go, which works in the folder tmp.
func half(rel string) bool {
	base := rel[strings.LastIndex(rel, "/")+1:]
	if part := strings.Split(rel, "/"); part[0] == "services" && len(part) > 6 && part[5] == "tmp" {
		return true
	}
	return strings.HasPrefix(base, ".new-") || strings.HasPrefix(base, ".temper-") || strings.HasSuffix(base, ".new")
}

// unitOf says what a file belongs to.
func unitOf(root, rel string) *Unit {
	part := strings.Split(rel, "/")
	u := &Unit{Kind: part[0]}
	depth := 1
	switch {
	case u.Kind == "services" && len(part) > 5:
		depth = 5
		u.Repository, u.Service, u.Platform, u.Go = part[1], part[2], part[3], part[4]
		if text, err := os.ReadFile(filepath.Join(root, part[0], part[1], OriginName)); err == nil {
			u.Repository = strings.TrimSpace(string(text))
		}
	case u.Kind == "lane" && len(part) > 3:
		depth = 3
		u.Go, u.Platform = part[1], part[2]
	}
	u.dir = filepath.Join(root, filepath.FromSlash(strings.Join(part[:depth], "/")))
	return u
}
