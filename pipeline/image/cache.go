package image

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
)

// A cache is a folder that keeps layers, so that content compressed or pulled
// once is not compressed or pulled again; empty, it keeps nothing.
//
// The blobs lie under their own digests. What says which blob an uncompressed
// tar became is a line of text, layers/FORMAT/HEX. A blob that does not have
// its digest is made again in its place; nothing is removed, for another build
// may have just made it. Whoever can write into the folder can
// still make a line name another whole blob; the image that comes of it has a
// layer that is not the one its configuration names, which every runtime
// refuses to unpack. So the folder belongs to one user, like Go's own cache.
type cache string

func (c cache) line(diffID v1.Hash) string {
	return path.Join("layers", fmt.Sprint(Format), diffID.Hex)
}

// find returns the layer of that diffID, nil where the cache does not have it
// or not as it was.
func (c cache) find(diffID v1.Hash) *layer {
	root, err := os.OpenRoot(string(c))
	if err != nil {
		return nil
	}
	defer root.Close()
	text, err := root.ReadFile(c.line(diffID))
	if err != nil {
		return nil
	}
	digest, err := v1.NewHash(strings.TrimSpace(string(text)))
	if err == nil {
		if size, ok := blobs(c).intact(digest, -1); ok {
			return c.layer(diffID, digest, size)
		}
	}
	return nil
}

// add compresses the entries into the cache.
func (c cache) add(ctx context.Context, entries []entry) (*layer, error) {
	if err := os.MkdirAll(string(c), 0o700); err != nil {
		return nil, fmt.Errorf("making the layer cache: %w", err)
	}
	var diffID v1.Hash
	digest, size, err := blobs(c).write(func(w io.Writer) (err error) {
		diffID, err = compressTar(ctx, w, entries, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(string(c))
	if err != nil {
		return nil, fmt.Errorf("writing the layer cache: %w", err)
	}
	defer root.Close()
	line := c.line(diffID)
	if err := root.MkdirAll(path.Dir(line), 0o755); err != nil {
		return nil, fmt.Errorf("writing the layer cache: %w", err)
	}
	if err := clearTemps(root, sweepAge); err != nil { // there is no lock: others are writing theirs
		return nil, fmt.Errorf("clearing the layer cache: %w", err)
	}
	if err := replace(root, line, []byte(digest.String()+"\n")); err != nil {
		return nil, fmt.Errorf("writing the layer cache: %w", err)
	}
	return c.layer(diffID, digest, size), nil
}

func (c cache) layer(diffID, digest v1.Hash, size int64) *layer {
	return &layer{diffID: diffID, digest: digest, size: size, compressed: func() (io.ReadCloser, error) {
		r, _, err := blobs(c).open(digest, size)
		return r, err
	}}
}

// through returns the layer of a registry as one that is pulled at most once.
func (c cache) through(l v1.Layer) (v1.Layer, error) {
	if c == "" {
		return l, nil
	}
	return partial.CompressedToLayer(&pulled{l, c})
}

// A pulled layer lies in the cache from its first reading on.
type pulled struct {
	v1.Layer
	cache cache
}

// Descriptor keeps what the base's manifest says of the layer.
func (p *pulled) Descriptor() (*v1.Descriptor, error) { return partial.Descriptor(p.Layer) }

func (p *pulled) Compressed() (io.ReadCloser, error) {
	desc, err := p.Descriptor()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(string(p.cache), 0o700); err != nil {
		return nil, fmt.Errorf("making the layer cache: %w", err)
	}
	if _, err := blobs(p.cache).put(desc.Digest, desc.Size, p.Layer.Compressed); err != nil {
		return nil, fmt.Errorf("pulling %s: %w", desc.Digest, err)
	}
	r, _, err := blobs(p.cache).open(desc.Digest, desc.Size)
	return r, err
}
