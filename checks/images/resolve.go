package images

import (
	"archive/tar"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
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
func (img *Image) startedBy(config *v1.ConfigFile) *Entry {
	command := img.Command()
	if len(command) == 0 || !path.IsAbs(command[0]) {
		return nil
	}
	return resolve(img.view(), command[0])
}

// view is what a container sees: the topmost entry of every path.
func (img *Image) view() map[string]*Entry {
	view := make(map[string]*Entry, len(img.Entries))
	below := func(dir string, layer int) {
		for p, e := range view {
			if e.Layer < layer && (dir == "." || strings.HasPrefix(p, dir+"/")) {
				delete(view, p)
			}
		}
	}
	for i := range img.Entries {
		e := &img.Entries[i]
		dir, base := path.Dir(e.Path), e.Base()
		switch {
		case base == whiteoutOpaque:
			below(dir, e.Layer)
		case strings.HasPrefix(base, whiteoutPrefix):
			gone := path.Join(dir, strings.TrimPrefix(base, whiteoutPrefix))
			if old := view[gone]; old != nil && old.Layer < e.Layer {
				delete(view, gone)
			}
			below(gone, e.Layer)
		default:
			if e.Type != tar.TypeDir {
				below(e.Path, e.Layer) // a file in the place of a folder
			}
			view[e.Path] = e
		}
	}
	return view
}

// maxLinks is the kernel's own bound on symbolic links in one path.
const maxLinks = 40

// resolve follows a path as the kernel would with the image as its root.
// It returns nil where there is no file at its end.
func resolve(view map[string]*Entry, name string) *Entry {
	rest := strings.Split(path.Clean("/" + name)[1:], "/")
	at := ""
	for links := 0; len(rest) > 0; {
		next := path.Join(at, rest[0])
		e := view[next]
		rest = rest[1:]
		if e != nil && e.Type == tar.TypeSymlink {
			if links++; links > maxLinks {
				return nil
			}
			target := e.Link
			if !path.IsAbs(target) {
				target = "/" + at + "/" + target
			}
			rest = append(strings.Split(path.Clean(target)[1:], "/"), rest...)
			at = ""
			continue
		}
		at = next
		if len(rest) == 0 {
			if e != nil && e.Type == tar.TypeLink {
				e = view[path.Clean("/" + e.Link)[1:]]
			}
			if e != nil && e.Type == tar.TypeReg {
				return e
			}
		}
	}
	return nil
}
