// Package image makes images out of binaries, and keeps them in OCI layouts.
//
// [Assemble] puts a service's static files and its binary, one layer each, on
// top of a [Base]. What comes out depends on the content of the binary and the
// files, on the service's configuration, on the base and on [Format], and on
// nothing else: no clock, no path or mode or user of the machine, no number of
// cores.
//
// [Write] puts images and what is known of them (package evidence) into an OCI
// layout, and [Read] is its mirror. [WriteTarball] writes what `docker load`
// and `podman load` take.
package image

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"temper/pipeline/binary"
	"temper/pipeline/service"
)

// Format is the version of how Temper makes binaries, layers and configurations. It
// changes whenever the same input gives another digest. Since 2 no debug information is
// made that the linker drops.
const Format = 2

// The annotations that say what an image was built upon.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md
const (
	baseName   = "org.opencontainers.image.base.name"
	baseDigest = "org.opencontainers.image.base.digest"
)

// Options are what callers of [Assemble] differ in.
type Options struct {
	// Cache is a folder that keeps compressed layers from one run to the next;
	// empty to compress everything and keep nothing.
	Cache string
	// Watch is given the tar of each layer that is compressed, and not taken from the cache,
	// as it begins, and reads it meanwhile; nil for nobody.
	Watch func(tar io.ReadCloser)
	// Created is when the image claims to have been made, to the second; the
	// zero time stands for the Unix epoch.
	Created time.Time
}

// Assemble returns the image of the service: a [v1.Image] for one binary, a
// [v1.ImageIndex] with a platform for each of several, in their order.
//
// Nothing of the base is replaced and no static file is executable: a file
// that would stand where the base or another has something is an error, and so
// is a link that leads out of what is copied.
func Assemble(ctx context.Context, svc *service.Service, base *Base, opts Options, bins ...*binary.Binary) (mutate.Appendable, error) {
	if len(bins) == 0 {
		return nil, fmt.Errorf("assembling %s: there is no binary", svc.Name)
	}
	files, err := assets(svc)
	if err != nil {
		return nil, fmt.Errorf("assembling %s: %w", svc.Name, err)
	}
	a := &assembly{svc: svc, base: base, cache: cache(opts.Cache), watch: opts.Watch, created: v1.Time{Time: epoch}, files: files}
	if !opts.Created.IsZero() {
		a.created.Time = opts.Created.UTC().Truncate(time.Second)
	}
	var members []member
	for _, bin := range bins {
		platform := plain(bin.Platform)
		if slices.ContainsFunc(members, func(m member) bool { return SamePlatform(m.platform, platform) }) {
			return nil, fmt.Errorf("assembling %s: there are two binaries for %s", svc.Name, platform)
		}
		img, err := a.image(ctx, platform, bin)
		if err != nil {
			return nil, fmt.Errorf("assembling %s for %s: %w", svc.Name, platform, err)
		}
		members = append(members, member{platform, img})
	}
	if len(members) == 1 {
		return members[0].image, nil
	}
	idx, err := newIndex(a.annotations(base.Digest), members)
	if err != nil {
		return nil, fmt.Errorf("assembling %s: %w", svc.Name, err)
	}
	return idx, nil
}

// An assembly is what the images of a service have in common.
type assembly struct {
	svc     *service.Service
	base    *Base
	cache   cache
	watch   func(io.ReadCloser)
	created v1.Time
	files   []entry

	// The layer of static files, and what it was made of: the platforms of a
	// base rarely differ in the folders above.
	assets  *layer
	entries []entry
}

func (a *assembly) annotations(base v1.Hash) map[string]string {
	annotations := map[string]string{baseDigest: base.String()}
	if a.base.Reference != "" {
		annotations[baseName] = a.base.Reference
	}
	return annotations
}

func (a *assembly) image(ctx context.Context, platform v1.Platform, bin *binary.Binary) (v1.Image, error) {
	from, err := a.base.Image(platform)
	if err != nil {
		return nil, err
	}
	digest, err := from.Digest()
	if err != nil {
		return nil, err
	}
	config, err := from.ConfigFile()
	if err != nil {
		return nil, err
	}
	below, tree, err := a.base.below(ctx, platform, from, a.cache)
	if err != nil {
		return nil, err
	}
	own, err := a.layers(ctx, maps.Clone(tree), bin)
	if err != nil {
		return nil, err
	}
	return newImage(&v1.ConfigFile{
		OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant,
		Created: a.created,
		Config:  a.config(config.Config),
	}, a.annotations(digest), append(withHistory(below, config.History), own...)...)
}

