package inventory

import (
	"archive/tar"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"runtime/debug"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"temper/pipeline/evidence"
)

// Bounds on what an image may make a reader do, far above any honest one.
const (
	maxContent  = 64 << 30  // bytes of one layer, uncompressed
	maxHoles    = 256 << 20 // bytes of one layer's sparse files that are not in it
	maxEntries  = 1 << 20   // entries of all layers, and as many folders
	maxPath     = 4096      // PATH_MAX of Linux
	maxDatabase = 32 << 20  // bytes of all databases, also of those that are deleted
)

// layerTypes are the media types of a layer that is a tar. A foreign layer is
// none: its bytes are somewhere else.
var layerTypes = map[types.MediaType]bool{
	types.OCILayer:                true,
	types.OCILayerZStd:            true,
	types.OCIUncompressedLayer:    true,
	types.DockerLayer:             true,
	types.DockerUncompressedLayer: true,
}

// Names that begin with whiteout delete something of the layers below.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
const (
	whiteout       = ".wh."
	opaqueWhiteout = ".wh..wh..opq"
)

// A reading is that of one image.
type reading struct {
	ctx context.Context
	// whole asks for the files as well, and not for the databases alone.
	whole bool
	root  *folder

	entries, kept int
}

// A file is a regular one.
type file struct {
	evidence.File
	// content is that of a database, nil for all else.
	content []byte
	// info is a Go executable's.
	info *debug.BuildInfo
}

// A change is what one entry of a layer does.
type change struct {
	path string
	// file is what a TypeReg is, link the target of a TypeLink.
	kind byte
	file *file
	link string
}

func (r *reading) layer(l v1.Layer, want v1.Hash) error {
	mt, err := l.MediaType()
	if err != nil {
		return err
	}
	if !layerTypes[mt] {
		return fmt.Errorf("media type %s cannot be looked at", mt)
	}
	raw, err := l.Uncompressed()
	if err != nil {
		return err
	}
	defer raw.Close()
	in := &counted{r: raw, ctx: r.ctx, sum: sha256.New()}
	var changes []change
	for tr := tar.NewReader(in); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if r.entries++; r.entries > maxEntries {
			return fmt.Errorf("the image has more than %d files", maxEntries)
		}
		c, err := r.change(h, &files{r: tr, in: in})
		if err != nil {
			return fmt.Errorf("%q: %w", h.Name, err)
		}
		if c.path != "" {
			changes = append(changes, c)
		}
	}
	// What follows the tar's end belongs to the digest too.
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	if got := hex.EncodeToString(in.sum.Sum(nil)); want.Algorithm != "sha256" || got != want.Hex {
		return fmt.Errorf("its content has digest sha256:%s, the config says %s", got, want)
	}
	return r.apply(changes)
}

// change reads an entry. Its path is empty where it changes nothing.
func (r *reading) change(h *tar.Header, content io.Reader) (change, error) {
	if len(h.Name) > maxPath || len(h.Linkname) > maxPath {
		return change{}, fmt.Errorf("the path is longer than %d bytes", maxPath)
	}
	at, err := clean(h.Name)
	if err != nil || at == "" {
		return change{}, err
	}
	c := change{path: at, kind: h.Typeflag}
	switch h.Typeflag {
	case tar.TypeXGlobalHeader:
		return change{}, nil
	case tar.TypeLink:
		c.link, err = clean(h.Linkname)
		return c, err
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		c.kind = tar.TypeReg
		c.file, err = r.file(at, content)
		return c, err
	}
	return c, nil
}

// clean returns a path without a leading slash, empty for the root.
func clean(name string) (string, error) {
	for element := range strings.SplitSeq(name, "/") {
		if element == ".." {
			return "", errors.New("the path leaves the image")
		}
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/"), nil
}

func (r *reading) file(at string, content io.Reader) (*file, error) {
	f := &file{File: evidence.File{Path: "/" + at}}
	if isDatabase(at) {
		raw, err := io.ReadAll(io.LimitReader(content, int64(maxDatabase-r.kept)+1))
		if err != nil {
			return nil, err
		}
		if r.kept += len(raw); r.kept > maxDatabase {
			return nil, fmt.Errorf("the databases of packages have more than %d bytes", maxDatabase)
		}
		f.content = raw
		content = strings.NewReader(string(raw))
	}
	if !r.whole {
		_, err := io.Copy(io.Discard, content)
		return f, err
	}
	sha256, sha1 := sha256.New(), sha1.New()
	content = io.TeeReader(content, io.MultiWriter(sha256, sha1))
	magic := make([]byte, 4)
	n, err := io.ReadFull(content, magic)
	switch {
	case err == nil && string(magic) == "\x7fELF":
		f.info, err = info(io.MultiReader(strings.NewReader(string(magic[:n])), content))
	case err == nil:
		_, err = io.Copy(io.Discard, content)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // the tar reader has its own for a cut
		err = nil
	}
	f.Digest = v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sha256.Sum(nil))}
	f.SHA1 = hex.EncodeToString(sha1.Sum(nil))
	return f, err
}

// info returns the build info of an ELF file, nil where Go has written none. The
// file goes to disk on the way: ELF is read out of order, and may be of any
// size.
func info(r io.Reader) (*debug.BuildInfo, error) {
	f, err := os.CreateTemp("", "temper-elf-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := io.Copy(f, r); err != nil {
		return nil, err
	}
	found, err := buildinfo.Read(f)
	if err != nil {
		return nil, nil // it is listed as a file
	}
	return found, nil
}

// apply changes the tree. Whiteouts go first: they are about the layers below,
// wherever in their own they stand.
func (r *reading) apply(changes []change) error {
	for _, c := range changes {
		dir, name := path.Split(c.path)
		switch {
		case name == opaqueWhiteout:
			r.root.empty(strings.TrimSuffix(dir, "/"))
		case strings.HasPrefix(name, whiteout):
			r.root.remove(dir + strings.TrimPrefix(name, whiteout))
		}
	}
	for _, c := range changes {
		if strings.HasPrefix(path.Base(c.path), whiteout) {
			continue
		}
		f := c.file
		if c.kind == tar.TypeLink {
			if there := r.root.find(c.link); there != nil {
				one := *there
				one.Path = "/" + c.path
				f = &one
			}
		}
		if err := r.root.put(c.path, c.kind == tar.TypeDir, f); err != nil {
			return err
		}
	}
	return nil
}

// files are the contents of a layer's files. A sparse one has bytes that the
// layer has not: zeros without end, if nobody counts them.
type files struct {
	r  io.Reader
	in *counted
}

func (f *files) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if f.in.files += int64(n); f.in.files > f.in.n+maxHoles {
		return n, fmt.Errorf("sparse files have more than %d bytes that are not in the layer", int64(maxHoles))
	}
	if ctx := f.in.ctx.Err(); ctx != nil {
		return n, ctx
	}
	return n, err
}

// counted hashes what is read, stops at the bound and when the context ends.
type counted struct {
	r        io.Reader
	ctx      context.Context
	sum      hash.Hash
	n, files int64
}

func (c *counted) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.sum.Write(p[:n])
	if c.n += int64(n); c.n > maxContent {
		return n, fmt.Errorf("more than %d bytes", int64(maxContent))
	}
	return n, err
}
