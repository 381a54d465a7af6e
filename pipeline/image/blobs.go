package image

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A blobs is a folder that keeps content by its digest, in blobs/sha256/HEX,
// as an OCI layout does. Nothing in it is believed: every read is verified.
// Links that lead out of the folder are not followed.
type blobs string

// tempPrefix begins the names of files that are not yet whole.
const tempPrefix = ".temper-"

func blobName(h v1.Hash) string { return path.Join("blobs", h.Algorithm, h.Hex) }

// name is what people are told of a blob.
func (b blobs) name(h v1.Hash) string {
	return filepath.Join(string(b), filepath.FromSlash(blobName(h)))
}

// open returns the blob and its size. Reading it to its end verifies it. A
// negative want is a size that is not known.
func (b blobs) open(h v1.Hash, want int64) (io.ReadCloser, int64, error) {
	root, err := os.OpenRoot(string(b))
	if err != nil {
		return nil, 0, err
	}
	defer root.Close()
	info, err := root.Lstat(blobName(h))
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", b.name(h), bare(err))
	}
	if !info.Mode().IsRegular() { // a pipe would keep us waiting
		return nil, 0, fmt.Errorf("%s is no regular file", b.name(h))
	}
	if want >= 0 && info.Size() != want {
		return nil, 0, fmt.Errorf("%s has %d bytes, want %d", b.name(h), info.Size(), want)
	}
	f, err := root.Open(blobName(h))
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", b.name(h), bare(err))
	}
	r, err := verify(f, h, info.Size(), b.name(h))
	return r, info.Size(), err
}

// intact tells whether the blob is there, whole and unaltered, and its size.
func (b blobs) intact(h v1.Hash, want int64) (int64, bool) {
	r, size, err := b.open(h, want)
	if err != nil {
		return 0, false
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return size, err == nil
}

// put keeps what content returns, unless it is there already, and tells
// whether it wrote. What is there and damaged is replaced.
func (b blobs) put(h v1.Hash, size int64, content func() (io.ReadCloser, error)) (bool, error) {
	if b.untouched(h, size) {
		return false, nil
	}
	if _, ok := b.intact(h, size); ok {
		return false, nil
	}
	got, _, err := b.write(func(w io.Writer) error {
		r, err := content()
		if err != nil {
			return err
		}
		if r, err = verify(r, h, size, "blob "+h.String()); err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(w, r)
		return err
	})
	if err != nil {
		return false, err
	}
	if got != h { // only an algorithm other than sha256 comes here
		return false, fmt.Errorf("blob %s: digests other than sha256 are not written", h)
	}
	return true, nil
}

// write keeps what fill writes and returns its digest and size. The file gets
// its name only when it is whole.
func (b blobs) write(fill func(io.Writer) error) (h v1.Hash, size int64, err error) {
	root, err := os.OpenRoot(string(b))
	if err != nil {
		return h, 0, err
	}
	defer root.Close()
	if err := root.MkdirAll("blobs/sha256", 0o755); err != nil {
		return h, 0, err
	}
	hash := sha256.New()
	temp, err := writeTemp(root, func(f *os.File) error {
		if err := fill(io.MultiWriter(f, hash)); err != nil {
			return err
		}
		end, err := f.Seek(0, io.SeekCurrent)
		size = end
		return err
	})
	if err != nil {
		return h, 0, err
	}
	h = v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(hash.Sum(nil))}
	if err := root.Rename(temp, blobName(h)); err != nil {
		root.Remove(temp)
		// Windows does not replace a file that somebody reads.
		if _, ok := b.intact(h, size); !ok {
			return h, 0, err
		}
	}
	return h, size, nil
}

// replace gives the file new content all at once.
func replace(root *os.Root, name string, content []byte) error {
	temp, err := writeTemp(root, func(f *os.File) error {
		if _, err := f.Write(content); err != nil {
			return err
		}
		return f.Sync()
	})
	if err != nil {
		return err
	}
	if err := root.Rename(temp, name); err != nil {
		return errors.Join(err, root.Remove(temp))
	}
	return nil
}

// writeTemp writes a file under a name of its own and returns the name; after
// an error the file is gone.
func writeTemp(root *os.Root, fill func(*os.File) error) (string, error) {
	name := tempPrefix + rand.Text()
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return "", err
	}
	err = fill(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, root.Remove(name))
	}
	return name, nil
}

// clearTemps removes the files of that age that never became whole: whoever
// wrote them was interrupted.
func clearTemps(root *os.Root, age time.Duration) error {
	found, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	for _, d := range found {
		if !strings.HasPrefix(d.Name(), tempPrefix) {
			continue
		}
		if info, err := d.Info(); err == nil && (age == 0 || time.Since(info.ModTime()) > age) {
			root.Remove(d.Name())
		}
	}
	return nil
}

// bare takes the operation and the relative path off an error of package os;
// the caller tells the whole path.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
