package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"temper/checks/pattern"
)

const (
	// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
	layoutMark  = "oci-layout"
	layoutIndex = "index.json"
	// refName names an entry of index.json.
	// https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md
	refName = "org.opencontainers.image.ref.name"
	// kind is what "cosign save" calls an entry, in place of a name.
	// https://github.com/sigstore/cosign/blob/v2.6.5/pkg/oci/layout/index.go
	kind           = "kind"
	signaturesKind = "dev.cosignproject.cosign/sigs"
	envelopesKind  = "dev.cosignproject.cosign/atts"

	// maxSurveyed is how many entries all lists of a layout may hold together. Of
	// entries of a few bytes that take fifty times as much in memory, the bound on
	// the bytes that are read lets millions through.
	maxSurveyed = 16 * maxListed

	// inLayout stands for the repository of what lies in a layout. Nothing can be
	// reached by it. https://www.rfc-editor.org/rfc/rfc6761#section-6.4
	layoutHost = "layout.invalid"
	inLayout   = layoutHost + "/images"
)

// A Layout is an OCI layout in a folder, which is read as a registry is: with
// it as [Options.Layout], [Open] and [VerifySigner] look at the folder and at
// nothing else, and send no packet.
//
// It holds images and what belongs to them, as tools copy both: manifests that
// name their subject, in index.json or in a list under the tag that stands in
// for the referrers API, and legacy tags, or what "cosign save" has for them.
// Nothing is believed because it is at hand. Links are not followed, and every
// byte of an image is held against its digest, the layers too: whoever unpacks
// them may not look.
type Layout struct {
	path    string
	root    *os.Root
	entries descriptors
	survey  func() (*survey, error)

	mu     sync.Mutex
	intact map[v1.Hash]int64  // the sizes of blobs that were read to their end
	joined map[v1.Hash][]byte // manifests that several were made into
}

// OpenLayout opens the layout in a folder. The name is what it is called in
// references and errors, the folder's own if it is empty.
func OpenLayout(dir, called string) (*Layout, error) {
	if called == "" {
		called = dir
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening OCI layout: %w", err)
	}
	l := &Layout{path: called, root: root, intact: make(map[v1.Hash]int64), joined: make(map[v1.Hash][]byte)}
	l.survey = sync.OnceValues(l.look)
	if err := l.index(); err != nil {
		root.Close()
		return nil, err
	}
	return l, nil
}

// Close lets go of the folder.
func (l *Layout) Close() error { return l.root.Close() }