// layers returns the service's own layers, on top of the tree.
func (a *assembly) layers(ctx context.Context, t tree, bin *binary.Binary) ([]mutate.Addendum, error) {
	var own []mutate.Addendum
	add := func(l *layer, by string) {
		own = append(own, mutate.Addendum{Layer: l, History: v1.History{Created: a.created, CreatedBy: by}})
	}
	if len(a.files) > 0 {
		entries, err := t.lay(a.files...)
		if err != nil {
			return nil, err
		}
		if a.assets == nil || !slices.EqualFunc(entries, a.entries, sameEntry) {
			if a.assets, err = newLayer(ctx, entries, a.cache, a.watch); err != nil {
				return nil, err
			}
			a.entries = entries
		}
		add(a.assets, "temper assets")
	}
	entries := []entry{executable(a.svc.Path, bin)}
	if dir := a.svc.Workdir; dir != "" && dir != "/" && t[dir].kind != tar.TypeDir {
		entries = append(entries, entry{path: dir, kind: tar.TypeDir, mode: dirMode, from: "the working directory"})
	}
	entries, err := t.lay(entries...)
	if err != nil {
		return nil, err
	}
	l, err := newLayer(ctx, entries, a.cache, a.watch)
	if err != nil {
		return nil, err
	}
	add(l, "temper binary "+a.svc.Path)
	return own, nil
}

// executable returns the binary's entry. It is read only as what it was when
// package binary looked at it.
func executable(at string, bin *binary.Binary) entry {
	return entry{path: path.Clean(at), kind: tar.TypeReg, mode: execMode, size: bin.Size, digest: bin.Digest, from: "the binary",
		open: func() (io.ReadCloser, error) {
			if held := bin.Held(); held != nil {
				return proven{held, bin.Digest}, nil
			}
			f, err := os.Open(bin.Path)
			if err != nil {
				return nil, err
			}
			return verify(f, bin.Digest, bin.Size, bin.Path)
		}}
}

// A proven reader reads what is known to have a digest. It is nothing but a reader, so that
// it is read in small pieces: who reads does several things with each.
type proven struct {
	io.Reader
	digest v1.Hash
}

func (p proven) Proves(digest v1.Hash) bool { return p.digest == digest }
func (proven) Close() error                 { return nil }

// sameEntry tells whether two entries of one assembly are the same.
func sameEntry(a, b entry) bool {
	a.open, b.open = nil, nil // the same path of the same repository
	return fmt.Sprint(a) == fmt.Sprint(b)
}

// config returns the image's configuration. Of the base's it keeps the
// environment and the working directory: its labels and its entrypoint are
// about another image.
func (a *assembly) config(base v1.Config) v1.Config {
	c := v1.Config{
		User:       a.svc.User,
		Entrypoint: []string{a.svc.Path},
		Cmd:        a.svc.Args,
		WorkingDir: a.svc.Workdir,
		Labels:     a.svc.Labels,
		Env:        environment(base.Env, a.svc.Env),
	}
	if c.WorkingDir == "" {
		c.WorkingDir = base.WorkingDir
	}
	if len(a.svc.Ports) > 0 {
		c.ExposedPorts = make(map[string]struct{})
		for _, port := range a.svc.Ports {
			c.ExposedPorts[strconv.Itoa(port)+"/tcp"] = struct{}{}
		}
	}
	return c
}

// environment returns the base's variables, but for those that the service
// sets, and then the service's own, sorted.
func environment(base []string, own map[string]string) []string {
	var env []string
	for _, v := range base {
		name, _, _ := strings.Cut(v, "=")
		if _, ok := own[name]; !ok {
			env = append(env, v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		env = append(env, name+"="+own[name])
	}
	return env
}

// withHistory gives each layer of the base its history. Where a base has none,
// or one that does not fit its layers, the layers get an entry each: docker
// wants one for every layer, or none at all.
func withHistory(layers []mutate.Addendum, history []v1.History) []mutate.Addendum {
	n := 0
	for _, h := range history {
		if !h.EmptyLayer {
			n++
		}
	}
	if n != len(layers) {
		for i := range layers {
			layers[i].History = v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "base"}
		}
		return layers
	}
	var all []mutate.Addendum
	for _, h := range history {
		next := mutate.Addendum{}
		if !h.EmptyLayer {
			next, layers = layers[0], layers[1:]
		}
		next.History = h
		all = append(all, next)
	}
	return all
}
