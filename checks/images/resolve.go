package images

import (
	"archive/tar"
	"fmt"
	"path"
	"strings"
)

// The names by which a layer deletes: one entry, or all that lower layers put
// into a folder.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
const (
	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// startedBy finds the file that the runtime would execute, through symbolic
// links, in the file system that the layers add up to.
func (img *Image) startedBy() *Entry {
	command := img.Command()
	if len(command) == 0 || !path.IsAbs(command[0]) {
		return nil
	}
	e, _ := img.tree.walk(command[0])
	return e
}

// read returns the content of one of the kept files as the container sees it,
// nil where it sees none. What was not kept, for its size or because a link
// leads elsewhere, is an error.
func (img *Image) read(name string) ([]byte, error) {
	e, _ := img.tree.walk(name)
	switch {
	case e == nil:
		return nil, nil
	case e.content == nil:
		return nil, fmt.Errorf("%s is %s of %d bytes, which is not looked into", name, e.Place(), e.Size)
	}
	return e.content, nil
}

// At returns the entry that a container sees at an absolute path after all links,
// a file or a folder; nil where there is none. A folder that no layer says
// anything about, and that others lie in, is none either.
func (img *Image) At(name string) *Entry {
	at, _, ok := img.tree.follow(name)
	if !ok {
		return nil
	}
	e := img.tree.at(path.Join(".", at))
	if e != nil && e.Type == tar.TypeLink {
		e = img.tree.at(path.Clean("/" + e.Link)[1:])
	}
	return e
}

// A tree answers what a container sees at a path, without building the whole
// file system: the time for one path does not grow with the image.
type tree struct {
	top     map[string]*Entry // the highest entry of each path
	deleted map[string]int    // the highest layer that deletes the path
	opaque  map[string]int    // the highest layer that empties the folder first
	moved   map[*Entry]string // where entries lie whose paths lead through a link
	linked  map[*Entry]*Entry // what hard links name
}

func newTree(entries []Entry) *tree {
	t := &tree{make(map[string]*Entry, len(entries)), make(map[string]int), make(map[string]int), make(map[*Entry]string), make(map[*Entry]*Entry)}
	links := false
	written, dir := "", "" // the folder of the last entry, as written and where it is
	for i := range entries {
		e := &entries[i]
		base := e.Base()
		// A runtime unpacks into what the layers below and the entries before
		// have made, and follows their links.
		if d := path.Dir(e.Path); !links {
			dir = d
		} else if d != written {
			at, _, _ := t.follow(d)
			written, dir = d, path.Join(".", at)
		}
		at := path.Join(dir, base)
		if e.Type != tar.TypeReg {
			written, links = "", links || e.Type == tar.TypeSymlink
		}
		switch {
		case e.inside: // no container sees it
		case base == whiteoutOpaque:
			t.opaque[dir] = e.Layer
		case strings.HasPrefix(base, whiteoutPrefix):
			t.deleted[path.Join(dir, strings.TrimPrefix(base, whiteoutPrefix))] = e.Layer
			written = ""
		default:
			if e.Type == tar.TypeLink { // to what is there now: what replaces that name later is another file
				from, target := path.Split(path.Clean("/" + e.Link)[1:])
				from, _, _ = t.follow(from)
				t.linked[e] = t.file(path.Join(from, target))
			}
			t.top[at] = e // entries come in the order of the layers
			if at != e.Path {
				t.moved[e] = at
			}
		}
	}
	return t
}

// at returns the entry that a container sees at a clean path without a leading
// slash, nil where there is none.
func (t *tree) at(name string) *Entry {
	e := t.top[name]
	if e == nil {
		return nil
	}
	for p := name; ; p = path.Dir(p) {
		if layer, ok := t.deleted[p]; ok && layer > e.Layer {
			return nil
		}
		if p != name {
			if layer, ok := t.opaque[p]; ok && layer > e.Layer {
				return nil
			}
			if above := t.top[p]; above != nil && above.Type != tar.TypeDir && above.Layer > e.Layer {
				return nil // a file or link has taken the folder's place
			}
		}
		if p == "." {
			return e
		}
	}
}

// file returns what at does, and what a hard link names in place of the link.
func (t *tree) file(name string) *Entry {
	e := t.at(name)
	if e != nil && e.Type == tar.TypeLink {
		return t.linked[e]
	}
	return e
}

// maxLinks is the kernel's own bound on symbolic links in one path.
const maxLinks = 40

// walk follows a path as the kernel would with the image as its root, and
// returns the regular file at its end, nil where there is none, with the folders
// and links on the way.
func (t *tree) walk(name string) (file *Entry, way []*Entry) {
	at, way, ok := t.follow(name)
	if !ok {
		return nil, way
	}
	e := t.file(at)
	if e == nil || e.Type != tar.TypeReg {
		return nil, way
	}
	return e, way
}

// follow returns where a path leads, unless its links go round in a circle.
func (t *tree) follow(name string) (at string, way []*Entry, ok bool) {
	rest := strings.Split(path.Clean("/" + name)[1:], "/")
	if root := t.at("."); root != nil {
		way = append(way, root)
	}
	for links := 0; len(rest) > 0; {
		next := path.Join(at, rest[0])
		rest = rest[1:]
		e := t.at(next)
		if e != nil && e.Type != tar.TypeReg {
			way = append(way, e)
		}
		if e = t.file(next); e != nil && e.Type == tar.TypeSymlink {
			if links++; links > maxLinks {
				return at, way, false
			}
			target := e.Link
			if !path.IsAbs(target) {
				target = path.Join("/", at, target)
			}
			rest = append(strings.Split(path.Clean(target)[1:], "/"), rest...)
			at = ""
			continue
		}
		at = next
	}
	return at, way, true
}
