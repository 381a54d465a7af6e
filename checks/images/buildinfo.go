package images

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
)

// maxProgram is the size of an executable whose build info is read, and of those
// above bigProgram one is at a time: an index has as many as it likes, and zeros
// weigh nothing in a layer.
const (
	maxProgram = 512 << 20
	bigProgram = 64 << 20
)

var oneBig sync.Mutex

// BuildInfo returns what the executable that the image starts says it was built
// from; nil where it starts none, or one that Go did not link. It reads no more
// layers than it takes to know, from the highest down, and judges nothing: that
// is for [Check].
func BuildInfo(ctx context.Context, v v1.Image) (*debug.BuildInfo, error) {
	config, err := v.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading image config: %w", err)
	}
	img := &Image{Config: config}
	command := img.Command()
	if len(command) == 0 || !path.IsAbs(command[0]) {
		return nil, nil
	}
	layers, err := v.Layers()
	if err != nil {
		return nil, fmt.Errorf("reading layers: %w", err)
	}
	if len(layers) > maxLayers {
		return nil, fmt.Errorf("the image has %d layers, more than %d", len(layers), maxLayers)
	}
	name := strings.TrimPrefix(path.Clean(command[0]), "/")
	read := make([]*listing, len(layers))
	clear := true // no layer above says anything of the path
	for i := len(layers) - 1; i >= 0; i-- {
		if read[i], err = list(ctx, layers[i], name); err != nil {
			return nil, fmt.Errorf("reading layer %d: %w", i, err)
		}
		switch read[i].says(name) {
		case plainly:
			if clear {
				return read[i].program(name), nil
			}
		case something:
			clear = false
		}
	}
	// Links or deletions decide.
	first := make([]int, len(read)) // of each layer's entries
	for i, l := range read {
		first[i] = len(img.Entries)
		for _, e := range l.entries {
			e.Layer = i
			img.Entries = append(img.Entries, e)
		}
	}
	img.tree = newTree(img.Entries)
	e := img.startedBy()
	if e == nil || e.Type != tar.TypeReg {
		return nil, nil
	}
	l, err := list(ctx, layers[e.Layer], e.Path)
	if err != nil {
		return nil, fmt.Errorf("reading layer %d: %w", e.Layer, err)
	}
	for i := range l.entries { // a layer may give one path twice
		if &img.Entries[first[e.Layer]+i] == e {
			return l.programs[i], nil
		}
	}
	return nil, fmt.Errorf("layer %d does not hold %s any more", e.Layer, printable(e.Path))
}

// A listing is what a layer holds, without content.
type listing struct {
	entries []Entry
	// programs are the build infos of the files that were asked for, by their place
	// in entries; nil for what is no program of Go.
	programs map[int]*debug.BuildInfo
}

// program is the build info of the last file of that name.
func (l *listing) program(name string) *debug.BuildInfo {
	for i := len(l.entries) - 1; i >= 0; i-- {
		if l.entries[i].Path == name {
			return l.programs[i]
		}
	}
	return nil
}

// What a layer can say of a path.
const (
	nothing   = iota
	something // as far as links and deletions go
	plainly   // it holds the file, in folders of its own
)

// says is what the layer says of a path.
func (l *listing) says(name string) int {
	folders := make(map[string]bool)
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		folders[dir] = false
	}
	parts := strings.Split(name, "/")
	said, times := nothing, 0
	for i := range l.entries {
		e := &l.entries[i]
		base := e.Base()
		_, above := folders[e.Path]
		switch {
		case e.Path == name:
			if said, times = something, times+1; e.Type != tar.TypeReg {
				return something
			}
		case above && e.Type != tar.TypeDir:
			return something
		case above:
			folders[e.Path] = true
		case base == whiteoutOpaque, e.Type != tar.TypeDir && slices.Contains(parts, strings.TrimPrefix(base, whiteoutPrefix)):
			// In another folder, unless a link in any layer leads from there.
			return something
		}
	}
	for _, own := range folders {
		if !own && said == something {
			return something
		}
	}
	if times == 1 {
		return plainly
	}
	return said
}

// list reads what a layer holds, and the build info of the file that stands at
// the name in it, of which it passes over what has none; the layer is read again where
// that did not do.
func list(ctx context.Context, layer v1.Layer, name string) (*listing, error) {
	l, err := listed(ctx, layer, name, false)
	if errors.Is(err, errGap) {
		return listed(ctx, layer, name, true)
	}
	return l, err
}

func listed(ctx context.Context, layer v1.Layer, name string, whole bool) (*listing, error) {
	raw, err := unpacked(ctx, layer)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	l := &listing{programs: make(map[int]*debug.BuildInfo)}
	in := &counted{r: raw, ctx: ctx, sum: noSum{}}
	for tr := tar.NewReader(in); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		e, err := entryOf(h)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", h.Name, err)
		}
		if l.entries = append(l.entries, *e); len(l.entries) > maxEntries {
			return nil, fmt.Errorf("more than %d files", maxEntries)
		}
		if e.Type == tar.TypeReg && e.Path == name {
			if l.programs[len(l.entries)-1], err = infoOf(tr, h.Size, whole); err != nil {
				return nil, fmt.Errorf("%q: %w", h.Name, err)
			}
		}
	}
	// To the end, for only then is the layer known to be what its digest says.
	_, err = io.Copy(io.Discard, in)
	return l, err
}

// infoOf reads the build info of a file, nil where it holds none. Of one that is not
// read whole it can be that nobody can tell: errGap.
func infoOf(r io.Reader, size int64, whole bool) (*debug.BuildInfo, error) {
	if size > maxProgram {
		return nil, fmt.Errorf("an executable of %d bytes is not looked into", size)
	}
	if size > bigProgram {
		oneBig.Lock()
		defer oneBig.Unlock()
	}
	f, err := readExcerpt(r, size, whole)
	if err != nil {
		return nil, err
	}
	return f.info()
}

// A made layer gives the tar that it was compressed from, by this very program and just
// now: nil if it was not. The tar has the layer's diff id.
type made interface {
	Tar(context.Context) io.ReadCloser
}

// compressedAhead is how much of a layer is asked for at a time, in bytes: a small
// piece costs as many calls as a large one, and a checksum's beginning and end.
const compressedAhead = 64 << 10

// unpacked is a layer's tar. What is compressed with gzip is read faster than by
// go-containerregistry; its bytes are held against the layer's digest either way.
func unpacked(ctx context.Context, layer v1.Layer) (io.ReadCloser, error) {
	if m, ok := layer.(made); ok {
		if tar := m.Tar(ctx); tar != nil {
			return tar, nil
		}
	}
	mt, err := layer.MediaType()
	if err != nil {
		return nil, err
	}
	switch {
	case !layerTypes[mt]:
		return nil, fmt.Errorf("media type %s cannot be looked at", mt)
	case mt != types.OCILayer && mt != types.DockerLayer:
		return layer.Uncompressed()
	}
	raw, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bufio.NewReaderSize(raw, compressedAhead))
	if err != nil {
		raw.Close()
		return nil, err
	}
	return &unzipped{z, raw}, nil
}

// unzipped closes what it reads from.
type unzipped struct {
	*gzip.Reader
	raw io.ReadCloser
}

func (u *unzipped) Close() error { return errors.Join(u.Reader.Close(), u.raw.Close()) }
