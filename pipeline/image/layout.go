package image

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/gofrs/flock"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"temper/pipeline/evidence"
)

const (
	// refName is the annotation that names an entry of a layout.
	// https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md
	refName = "org.opencontainers.image.ref.name"

	// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
	markFile  = "oci-layout"
	mark      = `{"imageLayoutVersion":"1.0.0"}`
	indexFile = "index.json"

	// lockFile is what writers lock. It stays: to remove it would let two of
	// them hold different files of one name.
	lockFile = ".temper.lock"
)

// An Entry is an image in an OCI layout, and what is known of it.
type Entry struct {
	// Name is the service's; it is empty for an image that another tool has
	// put into a layout without a name.
	Name string
	// Artifact is a [v1.Image] or a [v1.ImageIndex].
	Artifact mutate.Appendable
	// Statements are the unsigned statements about the image or its platforms.
	Statements []*evidence.Statement
	// Referrers are the other OCI 1.1 artifacts that refer to the image or its
	// platforms, such as signatures.
	Referrers []v1.Image
}

// Write puts the entries into the OCI layout in a folder, which it makes if it
// is not there.
//
// An entry replaces the one of its name, with the statements about it; the
// others stay. Each statement becomes a referrer of every image that it names
// as subject and the entry holds; one that names none of them is an error.
//
// Writers wait for one another. Blobs are written first, each whole before it
// gets its name, and index.json is replaced last: after an error the layout is
// what it was. Blobs that nothing needs any more are then removed. A folder
// that holds something else is refused and left alone.
func Write(dir string, entries ...Entry) error { return write(dir, false, entries) }

// Replace is [Write] into a layout that is then to hold these entries and no
// other that has a name.
func Replace(dir string, entries ...Entry) error { return write(dir, true, entries) }

func write(dir string, alone bool, entries []Entry) error {
	if err := named(entries); err != nil {
		return err
	}
	l, err := openLayout(dir)
	if err != nil {
		return err
	}
	defer l.close()
	if err := l.update(entries, alone); err != nil {
		return fmt.Errorf("writing %s: %w", dir, err)
	}
	return nil
}

// named refuses entries without a name of their own.
func named(entries []Entry) error {
	seen := make(map[string]bool)
	for _, e := range entries {
		if e.Name == "" {
			return errors.New("an image needs a name to be kept by")
		}
		if seen[e.Name] {
			return fmt.Errorf("two images are named %s", e.Name)
		}
		seen[e.Name] = true
	}
	return nil
}

// A layout is an OCI layout that is being written, under its lock.
type layout struct {
	dir  string
	root *os.Root
	blobs
	held *flock.Flock
	// there are the blobs that this writer has put, each once: images have layers in
	// common. Of those, written were not there before.
	noting  sync.Mutex
	there   map[sized]func() error
	written []v1.Hash
}

// A sized blob is one of which a manifest says how large it is.
type sized struct {
	digest v1.Hash
	size   int64
}

func openLayout(dir string) (*layout, error) {
	if err := usable(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making OCI layout: %w", err)
	}
	l := &layout{dir: dir, blobs: blobs(dir), there: make(map[sized]func() error), held: flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o644))}
	err := l.held.Lock()
	if err != nil {
		return nil, fmt.Errorf("locking OCI layout %s: %w", dir, err)
	}
	if l.root, err = os.OpenRoot(dir); err != nil {
		return nil, errors.Join(err, l.held.Unlock())
	}
	if err := l.begin(); err != nil {
		l.close()
		return nil, fmt.Errorf("opening OCI layout %s: %w", dir, err)
	}
	return l, nil
}

func (l *layout) close() {
	l.root.Close()
	l.held.Unlock() // the end of the process unlocks as well
}

// usable refuses a folder that holds something other than a layout.
func usable(dir string) error {
	found, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(found) == 0 || slices.ContainsFunc(found, func(d fs.DirEntry) bool { return d.Name() == markFile }) {
		return nil
	}
	for _, d := range found {
		// What another writer begins with.
		if d.Name() != lockFile && !strings.HasPrefix(d.Name(), tempPrefix) {
			return fmt.Errorf("%s is not an OCI layout and not empty (it holds %s); choose another folder", dir, d.Name())
		}
	}
	return nil
}

