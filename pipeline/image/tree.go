package image

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Names that begin with whiteout delete something of the layers below.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
const (
	whiteout       = ".wh."
	opaqueWhiteout = ".wh..wh..opq"
)

// A tree is what the layers so far put where: entries by path, content left
// out.
type tree map[string]entry

// lay puts entries on top of the tree and returns what a layer with them
// holds: the entries, sorted, and every folder above them.
//
// Nothing is replaced: an entry where something else stands is an error, as is
// one below something that is no folder (a link of the base, such as /bin).
// A folder that is there already keeps its mode and its owner. It is still
// written into the layer, since runtimes that unpack a layer by itself make up
// the folders that are missing, and then /tmp loses its sticky bit.
func (t tree) lay(entries ...entry) ([]entry, error) {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	layer := make(map[string]entry)
	for _, e := range entries {
		if e.path == "/" {
			if e.kind != tar.TypeDir {
				return nil, fmt.Errorf("%s cannot stand at /, which is a folder", e.from)
			}
			continue // every image has it, and no tar has a name for it
		}
		if strings.Contains(e.path, "/"+whiteout) {
			return nil, fmt.Errorf("%s cannot stand at %s: in a layer such a name deletes a file", e.from, e.path)
		}
		for _, dir := range above(e.path) {
			below, ok := t[dir]
			if !ok {
				below = entry{path: dir, kind: tar.TypeDir, mode: dirMode, from: e.from}
				t[dir] = below
			}
			if below.kind != tar.TypeDir {
				return nil, fmt.Errorf("%s cannot stand at %s: %s has %s at %s", e.from, e.path, below.from, kindName(below.kind), dir)
			}
			layer[dir] = below
		}
		if there, ok := t[e.path]; ok {
			if e.kind != tar.TypeDir || there.kind != tar.TypeDir {
				return nil, fmt.Errorf("%s cannot stand at %s: %s has %s there", e.from, e.path, there.from, kindName(there.kind))
			}
			e = there
		}
		t[e.path] = e
		layer[e.path] = e
	}
	return slices.SortedStableFunc(maps.Values(layer), func(a, b entry) int { return strings.Compare(a.path, b.path) }), nil
}

// above returns the folders above a path, the outermost first, without "/".
func above(p string) []string {
	var dirs []string
	for i := 1; i < len(p); i++ {
		if p[i] == '/' {
			dirs = append(dirs, p[:i])
		}
	}
	return dirs
}

func kindName(kind byte) string {
	switch kind {
	case tar.TypeDir:
		return "a folder"
	case tar.TypeSymlink:
		return "a symbolic link"
	case tar.TypeReg, tar.TypeLink:
		return "a file"
	}
	return "a special file"
}

// readTree reads what layers hold together. It also tells whether each is the
// content that its configuration names.
func readTree(from string, layers []v1.Layer) (tree, error) {
	return seeTree(from, layers, func(string, *tar.Header, io.Reader) error { return nil })
}

// A seer is shown what a layer puts where, the content with it. What a later
// layer deletes it has seen all the same.
type seer func(path string, h *tar.Header, content io.Reader) error

// seeTree is readTree that also shows what it reads.
func seeTree(from string, layers []v1.Layer, see seer) (tree, error) {
	t := make(tree)
	for i, l := range layers {
		if err := t.read(from, l, see); err != nil {
			return nil, fmt.Errorf("reading layer %d of %s: %w", i+1, from, err)
		}
	}
	return t, nil
}

func (t tree) read(from string, l v1.Layer, see seer) error {
	want, err := l.DiffID()
	if err != nil {
		return err
	}
	r, err := l.Uncompressed()
	if err != nil {
		return err
	}
	defer r.Close()
	sum := sha256.New()
	tee := io.TeeReader(r, sum)
	if err := t.unpack(from, tar.NewReader(tee), see); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, tee); err != nil {
		return err
	}
	if got := hashed(sum); got != want {
		return fmt.Errorf("its content is %s, but the configuration says %s", got, want)
	}
	return nil
}

// unpack lays the tar's entries over the tree, as a runtime does.
func (t tree) unpack(from string, r *tar.Reader, see seer) error {
	added := make(map[string]bool)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		p := path.Clean("/" + h.Name)
		dir, name := path.Split(p)
		switch {
		case p == "/":
		case name == opaqueWhiteout:
			t.remove(strings.TrimSuffix(dir, "/"), added)
		case strings.HasPrefix(name, whiteout):
			gone := dir + strings.TrimPrefix(name, whiteout)
			t.remove(gone, added)
			if !added[gone] {
				delete(t, gone)
			}
		default:
			if there, ok := t[p]; ok && there.kind == tar.TypeDir && h.Typeflag != tar.TypeDir {
				t.remove(p, nil)
			}
			for _, dir := range above(p) {
				if _, ok := t[dir]; !ok {
					t[dir] = entry{path: dir, kind: tar.TypeDir, mode: dirMode, from: from}
				}
				added[dir] = true
			}
			t[p] = entry{path: p, kind: h.Typeflag, mode: h.Mode & 0o7777, uid: h.Uid, gid: h.Gid, from: from}
			added[p] = true
			if err := see(p, h, r); err != nil {
				return err
			}
		}
	}
}

// remove takes away what is below the folder, except what was added.
func (t tree) remove(dir string, added map[string]bool) {
	for p := range t {
		if strings.HasPrefix(p, dir+"/") && !added[p] {
			delete(t, p)
		}
	}
}
