package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
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
// place. Nobody reads one for that which nobody has touched since it was held against
// its digest; reading it into an image does so in any case ([Altered]). Nothing is
// removed, for another build may have just made it. Whoever can write into the folder can
// still make a record name another whole blob. So the folder belongs to one user, like
// Go's own cache.
type cache string

// A record is what is kept of a layer.
type record struct {
	DiffID, Digest v1.Hash
	Size           int64
	Files          []evidence.File
	// Untouched is the stamp of the blob that was found whole; empty where it has not
	// rested since.
	Untouched string `json:",omitempty"`
}

// Altered tells whether a layer of an image or an index, as [Assemble] has taken it from the
// cache, is not what it was, although nobody seemed to have touched it. Assembling again
// makes it anew.
func Altered(artifact mutate.Appendable) bool {
	any := false
	for _, img := range imagesOf(artifact) {
		layers, err := img.Layers()
		if err != nil {
			return false // they have been named before
		}
		for _, l := range layers {
			r, err := l.Compressed()
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				r.Close()
			}
			any = any || errors.As(err, new(alteredError))
		}
	}
	return any
}

// imagesOf are those that [Assemble] has made.
func imagesOf(artifact mutate.Appendable) []v1.Image {
	switch a := artifact.(type) {
	case v1.Image:
		return []v1.Image{a}
	case *index:
		return slices.Collect(maps.Values(a.images))
	}
	return nil
}

// An alteredError is that of a layer in the cache.
type alteredError struct{ error }

func (e alteredError) Unwrap() error { return e.error }

// records are those that this very program has written: another one may make another
// tar of the same entries.
func (c cache) records() (records, error) {
	folder, err := memory.Open(filepath.Join(string(c), "layers"))
	if err != nil {
		return records{}, fmt.Errorf("making the layer cache: %w", err)
	}
	return records{folder}, nil
}

type records struct{ *memory.Folder }

func (f records) save(key string, r record) error {
	text, err := json.Marshal(r)
	if err == nil {
		err = f.Save(key, text)
	}
	if err != nil {
		return fmt.Errorf("writing the layer cache: %w", err)
	}
	return nil
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
	name := blobs(c).name(r.Digest)
	store.Used(name)
	info, err := os.Lstat(name)
	if err != nil || info.Size() != r.Size {
		return nil, nil
	}
	if is := store.Stamp(info); is != "" && is == r.Untouched {
		return c.layer(records, key, r), nil
	}
	if _, ok := blobs(c).intact(r.Digest, r.Size); !ok {
		return nil, nil
	}
	if r.Untouched = store.Rested(info); r.Untouched != "" {
		err = records.save(key, r)
	}
	return c.layer(records, key, r), err
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
	r.Digest, r.Size, r.Files = digest, size, filesOf(entries, found)
	if err := c.sweep(); err != nil {
		return nil, err
	}
	l := c.layer(records, key, r)
	l.made = entries
	return l, records.save(key, r)
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

func (c cache) layer(in records, key string, r record) *layer {
	l := &layer{diffID: r.DiffID, digest: r.Digest, size: r.Size, files: these(r.Files)}
	l.compressed = func() (io.ReadCloser, error) {
		content, _, err := blobs(c).open(r.Digest, r.Size)
		if err != nil {
			return nil, alteredError{err}
		}
		return &doubted{content, func() error {
			r.Untouched = ""
			return in.save(key, r)
		}}, nil
	}
	return l
}

// A doubted blob is looked at the next time, if it turns out not to be what it is taken for.
type doubted struct {
	io.ReadCloser
	forget func() error
}

func (d *doubted) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = alteredError{errors.Join(err, d.forget())}
	}
	return n, err
}

// Proves is that of what it reads.
func (d *doubted) Proves(digest v1.Hash) bool {
	p, ok := d.ReadCloser.(interface{ Proves(v1.Hash) bool })
	return ok && p.Proves(digest)
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
