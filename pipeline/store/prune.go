package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
)

// Bounds are what a folder is kept in.
type Bounds struct {
	// Bytes is how much may be in it; negative for any amount.
	Bytes int64
	// Unused is after how long what nobody has used is removed; 0 for never.
	Unused time.Duration
}

// Pruned is what was done to a folder.
type Pruned struct {
	// Files and Bytes were removed, and Left bytes are there.
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
	Left  int64 `json:"left"`
	// Used is when what was removed had been used last; zero where nothing was.
	Used time.Time `json:"-"`
	// Busy tells that somebody builds, so that what was used in the last two hours has
	// stayed, whatever the bounds.
	Busy bool `json:"busy"`
}

// room is how much of the bound remains for the next builds when something has to go.
const room = 0.1

// Prune removes what was used least lately until the folder keeps the bounds, and what
// others have left half-written. Whoever looks for what is gone makes it again. In a folder
// that holds other things as well it removes nothing, and the error is a [*ForeignError].
func Prune(ctx context.Context, dir string, to Bounds) (done Pruned, err error) {
	if err := own(dir); errors.Is(err, fs.ErrNotExist) {
		return done, nil
	} else if err != nil {
		return done, fmt.Errorf("clearing the cache folder: %w", err)
	}
	l := flock.New(filepath.Join(dir, lockName))
	alone, err := l.TryLock()
	if err != nil {
		return done, fmt.Errorf("locking the cache folder: %w", err)
	}
	defer l.Unlock()
	done.Busy = !alone
	files, err := list(dir)
	if err != nil {
		return done, err
	}
	units := unitsOf(files)
	for _, f := range files {
		done.Left += f.bytes
	}
	now := time.Now()
	slices.SortStableFunc(files, func(a, b file) int { return a.used.Compare(b.used) })
	keep := int64(-1)
	if to.Bytes >= 0 && done.Left > to.Bytes {
		keep = to.Bytes - int64(float64(to.Bytes)*room)
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		age := now.Sub(f.used)
		goes := keep >= 0 && done.Left > keep || to.Unused > 0 && age > to.Unused || f.half && (alone || age > safeAge)
		if !goes || done.Busy && age < safeAge {
			continue
		}
		switch err := os.Remove(f.path); {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return done, fmt.Errorf("clearing the cache folder: %w", err)
		}
		done.Files++
		done.Bytes += f.bytes
		done.Left -= f.bytes
		f.unit.Files--
		if f.half {
			continue
		}
		f.unit.pruned = true
		if f.used.After(done.Used) {
			done.Used = f.used
		}
	}
	return done, tidy(dir, units, alone)
}

// tidy removes what goes with files that are gone: the notes of what a lane was filled
// with, and folders of what there is nothing left of.
func tidy(dir string, units []*Unit, alone bool) error {
	for _, u := range units {
		if u.Kind == "lane" && u.pruned {
			if err := os.RemoveAll(filepath.Join(u.dir, "filled")); err != nil {
				return fmt.Errorf("clearing the cache folder: %w", err)
			}
		}
		if !alone || u.Files > 0 || filepath.Dir(u.dir) == dir {
			continue
		}
		if err := os.RemoveAll(u.dir); err != nil {
			return fmt.Errorf("clearing the cache folder: %w", err)
		}
		for up := filepath.Dir(u.dir); up != dir; up = filepath.Dir(up) {
			left, err := os.ReadDir(up)
			if err == nil && len(left) == 1 && left[0].Name() == OriginName {
				os.Remove(filepath.Join(up, OriginName))
			}
			if os.Remove(up) != nil {
				break // there is something else in it
			}
		}
	}
	return nil
}

// prunedName is the file whose time says when the folder was pruned last.
const prunedName = "pruned"

// Due tells whether it is long enough ago that the folder was pruned, and notes that it is
// being done now.
func Due(dir string, every time.Duration) bool {
	name := filepath.Join(dir, prunedName)
	now := time.Now()
	if info, err := os.Stat(name); err == nil && now.Sub(info.ModTime()) < every {
		return false
	}
	return os.WriteFile(name, nil, 0o600) == nil && os.Chtimes(name, now, now) == nil
}
