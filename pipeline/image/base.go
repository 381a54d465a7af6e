package image

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"temper/pipeline/service"
)

const (
	// DistrolessReference is what service.DistrolessBase stands for:
	// gcr.io/distroless/static on Debian 13 with a user of its own, the index as
	// it was in autumn 2026.
	// https://github.com/GoogleContainerTools/distroless
	DistrolessReference = "gcr.io/distroless/static-debian13:nonroot" +
		"@sha256:f7f8f729987ad0fdf6b05eeeae94b26e6a0f613bdf46feea7fc40f7bd72953e6"

	// DistrolessIdentity is who signs it, DistrolessIssuer who vouches for them.
	// Package release checks that they did.
	// https://github.com/GoogleContainerTools/distroless#how-do-i-verify-distroless-images
	DistrolessIdentity = "keyless@distroless.iam.gserviceaccount.com"
	DistrolessIssuer   = "https://accounts.google.com"
)

// A Base is the image that a service's own layers are put upon.
type Base struct {
	// Name is what temper.yaml says. For an OCI layout that is a path of this
	// machine, which goes into no image.
	Name string
	// Reference is the base's name without its digest, fit for the annotation
	// org.opencontainers.image.base.name; empty for a layout that names none.
	Reference string
	// Digest is that of the base's index, or of the image where there is none.
	Digest v1.Hash

	// One of the two is nil.
	image v1.Image
	index v1.ImageIndex
	// remote tells that reading a layer takes the network.
	remote bool
	// attached is what lies beside the base in a layout.
	attached []v1.Image

	mu    sync.Mutex
	trees map[v1.Hash]tree     // by digest of a platform's image
	parts map[string]baseParts // by platform
}

// newBase returns the base that an image or an index makes.
func newBase(name, reference string, artifact mutate.Appendable) (*Base, error) {
	b := &Base{Name: name, Reference: reference, trees: make(map[v1.Hash]tree), parts: make(map[string]baseParts)}
	switch a := artifact.(type) {
	case v1.ImageIndex:
		b.index = a
	case v1.Image:
		b.image = a
	default:
		return nil, fmt.Errorf("base %s is neither an image nor an index", name)
	}
	var err error
	b.Digest, err = artifact.Digest()
	return b, err
}

// OpenBase returns the base of that name: "builtin", "distroless", a reference
// to a registry with a digest, or the absolute path of an OCI layout that
// holds one image or index. Only a registry needs the network and the options.
func OpenBase(ctx context.Context, ref string, opts ...remote.Option) (*Base, error) {
	switch {
	case ref == service.BuiltinBase:
		return Builtin()
	case ref == service.DistrolessBase:
		return pullBase(ctx, service.DistrolessBase, DistrolessReference, opts)
	case filepath.IsAbs(ref):
		return layoutBase(ref)
	}
	return pullBase(ctx, ref, ref, opts)
}

// pullBase reads the manifest; layers are pulled when they are read.
func pullBase(ctx context.Context, base, ref string, opts []remote.Option) (*Base, error) {
	tagged, _, pinned := strings.Cut(ref, "@")
	if !pinned {
		if _, err := name.ParseReference(ref); err != nil {
			return nil, fmt.Errorf("base %q is not builtin, distroless, an image by digest or the absolute path of an OCI layout", ref)
		}
		return nil, fmt.Errorf("base %s has no digest, so it can change at any time; write %s@sha256:... (`crane digest %s` says which)", ref, ref, ref)
	}
	digest, err := name.NewDigest(ref)
	if err != nil {
		return nil, fmt.Errorf("base %s: %w", ref, err)
	}
	desc, err := remote.Get(digest, append([]remote.Option{remote.WithContext(ctx)}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("reading base %s: %w", ref, err)
	}
	var artifact mutate.Appendable
	switch {
	case desc.MediaType.IsIndex():
		artifact, err = desc.ImageIndex()
	case desc.MediaType.IsImage():
		artifact, err = desc.Image()
	default:
		err = fmt.Errorf("its media type is %s, which is neither an image nor an index", desc.MediaType)
	}
	if err != nil {
		return nil, fmt.Errorf("reading base %s: %w", ref, err)
	}
	b, err := newBase(base, canonical(tagged, digest.Context()), artifact)
	if err != nil {
		return nil, fmt.Errorf("reading base %s: %w", ref, err)
	}
	b.remote = true
	return b, nil
}

// canonical returns the whole name of a repository, with the tag if one is
// written.
func canonical(tagged string, repository name.Repository) string {
	if tag, err := name.NewTag(tagged); err == nil && strings.HasSuffix(tagged, ":"+tag.TagStr()) {
		return tag.Name()
	}
	return repository.Name()
}

// layoutBase reads the one image or index of an OCI layout, and what may be
// its signatures.
func layoutBase(dir string) (*Base, error) {
	entries, beside, err := baseEntries(dir)
	if err != nil {
		return nil, fmt.Errorf("reading base %s: %w", dir, err)
	}
	if len(entries) != 1 {
		list := make([]string, len(entries))
		for i, e := range entries {
			list[i] = strings.TrimSpace(e.Annotations[refName] + " " + e.Digest.String())
		}
		return nil, fmt.Errorf("base %s holds %d images, want 1: %s", dir, len(entries), strings.Join(list, ", "))
	}
	artifact, err := blobs(dir).artifact(entries[0])
	if err != nil {
		return nil, fmt.Errorf("reading base %s: %w", dir, err)
	}
	b, err := newBase(dir, entries[0].Annotations[refName], artifact)
	if err != nil {
		return nil, fmt.Errorf("reading base %s: %w", dir, err)
	}
	for _, d := range beside {
		// Anybody may have put it there: what cannot be read signs nothing.
		if img, err := blobs(dir).image(d); err == nil {
			b.attached = append(b.attached, img)
		}
	}
	return b, nil
}

// Attached returns the images that lie in an OCI layout beside the base, such
// as its signatures. Nothing else has any: a registry is asked for them.
func (b *Base) Attached() []v1.Image { return b.attached }

// Remote returns the base's place in its registry, by the digest of what was
// read, or false if it comes from nowhere.
func (b *Base) Remote() (name.Digest, bool) {
	if !b.remote {
		return name.Digest{}, false
	}
	ref, err := name.ParseReference(b.Reference)
	if err != nil {
		return name.Digest{}, false
	}
	return ref.Context().Digest(b.Digest.String()), true
}

// Artifact returns the base itself, an image or an index.
func (b *Base) Artifact() mutate.Appendable {
	if b.image != nil {
		return b.image
	}
	return b.index
}

// Image returns the base's image for a platform, or an error that lists the
// platforms it has.
func (b *Base) Image(platform v1.Platform) (v1.Image, error) {
	if b.image != nil {
		return b.checked(b.image, platform)
	}
	m, err := b.index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("reading base %s: %w", b.Name, err)
	}
	var has []string
	for _, d := range m.Manifests {
		if d.Platform == nil || !d.MediaType.IsImage() || d.Platform.OS == "unknown" { // buildkit's attestations
			continue
		}
		if SamePlatform(*d.Platform, platform) {
			img, err := b.index.Image(d.Digest)
			if err != nil {
				return nil, fmt.Errorf("reading base %s for %s: %w", b.Name, platform, err)
			}
			return b.checked(img, platform)
		}
		has = append(has, d.Platform.String())
	}
	if len(has) == 0 {
		has = []string{"none that names its platform"}
	}
	return nil, fmt.Errorf("base %s has no image for %s; it has: %s", b.Name, platform, strings.Join(has, ", "))
}

