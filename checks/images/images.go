// Package images holds the rules about container images, and reads what they
// look at.
//
// [Check] judges an image or every image of an index. It reads each layer once,
// from the lowest up, and keeps an [Entry] for everything that any layer
// holds, also for what an upper layer hides: a file that was deleted is still
// in the image for whoever pulls it. What cannot be read is an error, never a
// pass.
package images

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"temper/checks"
	"temper/checks/executables"
)

// An Image is what the rules look at: one platform's image, read whole.
type Image struct {
	// Digest is that of the image's manifest.
	Digest v1.Hash
	// Platform is os/arch as the configuration has it.
	Platform string
	Config   *v1.ConfigFile
	// Entries are those of every layer, in the order of the layers and, within
	// a layer, of its tar.
	Entries []Entry
	// Entrypoint is the file that the container starts; nil where the
	// configuration names none or no layer holds it.
	Entrypoint *Entry
	tree       *tree
	from       v1.Image
	place
}

// Command returns what the runtime executes: entrypoint and command joined.
func (img *Image) Command() []string {
	return append(append([]string(nil), img.Config.Config.Entrypoint...), img.Config.Config.Cmd...)
}

// Rules are the rules about an image, without those about its executable.
var Rules = []*checks.Check[*Image]{
	user, onlyExecutable, shell, packageManager, debugTool, setuid, capabilities, worldWritable,
	entrypoint, entrypointOwner, secret, emptyPassword, indexPlatform,
	lowPort, historyPackageManager, caCertificates, baseEOL,
}

// AllRules describes every rule that [Check] runs.
func AllRules() []checks.Rule {
	var rules []checks.Rule
	for _, c := range Rules {
		rules = append(rules, c.Rule)
	}
	for _, c := range executables.Rules {
		rules = append(rules, c.Rule)
	}
	return rules
}

// Options are what a check can go by. The zero value reads everything.
type Options struct {
	// Memory holds what was read before.
	Memory *Memory
	// ByDigest says that whoever gets the image gets it by its digest: from a registry, or
	// from a build that holds against it what it writes. Its layers are then not read if
	// the memory holds them.
	ByDigest bool
	// Why tells how the main package of a platform's binary comes to import
	// the package of that path, or one of the module of that path: the
	// packages from main to it. Nil where the sources are not at hand.
	Why func(platform, path string) ([]string, error)
}

// A Judgement is what a check came to, and what it looked at.
type Judgement struct {
	Report *checks.Report
	// Images are those that a runtime could start, in the order of the index.
	Images []*Image
}

// Check judges an image, or all images of an index, in one report about its
// digest. The name is what people call the subject.
func Check(ctx context.Context, name string, artifact mutate.Appendable, opts Options) (*Judgement, error) {
	digest, err := artifact.Digest()
	if err != nil {
		return nil, fmt.Errorf("checking %s: %w", name, err)
	}
	of := checks.Subject{Name: name, Digest: digest.String()}
	j := new(Judgement)
	var parts []*checks.Report
	left := maxManifests
	err = each(name, artifact, place{alone: true}, &left, func(v v1.Image, at place) error {
		img, err := opts.read(ctx, v)
		if err != nil {
			return fmt.Errorf("reading %s: %w", of.Name, err)
		}
		img.place = at
		part, err := opts.check(ctx, of, img)
		parts, j.Images = append(parts, part), append(j.Images, img)
		return err
	})
	if err != nil {
		return nil, err
	}
	j.Report, err = checks.Merge(of, parts...)
	return j, err
}

// maxManifests bounds what an index leads to: a few small indexes that name each
// other a hundred times over hold a million images.
const maxManifests = 256

// each calls f for every image that a runtime could start, and looks at no more
// manifests than are left.
func each(name string, artifact mutate.Appendable, at place, left *int, f func(v1.Image, place) error) error {
	switch a := artifact.(type) {
	case v1.Image:
		return f(a, at)
	case v1.ImageIndex:
		m, err := a.IndexManifest()
		if err != nil {
			return fmt.Errorf("reading index of %s: %w", name, err)
		}
		for _, d := range m.Manifests {
			if *left--; *left < 0 {
				return fmt.Errorf("%s leads to more than %d manifests, which is more than are looked at", name, maxManifests)
			}
			switch {
			case d.MediaType.IsIndex():
				inner, err := a.ImageIndex(d.Digest)
				if err != nil {
					return fmt.Errorf("reading %s in %s: %w", d.Digest, name, err)
				}
				if err := each(name, inner, at, left, f); err != nil {
					return err
				}
			case d.MediaType.IsImage():
				img, err := a.Image(d.Digest)
				if err != nil {
					return fmt.Errorf("reading %s in %s: %w", d.Digest, name, err)
				}
				statement, err := isStatement(img)
				if err != nil {
					return fmt.Errorf("reading %s in %s: %w", d.Digest, name, err)
				}
				if statement {
					continue
				}
				if err := f(img, place{named: d.Platform}); err != nil {
					return err
				}
			default:
				return fmt.Errorf("%s holds %s of media type %s, which cannot be looked at", name, d.Digest, d.MediaType)
			}
		}
		return nil
	}
	return fmt.Errorf("%s is neither an image nor an index but %T", name, artifact)
}

// isStatement tells whether a manifest holds nothing but in-toto statements,
// as buildkit puts them beside the images of an index. The platform
// unknown/unknown that it gives them proves nothing: the layers are asked.
func isStatement(img v1.Image) (bool, error) {
	m, err := img.Manifest()
	if err != nil {
		return false, err
	}
	for _, l := range m.Layers {
		if l.MediaType != "application/vnd.in-toto+json" && l.MediaType != "application/vnd.dsse.envelope.v1+json" {
			return false, nil
		}
	}
	return len(m.Layers) > 0, nil
}

func (o Options) check(ctx context.Context, of checks.Subject, img *Image) (*checks.Report, error) {
	r, err := checks.Run(ctx, of, img.Platform, img, Rules)
	if err != nil {
		return nil, err
	}
	e := img.Entrypoint
	if e == nil || e.Facts == nil {
		// Nothing to ask the other rules about: the entrypoint rule has found
		// that it is missing or no ELF executable. They have not run.
		return r, nil
	}
	exe := &executables.Subject{Facts: e.Facts, Path: e.Place(), Arch: img.Config.Architecture}
	if o.Why != nil {
		exe.Why = func(path string) ([]string, error) { return o.Why(img.Platform, path) }
	}
	x, err := checks.Run(ctx, of, img.Platform, exe, executables.Rules)
	if err != nil {
		return nil, err
	}
	return checks.Join(r, x), nil
}

// layerTypes are the media types of a layer that is a tar, compressed in a way
// that go-containerregistry undoes. A foreign layer is none: its bytes are
// somewhere else.
var layerTypes = map[types.MediaType]bool{
	types.OCILayer:                true,
	types.OCILayerZStd:            true,
	types.OCIUncompressedLayer:    true,
	types.DockerLayer:             true,
	types.DockerUncompressedLayer: true,
}
