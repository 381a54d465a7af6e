package difference

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// What a layer may have, whoever made it: the sizes bound the disk, the numbers
// the memory.
var (
	maxUnpacked int64 = 8 << 30
	maxEntries        = 1 << 18
	maxNames          = 64 << 20 // bytes of names, links and attributes
)

// An unpacked layer is its tar, in a file, and what that holds by path.
type unpacked struct {
	file *os.File
	// sum is the digest of the tar.
	sum     string
	entries map[string]entry
}

func (u *unpacked) close() {
	u.file.Close()
	os.Remove(u.file.Name())
}

// An entry is what a layer has at one path; of several, the last.
type entry struct {
	kind       byte
	mode       int64
	uid, gid   int
	owned      string // names of user and group, which Temper does not write
	link       string
	time       string
	attributes string
	size       int64
	sum        string // of the content, empty for what has none
	offset     int64  // of the content in the tar
	count      int    // of entries for the path
}

func (e entry) kindName() string {
	switch e.kind {
	case tar.TypeReg:
		return "a file"
	case tar.TypeDir:
		return "a folder"
	case tar.TypeSymlink:
		return "a symbolic link"
	case tar.TypeLink:
		return "a hard link"
	}
	return fmt.Sprintf("a special file of type %q", string(e.kind))
}

func (e entry) owner() string {
	if e.owned != "" {
		return fmt.Sprintf("%d:%d (%s)", e.uid, e.gid, e.owned)
	}
	return fmt.Sprintf("%d:%d", e.uid, e.gid)
}

func (e entry) String() string {
	if e.sum == "" {
		return fmt.Sprintf("%s, %04o", e.kindName(), e.mode)
	}
	return fmt.Sprintf("%s of %d bytes, %04o, %s", e.kindName(), e.size, e.mode, e.sum)
}

// unpack writes the layer's tar into a file and reads what it holds. The layer
// verifies the bytes that it gives out.
func unpack(ctx context.Context, l v1.Layer, tmp string) (_ *unpacked, err error) {
	r, err := l.Uncompressed()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := os.CreateTemp(tmp, "layer-*")
	if err != nil {
		return nil, err
	}
	u := &unpacked{file: f, entries: make(map[string]entry)}
	defer func() {
		if err != nil {
			u.close()
		}
	}()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(withContext{ctx, r}, maxUnpacked+1))
	if err != nil {
		return nil, err
	}
	if n > maxUnpacked {
		return nil, fmt.Errorf("it has more than %d bytes", maxUnpacked)
	}
	u.sum = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return u, u.read(ctx)
}

// read fills the entries.
func (u *unpacked) read(ctx context.Context) error {
	names := 0
	for t := tar.NewReader(u.file); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		e := entry{
			kind: h.Typeflag, mode: h.Mode, uid: h.Uid, gid: h.Gid, link: h.Linkname, size: h.Size,
			time: h.ModTime.UTC().Format(time.RFC3339Nano), attributes: attributes(h),
		}
		if h.Uname != "" || h.Gname != "" {
			e.owned = h.Uname + ":" + h.Gname
		}
		if h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeGNUSparse {
			if e.offset, err = u.file.Seek(0, io.SeekCurrent); err != nil { // tar reads not a byte ahead
				return err
			}
			sum := sha256.New()
			if _, err := io.Copy(sum, t); err != nil {
				return err
			}
			e.sum = "sha256:" + hex.EncodeToString(sum.Sum(nil))
		}
		p := path.Clean("/" + h.Name)
		before, again := u.entries[p]
		e.count = before.count + 1
		u.entries[p] = e
		names += len(e.link) + len(e.attributes) + len(e.owned)
		if !again {
			names += len(p)
		}
		if len(u.entries) > maxEntries || names > maxNames {
			return fmt.Errorf("it holds more than %d files, or names of more than %d bytes", maxEntries, maxNames)
		}
	}
}

// attributes are what else the tar says of a file, sorted.
func attributes(h *tar.Header) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(h.PAXRecords)) {
		switch k {
		case "path", "linkpath", "size", "uid", "gid", "uname", "gname", "mtime":
			continue // told already
		}
		all = append(all, fmt.Sprintf("%s=%q", k, h.PAXRecords[k]))
	}
	if h.Devmajor != 0 || h.Devminor != 0 {
		all = append(all, fmt.Sprintf("device=%d:%d", h.Devmajor, h.Devminor))
	}
	return strings.Join(all, ", ")
}

// content is that of a file in the layer.
func (u *unpacked) content(e entry) *io.SectionReader {
	return io.NewSectionReader(u.file, e.offset, e.size)
}

// withContext ends a long read when it is no longer wanted.
type withContext struct {
	context.Context
	r io.Reader
}

func (w withContext) Read(p []byte) (int, error) {
	if err := w.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}