func (l *Layout) index() error {
	var version struct {
		Version string `json:"imageLayoutVersion"`
	}
	raw, err := l.file(layoutMark, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not an OCI layout: it has no file %s", l.path, layoutMark)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &version); err != nil || !strings.HasPrefix(version.Version, "1.") {
		return fmt.Errorf("%s is an OCI layout of version %q, want 1.0.0", l.path, version.Version)
	}
	if raw, err = l.file(layoutIndex, maxManifest); err != nil {
		return err
	}
	var index struct {
		MediaType types.MediaType `json:"mediaType"`
		Manifests descriptors     `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(l.path, layoutIndex), err)
	}
	if index.MediaType != "" && index.MediaType != types.OCIImageIndex {
		return fmt.Errorf("%s is a %s, want an OCI index", filepath.Join(l.path, layoutIndex), index.MediaType)
	}
	l.entries = index.Manifests
	return nil
}

// open opens a file of the layout. What is no regular file is not opened: a link
// leads somewhere, and a pipe would keep us waiting.
func (l *Layout) open(file string) (*os.File, int64, error) {
	info, err := l.root.Lstat(file)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", filepath.Join(l.path, file), bare(err))
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is no regular file", filepath.Join(l.path, file))
	}
	f, err := l.root.Open(file)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", filepath.Join(l.path, file), bare(err))
	}
	return f, info.Size(), nil
}

// bare takes the operation and the relative path off an error of package os.
func bare(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

func (l *Layout) file(file string, limit int64) ([]byte, error) {
	f, size, err := l.open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > limit {
		return nil, fmt.Errorf("%s %w (%d bytes)", filepath.Join(l.path, file), errTooLarge, limit)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

func blobFile(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }

// Stored is an image in an OCI layout. Its repository stands for the layout, and
// can be reached by nothing but [Options.Layout].
type Stored struct {
	name.Digest
	// Layout is what the layout is called, Called what the image is in it, empty
	// if that is nothing.
	Layout, Called string
}

func (s Stored) String() string {
	if s.Called == "" {
		return s.Layout + "@" + s.DigestStr()
	}
	return s.Layout + "#" + s.Called
}

// Images returns the images in the layout, each digest once, by name; those
// without one come last. What belongs to another is none: what names a subject,
// what lies under a tag made of a digest, and what is part of an index.
func (l *Layout) Images() ([]Stored, error) {
	s, err := l.survey()
	if err != nil {
		return nil, err
	}
	all := slices.Clone(s.images)
	seen := make(map[string]bool)
	return slices.DeleteFunc(all, func(one Stored) bool {
		was := seen[one.DigestStr()]
		seen[one.DigestStr()] = true
		return was
	}), nil
}

// Image returns the image by that name or digest.
func (l *Layout) Image(want string) (Stored, error) {
	s, err := l.survey()
	if err != nil {
		return Stored{}, err
	}
	var found []Stored
	var have []string
	for _, one := range s.images {
		if one.Called == want || one.DigestStr() == want {
			found = append(found, one)
		}
		if said := one.Called; said != "" {
			have = append(have, said)
		} else {
			have = append(have, one.DigestStr())
		}
	}
	switch {
	case len(found) == 0:
		return Stored{}, fmt.Errorf("%s holds no image %q; it holds: %s", l.path, want, shorten(have))
	case found[0].DigestStr() != found[len(found)-1].DigestStr():
		return Stored{}, fmt.Errorf("%s has several images named %s, such as %s and %s", l.path, want, found[0].DigestStr(), found[len(found)-1].DigestStr())
	}
	return found[0], nil
}

// A survey is what a look at all manifests in index.json tells.
type survey struct {
	images []Stored
	// referrers are by the digest of their subject.
	referrers map[v1.Hash][]v1.Descriptor
}

var (
	listTag     = pattern.New(`^(?:.*:)?sha256-([0-9a-f]{64})$`)
	attachedTag = pattern.New(`^(?:.*:)?sha256-[0-9a-f]{64}\.(?:sig|att|sbom)$`)
)

// attachedByName tells whether an entry holds what belongs to a manifest by the
// name that it has.
func attachedByName(d v1.Descriptor) bool {
	k := d.Annotations[kind]
	return k == signaturesKind || k == envelopesKind || attachedTag().MatchString(d.Annotations[refName])
}

// look reads every manifest in index.json once. One that cannot be read is an
// image: then there is somebody to say what is wrong with it.
func (l *Layout) look() (*survey, error) {
	s := &survey{referrers: make(map[v1.Hash][]v1.Descriptor)}
	inside := make(map[v1.Hash]bool)
	var images []v1.Descriptor
	left, listed := int64(maxEvidence), maxSurveyed
	type named struct {
		v1.Hash
		called string
	}
	seen := make(map[named]bool)
	for _, d := range l.entries {
		one := named{d.Digest, d.Annotations[refName]}
		if attachedByName(d) || seen[one] {
			continue
		}
		seen[one] = true
		var m struct {
			ArtifactType string            `json:"artifactType"`
			Config       *v1.Descriptor    `json:"config"`
			Manifests    descriptors       `json:"manifests"`
			Subject      *v1.Descriptor    `json:"subject"`
			Annotations  map[string]string `json:"annotations"`
		}
		raw, err := l.file(blobFile(d.Digest), maxManifest)
		if err == nil && hash(raw) == d.Digest {
			err = json.Unmarshal(raw, &m)
		}
		if err != nil {
			images = append(images, d)
			continue
		}
		if left -= int64(len(raw)); left < 0 {
			return nil, fmt.Errorf("the manifests in %s are too many to be looked at (%d bytes)", l.path, int64(maxEvidence))
		}
		if listed -= len(m.Manifests); listed < 0 {
			return nil, fmt.Errorf("the manifests in %s list too many others to be looked at (%d)", l.path, maxSurveyed)
		}
		switch list := listTag().FindStringSubmatch(d.Annotations[refName]); {
		case list != nil && m.Manifests != nil:
			subject := v1.Hash{Algorithm: "sha256", Hex: list[1]}
			s.referrers[subject] = append(s.referrers[subject], m.Manifests...)
		case m.Subject != nil:
			d.Annotations, d.ArtifactType = m.Annotations, m.ArtifactType
			if d.ArtifactType == "" && m.Config != nil {
				d.ArtifactType = string(m.Config.MediaType)
			}
			s.referrers[m.Subject.Digest] = append(s.referrers[m.Subject.Digest], d)
		default:
			for _, below := range m.Manifests {
				inside[below.Digest] = true
			}
			images = append(images, d)
		}
	}
	for _, d := range images {
		called := d.Annotations[refName]
		if called == "" && inside[d.Digest] {
			continue
		}
		digest, err := name.NewDigest(inLayout + "@" + d.Digest.String())
		if err != nil {
			return nil, err
		}
		s.images = append(s.images, Stored{Digest: digest, Layout: l.path, Called: called})
	}
	slices.SortStableFunc(s.images, func(a, b Stored) int {
		if (a.Called == "") != (b.Called == "") {
			return strings.Compare(b.Called, a.Called)
		}
		return strings.Compare(a.Called+"@"+a.DigestStr(), b.Called+"@"+b.DigestStr())
	})
	return s, nil
}

// under returns the manifest under a tag. Of the legacy tags, which hold layers
// and nothing else, there may be several: each tool that copied into the layout
// may have written its own, and "cosign save" does not say whose they are. Their
// layers are then those of one.
func (l *Layout) under(tag string) ([]byte, error) {
	var found []v1.Descriptor
	for _, d := range l.entries {
		called := d.Annotations[refName]
		named := called == tag || strings.HasSuffix(called, ":"+tag)
		k := d.Annotations[kind]
		if slices.ContainsFunc(found, func(other v1.Descriptor) bool { return other.Digest == d.Digest }) {
			continue
		}
		if named || k == signaturesKind && strings.HasSuffix(tag, signatureSuffix) || k == envelopesKind && strings.HasSuffix(tag, attestationSuffix) {
			found = append(found, d)
		}
	}
	var all struct {
		SchemaVersion int64           `json:"schemaVersion"`
		MediaType     types.MediaType `json:"mediaType"`
		Config        v1.Descriptor   `json:"config"`
		Layers        descriptors     `json:"layers"`
	}
	for i, d := range found {
		raw, err := l.blob(d.Digest, maxManifest)
		if err != nil || len(found) == 1 {
			return raw, err
		}
		m := all
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, fmt.Errorf("what %s names %w: %v", tag, errAltered, err)
		}
		if len(all.Layers)+len(m.Layers) > maxListed {
			return nil, fmt.Errorf("what %s names %w (%d layers)", tag, errTooLarge, maxListed)
		}
		if i > 0 {
			m.Layers = append(all.Layers, m.Layers...)
		}
		all = m
	}
	if len(found) == 0 {
		return nil, fs.ErrNotExist
	}
	raw, err := json.Marshal(all)
	l.mu.Lock()
	l.joined[hash(raw)] = raw
	l.mu.Unlock()
	return raw, err
}

// manifest reads a manifest by its digest.
func (l *Layout) manifest(h v1.Hash) ([]byte, error) {
	l.mu.Lock()
	raw := l.joined[h]
	l.mu.Unlock()
	if raw != nil {
		return raw, nil
	}
	return l.blob(h, maxManifest)
}

// blob reads a blob that is held in memory.
func (l *Layout) blob(h v1.Hash, limit int64) ([]byte, error) {
	raw, err := l.file(blobFile(h), limit)
	if err != nil {
		return nil, err
	}
	if hash(raw) != h {
		return nil, fmt.Errorf("%s %w", filepath.Join(l.path, blobFile(h)), errAltered)
	}
	return raw, nil
}

// size returns the size of a blob whose bytes are those of the digest; each is
// read once.
func (l *Layout) size(ctx context.Context, h v1.Hash) (int64, error) {
	l.mu.Lock()
	size, ok := l.intact[h]
	l.mu.Unlock()
	if ok {
		return size, nil
	}
	f, size, err := l.open(blobFile(h))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	got, read, err := v1.SHA256(&interruptible{ctx, f})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", filepath.Join(l.path, blobFile(h)), err)
	}
	if got != h || read != size {
		return 0, fmt.Errorf("%s %w", filepath.Join(l.path, blobFile(h)), errAltered)
	}
	l.mu.Lock()
	l.intact[h] = size
	l.mu.Unlock()
	return size, nil
}

// interruptible is read until the context ends.
type interruptible struct {
	ctx context.Context
	io.Reader
}

func (r *interruptible) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
