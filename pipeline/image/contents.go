package image

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/evidence"
)

// Contents are what a base holds for one platform.
type Contents struct {
	// Config is the image's configuration.
	Config v1.Config
	// Packages are the distribution and what its databases list, sorted by
	// name; of the built-in base all.
	Packages []evidence.Package
	// Unread are the databases that nobody here can read, by path.
	Unread []string
	// Files is how many there are beside folders, and Size their bytes.
	Files int
	Size  int64

	files map[string]held
}

// Held is what one path holds.
type held struct {
	kind     byte
	mode     int64
	uid, gid int
	link     string
	size     int64
	sum      [sha256.Size]byte
}

// Contents reads the layers of the base's image for a platform.
func (b *Base) Contents(ctx context.Context, platform v1.Platform) (*Contents, error) {
	img, err := b.Image(platform)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading configuration of base %s: %w", b.Name, err)
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("reading base %s: %w", b.Name, err)
	}
	c := &Contents{Config: config.Config, files: make(map[string]held)}
	t, err := seeTree("the base "+b.Name, layers, func(p string, h *tar.Header, r io.Reader) error {
		sum := sha256.New()
		if _, err := io.Copy(sum, r); err != nil {
			return err
		}
		found := held{kind: h.Typeflag, mode: h.Mode & 0o7777, uid: h.Uid, gid: h.Gid, link: h.Linkname, size: h.Size}
		sum.Sum(found.sum[:0])
		c.files[p] = found
		return nil
	})
	if err != nil {
		return nil, err
	}
	for p, found := range c.files {
		if there, ok := t[p]; !ok || there.kind != found.kind {
			delete(c.files, p) // a later layer deleted it
			continue
		}
		if found.kind == tar.TypeDir {
			delete(c.files, p)
			continue
		}
		c.Files++
		if found.kind == tar.TypeReg {
			c.Size += found.size
		}
	}
	parts, err := b.take(ctx, layers)
	if err != nil {
		return nil, fmt.Errorf("reading packages of base %s: %w", b.Name, err)
	}
	c.Packages, c.Unread = slices.Clone(parts.packages), parts.unread
	slices.SortStableFunc(c.Packages, func(a, b evidence.Package) int {
		return strings.Compare(a.Name+"\x00"+a.Version, b.Name+"\x00"+b.Version)
	})
	return c, nil
}