// begin marks the folder as a layout and clears away what a writer that was
// interrupted has left half-written.
func (l *layout) begin() error {
	if err := clearTemps(l.root, 0); err != nil {
		return err
	}
	if _, err := l.root.Stat(markFile); err == nil {
		return nil
	}
	return replace(l.root, markFile, []byte(mark))
}

// update replaces the entries, and with alone those of other names too.
func (l *layout) update(entries []Entry, alone bool) error {
	before, err := readIndex(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		before, err = &v1.IndexManifest{}, nil
	}
	if err != nil {
		return err
	}
	after := &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Annotations: before.Annotations}
	added, err := l.addAll(entries)
	if err != nil {
		l.undo(before)
		return err
	}
	after.Manifests = ordered(slices.Concat(added...))
	if reflect.DeepEqual(after, before) {
		return nil // nothing is new, nothing goes
	}
	after.Manifests = ordered(append(after.Manifests, l.keep(before.Manifests, after.Manifests, alone)...))
	raw, err := json.MarshalIndent(after, "", "  ")
	if err != nil {
		return err
	}
	if err := replace(l.root, indexFile, append(raw, '\n')); err != nil {
		l.undo(before)
		return err
	}
	l.sweep(before, after)
	return nil
}

// ordered are the entries of index.json as they stand there, each once.
func ordered(all []v1.Descriptor) []v1.Descriptor {
	slices.SortStableFunc(all, byName)
	return slices.CompactFunc(all, func(a, b v1.Descriptor) bool {
		return byName(a, b) == 0 && maps.Equal(a.Annotations, b.Annotations)
	})
}

// byName sorts images with a name before those without.
func byName(a, b v1.Descriptor) int {
	key := func(d v1.Descriptor) string {
		name, ok := d.Annotations[refName]
		if !ok {
			name = "\xff" // no name in UTF-8 comes after it
		}
		return name + "\x00" + d.Digest.String()
	}
	return strings.Compare(key(a), key(b))
}

// addAll writes the blobs of entries, several at once, and returns what index.json says
// of each.
func (l *layout) addAll(entries []Entry) ([][]v1.Descriptor, error) {
	added, errs := make([][]v1.Descriptor, len(entries)), make([]error, len(entries))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, e := range entries {
		g.Go(func() error {
			if added[i], errs[i] = l.add(e); errs[i] != nil {
				errs[i] = fmt.Errorf("%s: %w", e.Name, errs[i])
			}
			return nil // the first of them is told, whichever came first
		})
	}
	g.Wait()
	return added, cmp.Or(errs...)
}

// add writes the blobs of an entry and returns what index.json says of it.
func (l *layout) add(e Entry) ([]v1.Descriptor, error) {
	subjects, err := l.putArtifact(e.Artifact)
	if err != nil {
		return nil, err
	}
	image := subjects[0]
	image.Annotations = map[string]string{refName: e.Name}
	if img, single := e.Artifact.(v1.Image); single {
		// syft and others choose by it, and an index has it already.
		if image.Platform, err = platformOf(img); err != nil {
			return nil, err
		}
	}
	added := []v1.Descriptor{image}
	refer := func(ref v1.Image) error {
		desc, err := l.putReferrer(ref)
		added = append(added, desc)
		return err
	}
	for _, s := range e.Statements {
		about := slices.DeleteFunc(slices.Clone(subjects), func(d v1.Descriptor) bool { return !s.About(d.Digest) })
		if len(about) == 0 {
			return nil, fmt.Errorf("the statement %s is about another image than %s", s.PredicateType, image.Digest)
		}
		for _, subject := range about {
			ref, err := evidence.Referrer(s, subject)
			if err != nil {
				return nil, err
			}
			if err := refer(ref); err != nil {
				return nil, err
			}
		}
	}
	for _, ref := range e.Referrers {
		m, err := ref.Manifest()
		if err != nil {
			return nil, err
		}
		if m.Subject == nil || !slices.ContainsFunc(subjects, func(d v1.Descriptor) bool { return d.Digest == m.Subject.Digest }) {
			return nil, fmt.Errorf("a referrer is about another image than %s", image.Digest)
		}
		if err := refer(ref); err != nil {
			return nil, err
		}
	}
	return added, nil
}