// checked returns the image if it is what it says for the platform.
func (b *Base) checked(img v1.Image, platform v1.Platform) (v1.Image, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading configuration of base %s: %w", b.Name, err)
	}
	got := v1.Platform{OS: config.OS, Architecture: config.Architecture, Variant: config.Variant}
	if got.OS != platform.OS || got.Architecture != platform.Architecture ||
		b.index == nil && !SamePlatform(got, platform) { // many an index knows a variant that its image does not
		return nil, fmt.Errorf("base %s has no image for %s; it has: %s", b.Name, platform, got)
	}
	return img, nil
}

// defaultVariants are what an architecture means without a variant.
// https://github.com/containerd/platforms/blob/v1.0.0/database.go
var defaultVariants = map[string]string{"arm": "v7", "arm64": "v8", "amd64": "v1"}

// plain returns the platform without what it does not need.
func plain(p v1.Platform) v1.Platform {
	if p.Variant == defaultVariants[p.Architecture] && p.Architecture != "arm" {
		p.Variant = ""
	}
	return v1.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}
}

// SamePlatform tells whether two platforms are one, of which one may not write
// the variant that its architecture has anyway.
func SamePlatform(a, b v1.Platform) bool {
	variant := func(p v1.Platform) string {
		if p.Variant == "" {
			return defaultVariants[p.Architecture]
		}
		return p.Variant
	}
	return a.OS == b.OS && a.Architecture == b.Architecture && variant(a) == variant(b)
}

// below returns the layers of the base's image for a platform, fit for a
// manifest of ours, and what they put where.
func (b *Base) below(ctx context.Context, platform v1.Platform, img v1.Image, c cache) ([]mutate.Addendum, tree, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, nil, err
	}
	adds := make([]mutate.Addendum, len(layers))
	for i, l := range layers {
		if b.remote {
			if l, err = c.through(l); err != nil {
				return nil, nil, err
			}
		}
		if layers[i], err = ociLayer(l); err != nil {
			return nil, nil, fmt.Errorf("layer %d: %w", i+1, err)
		}
		adds[i].Layer = layers[i]
	}
	digest, err := img.Digest()
	if err != nil {
		return nil, nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trees[digest] == nil {
		if b.trees[digest], err = readTree("the base "+b.Name, layers); err != nil {
			return nil, nil, err
		}
	}
	if _, ok := b.parts[platform.String()]; !ok {
		parts, err := b.take(ctx, layers)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the packages of the base %s: %w", b.Name, err)
		}
		b.parts[platform.String()] = parts
	}
	return adds, b.trees[digest], nil
}

// ociLayer returns the layer, under its OCI media type if it has docker's: the
// bytes are the same.
func ociLayer(l v1.Layer) (v1.Layer, error) {
	t, err := l.MediaType()
	if err != nil {
		return nil, err
	}
	switch t {
	case types.OCILayer, types.OCILayerZStd, types.OCIUncompressedLayer:
		return l, nil
	case types.DockerLayer:
		return &renamed{l, types.OCILayer}, nil
	case types.DockerUncompressedLayer:
		return &renamed{l, types.OCIUncompressedLayer}, nil
	}
	return nil, fmt.Errorf("its media type %s is not that of a layer that may be passed on", t)
}

// A renamed layer has another media type.
type renamed struct {
	v1.Layer
	mediaType types.MediaType
}

func (r *renamed) MediaType() (types.MediaType, error) { return r.mediaType, nil }

// Descriptor keeps what else the base's manifest says of the layer.
func (r *renamed) Descriptor() (*v1.Descriptor, error) {
	d, err := partial.Descriptor(r.Layer)
	if err != nil {
		return nil, err
	}
	d = d.DeepCopy()
	d.MediaType = r.mediaType
	return d, nil
}
