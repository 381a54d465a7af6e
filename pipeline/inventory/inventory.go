// Package inventory lists what an image is made of, whoever built it, from the
// image's own bytes: its files, the packages that its distribution's databases
// name, and the Go executables with the modules in them.
//
// [Read] unpacks the layers as a runtime does; what an upper layer deletes is
// not listed. Everything it reads may be a stranger's: what cannot be read is an
// error, and what is too large as well.
package inventory

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/evidence"
)

// An Inventory is what an image holds.
type Inventory struct {
	// Files are all regular files and the hard links to them, by path.
	Files []evidence.File
	// Packages begin with the distribution itself, where there is an os-release.
	Packages []evidence.Package
	// Executables are those with Go build info: what the image starts first, then
	// by path.
	Executables []evidence.Executable
	// Unread are the databases of packages that nobody here can read, by path.
	Unread []string
}

// maxLayers is far above any honest image.
const maxLayers = 1024

// Read takes the inventory of a whole image. Each layer must be the one that
// the configuration names.
func Read(ctx context.Context, img v1.Image) (*Inventory, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading image config: %w", err)
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("reading layers: %w", err)
	}
	if len(layers) != len(config.RootFS.DiffIDs) {
		return nil, fmt.Errorf("the image has %d layers and its config %d", len(layers), len(config.RootFS.DiffIDs))
	}
	r, err := read(ctx, layers, config.RootFS.DiffIDs, true)
	if err != nil {
		return nil, err
	}
	inv := &Inventory{}
	if inv.Packages, inv.Unread, err = r.packages(); err != nil {
		return nil, err
	}
	for _, f := range r.files() {
		inv.Files = append(inv.Files, f.File)
		if f.info != nil {
			inv.Executables = append(inv.Executables, evidence.Executable{File: f.File, Go: f.info})
		}
	}
	if start := append(slices.Clone(config.Config.Entrypoint), config.Config.Cmd...); len(start) > 0 {
		at := path.Clean("/" + start[0])
		i := slices.IndexFunc(inv.Executables, func(x evidence.Executable) bool { return x.Path == at })
		if i > 0 {
			first := inv.Executables[i]
			inv.Executables = slices.Insert(slices.Delete(inv.Executables, i, i+1), 0, first)
		}
	}
	return inv, nil
}

// Packages lists the packages in some layers, the lowest first, and the
// databases that nobody here can read.
func Packages(ctx context.Context, layers []v1.Layer) (list []evidence.Package, unread []string, err error) {
	want := make([]v1.Hash, len(layers))
	for i, l := range layers {
		if want[i], err = l.DiffID(); err != nil {
			return nil, nil, fmt.Errorf("reading layer %d: %w", i, err)
		}
	}
	r, err := read(ctx, layers, want, false)
	if err != nil {
		return nil, nil, err
	}
	return r.packages()
}

// read unpacks layers.
func read(ctx context.Context, layers []v1.Layer, want []v1.Hash, whole bool) (*reading, error) {
	if len(layers) > maxLayers {
		return nil, fmt.Errorf("the image has %d layers, more than %d", len(layers), maxLayers)
	}
	r := &reading{ctx: ctx, whole: whole, root: newFolder()}
	for i, l := range layers {
		if err := r.layer(l, want[i]); err != nil {
			return nil, fmt.Errorf("reading layer %d: %w", i, err)
		}
	}
	return r, nil
}

// packages reads the databases that are there.
func (r *reading) packages() (list []evidence.Package, unread []string, err error) {
	var release distribution
	for _, at := range []string{"etc/os-release", "usr/lib/os-release"} { // the first is often a link to the second
		if f := r.root.find(at); f != nil && f.content != nil {
			release = parseRelease(f.content)
			list = append(list, release.pkg())
			break
		}
	}
	add := func(at string, f *file, parse func([]byte, distribution) ([]evidence.Package, error)) error {
		if f == nil || f.content == nil {
			return nil
		}
		found, err := parse(f.content, release)
		if err != nil {
			return fmt.Errorf("reading /%s: %w", at, err)
		}
		list = append(list, found...)
		if len(list) > maxPackages {
			return fmt.Errorf("reading /%s: more than %d packages", at, maxPackages)
		}
		return nil
	}
	if err := add(dpkgStatus, r.root.find(dpkgStatus), parseDpkg); err != nil {
		return nil, nil, err
	}
	for name, f := range r.root.in(dpkgFolder) {
		if strings.HasSuffix(name, ".md5sums") {
			continue
		}
		if err := add(dpkgFolder+"/"+name, f, parseDpkg); err != nil {
			return nil, nil, err
		}
	}
	for _, at := range apkDatabases {
		if err := add(at, r.root.find(at), parseAPK); err != nil {
			return nil, nil, err
		}
	}
	for _, at := range foreign {
		if r.root.has(at) {
			unread = append(unread, "/"+at)
		}
	}
	return list, unread, nil
}

// maxPackages bounds what databases may list; the largest of distributions has
// fewer.
const maxPackages = 1 << 17

// Where distributions keep what is installed. Distroless images have a file for
// each package in a folder.
const (
	dpkgStatus = "var/lib/dpkg/status"
	dpkgFolder = "var/lib/dpkg/status.d"
)

var (
	apkDatabases = []string{"lib/apk/db/installed", "usr/lib/apk/db/installed"}
	foreign      = []string{
		"var/lib/rpm/Packages", "var/lib/rpm/Packages.db", "var/lib/rpm/rpmdb.sqlite",
		"usr/lib/sysimage/rpm/Packages.db", "usr/lib/sysimage/rpm/rpmdb.sqlite", "usr/share/rpm/rpmdb.sqlite",
		"var/lib/pacman/local",
	}
)

// isDatabase tells the files whose content is kept until all layers are read.
func isDatabase(at string) bool {
	switch at {
	case "etc/os-release", "usr/lib/os-release", dpkgStatus:
		return true
	}
	dir, name := path.Split(at)
	return slices.Contains(apkDatabases, at) || dir == dpkgFolder+"/" && !strings.HasSuffix(name, ".md5sums")
}
