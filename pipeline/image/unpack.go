package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ErrNoLayout says that an archive holds no OCI layout.
var ErrNoLayout = errors.New("it holds no OCI layout")

// Unpack puts the OCI layout that a tarball holds into an empty folder, for
// [Read]: what "docker save", "skopeo copy ... oci-archive:" and [WriteTarball]
// write. An archive without one, as older dockers and podman save them, is
// [ErrNoLayout]. Nothing but the layout's own files is unpacked and the
// manifest.json beside them, see [Loadable], and no more than the archive has
// bytes.
func Unpack(file, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	left, marked := info.Size(), false
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		name := path.Clean(h.Name)
		if h.Typeflag != tar.TypeReg || name != markFile && name != indexFile && name != manifestFile && !strings.HasPrefix(name, "blobs/") {
			continue
		}
		if left -= h.Size; left < 0 {
			return fmt.Errorf("reading %s: %s is larger than the archive it is in", file, name)
		}
		if err := unpack(root, name, r); err != nil {
			return fmt.Errorf("unpacking %s: %w", file, err)
		}
		marked = marked || name == markFile
	}
	if !marked {
		return fmt.Errorf("reading %s: %w", file, ErrNoLayout)
	}
	return nil
}

func unpack(root *os.Root, name string, from io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	// Of two entries of one name the one that was read first would stay, for one
	// reader, and the last for another.
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// Loadable holds what "docker load" of older dockers would take from an unpacked
// tarball, by its manifest.json, against the configurations of the images that
// its index.json leads to. Of two truths only one would be looked at.
func Loadable(dir string, known map[v1.Hash]bool) error {
	var list []archived
	if err := readJSON(filepath.Join(dir, manifestFile), &list); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, one := range list {
		h, err := v1.NewHash("sha256:" + path.Base(one.Config))
		if err != nil || one.Config != blobName(h) || !known[h] {
			return fmt.Errorf("its %s loads an image with the configuration %s, which its %s does not lead to", manifestFile, one.Config, indexFile)
		}
	}
	return nil
}

// Unambiguous says what is wrong with an archive that holds two entries of one
// name, of which one reader takes the first and another the last.
func Unambiguous(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	seen := make(map[string]bool)
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		name := path.Clean("/" + h.Name)
		if h.Typeflag != tar.TypeDir && seen[name] {
			return fmt.Errorf("reading %s: it holds %s twice, and readers differ in which they take", file, name)
		}
		seen[name] = true
	}
}
