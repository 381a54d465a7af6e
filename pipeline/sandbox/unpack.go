package sandbox

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A Root is an image's files, laid out below a folder.
type Root struct {
	dir    string
	config v1.Config
	// was is what stood there before anything was started.
	was map[string]stamp
}

// maxUnpacked bounds what an image may take on the disk, in bytes.
const maxUnpacked = 8 << 30

// Unpack lays the layers of an image out below an empty folder, and makes the
// places that every runtime makes. Nothing is written outside of the folder,
// whatever the layers hold. Devices and pipes are refused.
func Unpack(ctx context.Context, img v1.Image, dir string) (*Root, error) {
	file, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading image config: %w", err)
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := root.Chmod(".", 0o755); err != nil {
		return nil, err
	}
	u := &unpacker{root: root, left: maxUnpacked}
	if u.alone, err = alone(); err != nil {
		return nil, err
	}
	for i, l := range layers {
		if err := u.layer(ctx, l); err != nil {
			return nil, fmt.Errorf("unpacking layer %d: %w", i+1, err)
		}
	}
	if err := u.furnish(); err != nil {
		return nil, err
	}
	r := &Root{dir: dir, config: file.Config}
	r.was, err = stamps(dir)
	return r, err
}

// An unpacker writes layers, one over the other.
type unpacker struct {
	root *os.Root
	left int64
	// alone says that there are no other users to give files to.
	alone bool
}

func (u *unpacker) layer(ctx context.Context, l v1.Layer) error {
	raw, err := l.Uncompressed()
	if err != nil {
		return err
	}
	defer raw.Close()
	added := make(map[string]bool)
	for r := tar.NewReader(raw); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := r.Next()
		if err == io.EOF {
			// To the end, where what was read is held against the layer's digest.
			_, err := io.Copy(io.Discard, raw)
			return err
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		if name == "" || h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if u.left -= h.Size; u.left < 0 {
			return fmt.Errorf("the image is larger than %d bytes", int64(maxUnpacked))
		}
		if err := u.entry(name, h, r, added); err != nil {
			return fmt.Errorf("/%s: %w", name, err)
		}
	}
}

// Names that begin with whiteout delete something of the layers below.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
const whiteout, opaque = ".wh.", ".wh..wh..opq"

func (u *unpacker) entry(name string, h *tar.Header, content io.Reader, added map[string]bool) error {
	dir, base := path.Split(name)
	switch {
	case base == opaque:
		return u.empty(path.Clean(dir), added)
	case strings.HasPrefix(base, whiteout):
		gone := dir + strings.TrimPrefix(base, whiteout)
		if added[gone] {
			return nil
		}
		return u.root.RemoveAll(gone)
	}
	for above := path.Dir(name); above != "."; above = path.Dir(above) {
		added[above] = true
	}
	added[name] = true
	if err := u.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if info, err := u.root.Lstat(name); err == nil && !(info.IsDir() && h.Typeflag == tar.TypeDir) {
		if err := u.root.RemoveAll(name); err != nil {
			return err
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if err := u.root.MkdirAll(name, 0o755); err != nil {
			return err
		}
	case tar.TypeReg:
		f, err := u.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	case tar.TypeLink:
		return u.root.Link(strings.TrimPrefix(path.Clean("/"+h.Linkname), "/"), name)
	case tar.TypeSymlink:
		if err := u.root.Symlink(h.Linkname, name); err != nil {
			return err
		}
		return u.own(name, h)
	default:
		return errors.New("it is no folder, file or link, and the sandbox makes nothing else")
	}
	// The owner first: to change it clears the setuid bit.
	if err := u.own(name, h); err != nil {
		return err
	}
	return u.root.Chmod(name, h.FileInfo().Mode())
}

// own gives a file to whom the layer says.
func (u *unpacker) own(name string, h *tar.Header) error {
	if u.alone {
		return nil
	}
	return u.root.Lchown(name, h.Uid, h.Gid)
}

// empty removes what is in a folder, except what this layer has added.
func (u *unpacker) empty(dir string, added map[string]bool) error {
	list, err := fs.ReadDir(u.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		name := path.Join(dir, e.Name())
		switch {
		case !added[name]:
			err = u.root.RemoveAll(name)
		case e.IsDir():
			err = u.empty(name, added)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// furnish makes what a runtime puts into every container: places to mount at,
// and files about names. Nobody answers at the name server's address, so that
// asking for a name ends at once.
func (u *unpacker) furnish() error {
	for _, dir := range mountPoints {
		if err := u.root.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making /%s: %w", dir, err)
		}
	}
	if err := u.root.MkdirAll("etc", 0o755); err != nil {
		return fmt.Errorf("making /etc: %w", err)
	}
	for name, content := range map[string]string{
		"etc/hosts":       "127.0.0.1 localhost\n" + Address + " " + hostname + "\n",
		"etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
	} {
		if err := u.root.RemoveAll(name); err != nil {
			return err
		}
		if err := u.root.WriteFile(name, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// mountPoints are where the sandbox mounts something of its own.
var mountPoints = []string{"dev", "proc", "tmp"}

// A stamp tells a file from what it was before.
type stamp struct {
	mode fs.FileMode
	size int64
	time int64
}

func stamps(dir string) (map[string]stamp, error) {
	all := make(map[string]stamp)
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		if slices.Contains(mountPoints, rel) {
			return filepath.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		s := stamp{mode: info.Mode()}
		if !d.IsDir() { // a folder's time tells what its entries tell as well
			s.size, s.time = info.Size(), info.ModTime().UnixNano()
		}
		all["/"+filepath.ToSlash(rel)] = s
		return nil
	})
	return all, err
}

// Written lists what was made, changed or removed below the root since it was
// unpacked, sorted; /tmp is nobody's business.
func (r *Root) Written() ([]string, error) {
	is, err := stamps(r.dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for name, s := range is {
		if r.was[name] != s {
			out = append(out, name)
		}
	}
	for name := range r.was {
		if _, there := is[name]; !there {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}
