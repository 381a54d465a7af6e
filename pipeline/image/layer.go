package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"

	"temper/pipeline/evidence"
)

// A layer is a gzipped tar of Temper's own; it implements v1.Layer.
type layer struct {
	diffID, digest v1.Hash
	size           int64
	compressed     func() (io.ReadCloser, error)
	// files are those in it, links by the content that they name.
	files func() ([]evidence.File, error)
	// made are the entries that it was just compressed from, nil if it was not.
	made []entry
}

// these are files that are known.
func these(files []evidence.File) func() ([]evidence.File, error) {
	return func() ([]evidence.File, error) { return files, nil }
}

// Tar writes once more the tar that was just compressed into this layer, which is faster
// than to decompress it. It is nil where the layer was found, and nobody knows of what it
// was made.
func (l *layer) Tar(ctx context.Context) io.ReadCloser {
	if l.made == nil {
		return nil
	}
	return tarring(ctx, l.made)
}

// tarring is the tar of entries, written as it is read.
func tarring(ctx context.Context, entries []entry) io.ReadCloser {
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeTar(ctx, w, entries, nil)) }()
	return r
}

func (l *layer) Digest() (v1.Hash, error)            { return l.digest, nil }
func (l *layer) DiffID() (v1.Hash, error)            { return l.diffID, nil }
func (l *layer) Size() (int64, error)                { return l.size, nil }
func (l *layer) MediaType() (types.MediaType, error) { return types.OCILayer, nil }
func (l *layer) Compressed() (io.ReadCloser, error)  { return l.compressed() }
func (l *layer) Uncompressed() (io.ReadCloser, error) {
	r, err := l.compressed()
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &unzipper{z, r}, nil
}

// An unzipper closes what it reads from, too.
type unzipper struct {
	*gzip.Reader
	from io.Closer
}

func (u *unzipper) Close() error { return errors.Join(u.Reader.Close(), u.from.Close()) }

// newLayer compresses the entries, or takes what an earlier run has compressed
// from the cache. Without a cache the layer lies in memory, compressed.
func newLayer(ctx context.Context, entries []entry, c cache, watch func(io.ReadCloser)) (*layer, error) {
	if c == "" {
		content := make(map[string]evidence.File)
		var buf bytes.Buffer
		l := &layer{}
		sum := sha256.New()
		diffID, err := compressTar(ctx, io.MultiWriter(&buf, sum), entries, func(f evidence.File) { content[f.Path] = f })
		if err != nil {
			return nil, err
		}
		l.diffID, l.digest, l.size, l.files = diffID, hashed(sum), int64(buf.Len()), these(filesOf(entries, content))
		l.compressed = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil }
		return l, nil
	}
	key, contents, err := keyOf(entries)
	if err != nil {
		return nil, err
	}
	if l, err := c.find(key); err != nil || l != nil {
		return l, err
	}
	if watch != nil {
		watch(tarring(ctx, entries))
	}
	return c.add(ctx, key, entries, contents)
}

// keyOf names entries by all that is in a layer of them, and returns the digests of
// the files among them. What is known of a file is not read again.
func keyOf(entries []entry) (key string, contents map[string]v1.Hash, err error) {
	contents = make(map[string]v1.Hash)
	sum := sha256.New()
	for _, e := range entries {
		digest := e.digest
		if e.kind == tar.TypeReg && digest == (v1.Hash{}) {
			if digest, err = e.hash(); err != nil {
				return "", nil, fmt.Errorf("reading %s: %w", e.path, err)
			}
		}
		contents[e.path] = digest
		fmt.Fprintf(sum, "%q %d %o %d:%d %q %d %s\n", e.path, e.kind, e.mode, e.uid, e.gid, e.link, e.size, digest)
	}
	return hex.EncodeToString(sum.Sum(nil)), contents, nil
}

// read lists the files in the layer, as filesOf does.
func (l *layer) read() ([]evidence.File, error) {
	r, err := l.Uncompressed()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var files []evidence.File
	content := make(map[string]evidence.File)
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		f := content["/"+h.Linkname]
		switch h.Typeflag {
		case tar.TypeReg:
			sha256, sha1 := sha256.New(), sha1.New()
			if _, err := io.Copy(io.MultiWriter(sha256, sha1), in); err != nil {
				return nil, err
			}
			f = evidence.File{Digest: hashed(sha256), SHA1: hex.EncodeToString(sha1.Sum(nil))}
			content["/"+h.Name] = f
		case tar.TypeLink:
		default:
			continue
		}
		f.Path = "/" + h.Name
		files = append(files, f)
	}
}

// filesOf lists the files among the entries, by what was written of them.
func filesOf(entries []entry, content map[string]evidence.File) []evidence.File {
	var files []evidence.File
	for _, e := range entries {
		switch e.kind {
		case tar.TypeReg:
			files = append(files, content[e.path])
		case tar.TypeLink:
			f := content[e.link]
			f.Path = e.path
			files = append(files, f)
		}
	}
	return files
}

// compressTar writes the entries as a gzipped tar and returns the digest of
// the tar.
func compressTar(ctx context.Context, w io.Writer, entries []entry, note func(evidence.File)) (v1.Hash, error) {
	sum := sha256.New()
	err := compress(w, func(z io.Writer) error {
		return writeTar(ctx, io.MultiWriter(z, sum), entries, note)
	})
	return hashed(sum), err
}

func hashed(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}
