package image

import (
	"archive/tar"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/evidence"
)

// The modes of what Temper puts into an image, whatever they are on disk.
const (
	fileMode = 0o444
	execMode = 0o555
	dirMode  = 0o755
	linkMode = 0o777
)

// An entry is one thing in a layer.
type entry struct {
	// path is absolute and clean, and slashed on every system.
	path string
	// kind is a type flag of package tar: TypeReg, TypeDir, TypeSymlink or
	// TypeLink.
	kind     byte
	mode     int64
	uid, gid int
	// link is where a TypeSymlink leads, or the path of a TypeLink's file.
	link string
	// size and open are a TypeReg's content.
	size int64
	open func() (io.ReadCloser, error)
	// digest is that of the content, zero where it is not known.
	digest v1.Hash
	// from says in people's words where the entry comes from.
	from string
}

// file returns an entry for bytes that Temper has at hand.
func file(path, content string) entry {
	return entry{
		path: path, kind: tar.TypeReg, mode: fileMode, size: int64(len(content)),
		open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
	}
}

// hash reads a file for what its content is.
func (e entry) hash() (v1.Hash, error) {
	r, err := e.open()
	if err != nil {
		return v1.Hash{}, err
	}
	defer r.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return v1.Hash{}, err
	}
	return hashed(sum), nil
}

// header leaves no room for what varies: times are the epoch, owners are
// numbers, there are no extended attributes. The format is USTAR unless a name
// needs PAX; package tar decides so by itself.
func (e entry) header() *tar.Header {
	h := &tar.Header{
		Typeflag: e.kind,
		Name:     strings.TrimPrefix(e.path, "/"),
		Mode:     e.mode,
		Uid:      e.uid,
		Gid:      e.gid,
		Size:     e.size,
		ModTime:  time.Unix(0, 0),
	}
	switch e.kind {
	case tar.TypeDir:
		h.Name += "/"
	case tar.TypeSymlink:
		h.Linkname = e.link
	case tar.TypeLink:
		h.Linkname = strings.TrimPrefix(e.link, "/")
	}
	return h
}

// writeTar writes the entries, which are sorted and complete. It tells note, if
// there is one, of each file and its content.
func writeTar(ctx context.Context, w io.Writer, entries []entry, note func(evidence.File)) error {
	tw := tar.NewWriter(w)
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := writeEntry(tw, e, note); err != nil {
			return fmt.Errorf("writing %s: %w", e.path, err)
		}
	}
	return tw.Close()
}

func writeEntry(tw *tar.Writer, e entry, note func(evidence.File)) error {
	if err := tw.WriteHeader(e.header()); err != nil {
		return err
	}
	if e.kind != tar.TypeReg {
		return nil
	}
	r, err := e.open()
	if err != nil {
		return err
	}
	defer r.Close()
	w := io.Writer(tw)
	sha256, sha1 := sha256.New(), sha1.New()
	p, ok := r.(interface{ Proves(v1.Hash) bool })
	known := ok && p.Proves(e.digest)
	switch {
	case note != nil && known:
		w = io.MultiWriter(tw, sha1)
	case note != nil:
		w = io.MultiWriter(tw, sha256, sha1)
	}
	n, err := io.Copy(w, r)
	if errors.Is(err, tar.ErrWriteTooLong) {
		return fmt.Errorf("%s is longer than the %d bytes it was: it changed while it was read", e.from, e.size)
	}
	if err != nil {
		return err
	}
	if n != e.size {
		return fmt.Errorf("%s is %d bytes and was %d: it changed while it was read", e.from, n, e.size)
	}
	if note != nil {
		f := evidence.File{Path: e.path, Digest: e.digest, SHA1: hex.EncodeToString(sha1.Sum(nil))}
		if !known {
			f.Digest = hashed(sha256)
		}
		note(f)
	}
	return nil
}
