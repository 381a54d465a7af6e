package image

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"

	"temper/checks/memory"
	"temper/pipeline/evidence"
	"temper/pipeline/store"
)

// A cache is a folder that keeps layers, so that content compressed or pulled
// once is not compressed or pulled again; empty, it keeps nothing.
//
// The blobs lie under their own digests. A record (package memory, in layers)
// says which blob a list of entries became, by all that is in them, so that they
// need not even be read. A blob that does not have its digest is made again in its
// place; nothing is removed, for another build may have just made it. Whoever can
// write into the folder can still make a record name another whole blob. So the folder
// belongs to one user, like Go's own cache.
type cache string

// A record is what is kept of a layer.
type record struct {
	DiffID, Digest v1.Hash
	Files          []evidence.File
}

// records are those that this very program has written: another one may make another
// tar of the same entries.
func (c cache) records() (*memory.Folder, error) {
	folder, err := memory.Open(filepath.Join(string(c), "layers"))
	if err != nil {
		return nil, fmt.Errorf("making the layer cache: %w", err)
	}
	return folder, nil
}

// find returns the layer of a key, nil where the cache does not have it or not as
// it was.
func (c cache) find(key string) (*layer, error) {
	records, err := c.records()
	if err != nil {
		return nil, err
	}
	var r record
	if json.Unmarshal(records.Load(key), &r) != nil {
		return nil, nil
	}
	size, ok := blobs(c).intact(r.Digest, -1)
	if !ok {
		return nil, nil
	}
	store.Used(blobs(c).name(r.Digest))
	return c.layer(r, size), nil
}

// add compresses the entries into the cache. Their contents are those that the key
// was made of, or it is an error.
func (c cache) add(ctx context.Context, key string, entries []entry, contents map[string]v1.Hash) (*layer, error) {
	records, err := c.records()
	if err != nil {
		return nil, err
	}
	var r record
	found := make(map[string]evidence.File)
	digest, size, err := blobs(c).write(func(w io.Writer) (err error) {
		r.DiffID, err = compressTar(ctx, w, entries, func(f evidence.File) { found[f.Path] = f })
		return err
	})
	if err != nil {
		return nil, err
	}
	for path, f := range found {
		if f.Digest != contents[path] {
			return nil, fmt.Errorf("%s changed while it was read", path)
		}
	}
	r.Digest, r.Files = digest, filesOf(entries, found)
	if err := c.sweep(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if err := records.Save(key, text); err != nil {
		return nil, fmt.Errorf("writing the layer cache: %w", err)
	}
	return c.layer(r, size), nil
}

// sweep removes what interrupted builds have left. There is no lock: others are
// writing theirs.
func (c cache) sweep() error {
	root, err := os.OpenRoot(string(c))
	if err != nil {
		return fmt.Errorf("clearing the layer cache: %w", err)
	}
	defer root.Close()
	if err := clearTemps(root, sweepAge); err != nil {
		return fmt.Errorf("clearing the layer cache: %w", err)
	}
	return nil
}

func (c cache) layer(r record, size int64) *layer {
	return &layer{diffID: r.DiffID, digest: r.Digest, size: size, files: these(r.Files), compressed: func() (io.ReadCloser, error) {
		content, _, err := blobs(c).open(r.Digest, size)
		return content, err
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
