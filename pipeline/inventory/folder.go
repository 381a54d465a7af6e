package inventory

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// A folder is one of the tree that layers make together. What is in it is
// another folder, a file, or nil for what has no content, such as a symbolic
// link.
type folder struct {
	entries map[string]any
	// made counts the folders of the tree, in its root.
	made *int
}

func newFolder() *folder { return &folder{make(map[string]any), new(int)} }

// above returns the folder that a path lies in and its last element, nil if
// there is none.
func (d *folder) above(at string) (*folder, string) {
	for {
		name, rest, deeper := strings.Cut(at, "/")
		if !deeper {
			return d, name
		}
		next, ok := d.entries[name].(*folder)
		if !ok {
			return nil, ""
		}
		d, at = next, rest
	}
}

// find returns a file, nil if there is none.
func (d *folder) find(at string) *file {
	dir, name := d.above(at)
	if dir == nil {
		return nil
	}
	f, _ := dir.entries[name].(*file)
	return f
}

// has tells whether something is there.
func (d *folder) has(at string) bool {
	dir, name := d.above(at)
	if dir == nil {
		return false
	}
	_, ok := dir.entries[name]
	return ok
}

// in iterates over the files of a folder, by name.
func (d *folder) in(at string) iter.Seq2[string, *file] {
	return func(yield func(string, *file) bool) {
		dir, name := d.above(at)
		if dir == nil {
			return
		}
		found, ok := dir.entries[name].(*folder)
		if !ok {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(found.entries)) {
			if f, ok := found.entries[name].(*file); ok && !yield(name, f) {
				return
			}
		}
	}
}

// put makes an entry and the folders above it. A folder that is there stays as
// it is; anything else is replaced, with all that is below it.
func (d *folder) put(at string, isFolder bool, f *file) error {
	made := d.made
	for {
		name, rest, deeper := strings.Cut(at, "/")
		if !deeper && !isFolder {
			d.entries[name] = nil
			if f != nil {
				d.entries[name] = f
			}
			return nil
		}
		next, ok := d.entries[name].(*folder)
		if !ok {
			if *made++; *made > maxEntries {
				return fmt.Errorf("the image has more than %d folders", maxEntries)
			}
			next = &folder{entries: make(map[string]any)}
			d.entries[name] = next
		}
		if !deeper {
			return nil
		}
		d, at = next, rest
	}
}

// remove takes away what is there, and all that is below it.
func (d *folder) remove(at string) {
	if dir, name := d.above(at); dir != nil {
		delete(dir.entries, name)
	}
}

// empty takes away what is below a folder.
func (d *folder) empty(at string) {
	if at == "" {
		clear(d.entries)
		return
	}
	if dir, name := d.above(at); dir != nil {
		if sub, ok := dir.entries[name].(*folder); ok {
			clear(sub.entries)
		}
	}
}

// files lists those of the tree, by path.
func (r *reading) files() []*file {
	var list []*file
	var walk func(*folder)
	walk = func(d *folder) {
		for _, entry := range d.entries {
			switch e := entry.(type) {
			case *folder:
				walk(e)
			case *file:
				list = append(list, e)
			}
		}
	}
	walk(r.root)
	slices.SortFunc(list, func(a, b *file) int { return strings.Compare(a.Path, b.Path) })
	return list
}