// platformOf is what an image is for, nil for an artifact that is no image.
func platformOf(img v1.Image) (*v1.Platform, error) {
	m, err := img.Manifest()
	if err != nil || !m.Config.MediaType.IsConfig() {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil || config.OS == "" {
		return nil, err
	}
	p := plain(v1.Platform{OS: config.OS, Architecture: config.Architecture, Variant: config.Variant})
	return &p, nil
}

// putArtifact writes an image, or an index and all in it, and returns their
// descriptors, the outermost first.
func (l *layout) putArtifact(artifact mutate.Appendable) ([]v1.Descriptor, error) {
	switch a := artifact.(type) {
	case v1.Image:
		desc, err := l.putImage(a)
		return []v1.Descriptor{desc}, err
	case v1.ImageIndex:
		return l.putIndex(a)
	}
	return nil, fmt.Errorf("%T is neither an image nor an index", artifact)
}

func (l *layout) putIndex(idx v1.ImageIndex) ([]v1.Descriptor, error) {
	m, err := idx.IndexManifest()
	if err != nil {
		return nil, err
	}
	var below []v1.Descriptor
	for _, d := range m.Manifests {
		artifact, err := memberOf(idx, d)
		if err != nil {
			return nil, err
		}
		descs, err := l.putArtifact(artifact)
		if err != nil {
			return nil, err
		}
		below = append(below, descs...)
	}
	raw, err := idx.RawManifest()
	if err != nil {
		return nil, err
	}
	desc, err := l.putManifest(idx, raw)
	return append([]v1.Descriptor{desc}, below...), err
}

// memberOf returns the image or index that an index holds.
func memberOf(idx v1.ImageIndex, d v1.Descriptor) (mutate.Appendable, error) {
	switch {
	case d.MediaType.IsImage():
		return idx.Image(d.Digest)
	case d.MediaType.IsIndex():
		return idx.ImageIndex(d.Digest)
	}
	return nil, fmt.Errorf("the index holds %s of type %s, which is neither an image nor an index", d.Digest, d.MediaType)
}

func (l *layout) putImage(img v1.Image) (v1.Descriptor, error) {
	var none v1.Descriptor
	m, err := img.Manifest()
	if err != nil {
		return none, err
	}
	// Not img.Layers: of two layers with the same content, compressed
	// differently, it can name one twice.
	for _, desc := range m.Layers {
		layer, err := img.LayerByDigest(desc.Digest)
		if err != nil {
			return none, err
		}
		if err := l.put(desc.Digest, desc.Size, layer.Compressed); err != nil {
			return none, err
		}
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return none, err
	}
	if err := l.put(m.Config.Digest, m.Config.Size, content(config)); err != nil {
		return none, err
	}
	raw, err := img.RawManifest()
	if err != nil {
		return none, err
	}
	return l.putManifest(img, raw)
}

func (l *layout) putManifest(artifact mutate.Appendable, raw []byte) (v1.Descriptor, error) {
	var desc v1.Descriptor
	var err error
	if desc.MediaType, err = artifact.MediaType(); err != nil {
		return desc, err
	}
	if desc.Digest, err = artifact.Digest(); err != nil {
		return desc, err
	}
	desc.Size = int64(len(raw))
	return desc, l.put(desc.Digest, desc.Size, content(raw))
}

func (l *layout) putReferrer(ref v1.Image) (v1.Descriptor, error) {
	desc, err := l.putImage(ref)
	if err != nil {
		return desc, err
	}
	if desc.ArtifactType, err = partial.ArtifactType(ref); err != nil {
		return desc, err
	}
	m, err := ref.Manifest()
	if err != nil {
		return desc, err
	}
	desc.Annotations = maps.Clone(m.Annotations)
	delete(desc.Annotations, refName) // it would make it an entry
	return desc, nil
}

// put writes a blob that is not there.
func (l *layout) put(h v1.Hash, size int64, content func() (io.ReadCloser, error)) error {
	l.noting.Lock()
	once := l.there[sized{h, size}]
	if once == nil {
		once = sync.OnceValue(func() error {
			wrote, err := l.blobs.put(h, size, content)
			if wrote {
				l.noting.Lock()
				defer l.noting.Unlock()
				l.written = append(l.written, h)
			}
			return err
		})
		l.there[sized{h, size}] = once
	}
	l.noting.Unlock()
	return once()
}

func content(raw []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }
}
