package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"temper/checks/pattern"
	"temper/pipeline/evidence"
)

// Read returns the entries of the OCI layout in a folder, by name; those
// without a name come last. It is the mirror of [Write], and reads what other
// tools have written as well; what cosign keeps under tags made of digests is no
// entry: an Artifact that is neither an image nor an
// index is one that Temper knows nothing of.
//
// Manifests and configurations are read and verified at once, layers whenever
// they are read; that they are there, and of the right size, is looked at too.
// Statements are sorted by predicate type. They are unsigned: whoever could
// write into the folder could write them.
func Read(dir string) ([]Entry, error) {
	entries, err := read(dir, true)
	if err != nil {
		return nil, fmt.Errorf("reading OCI layout: %w", err)
	}
	return entries, nil
}

// ReadImages is [Read] without what is said of the images, which need not even
// be readable.
func ReadImages(dir string) ([]Entry, error) {
	entries, err := read(dir, false)
	if err != nil {
		return nil, fmt.Errorf("reading OCI layout: %w", err)
	}
	return entries, nil
}

// Statements returns the statements of a predicate type that an OCI layout holds, by the
// digest of the image or index that they refer to. It reads nothing else, and passes over
// what cannot be read: a layout that is written by the way makes it anew.
func Statements(dir, predicateType string) map[v1.Hash][]*evidence.Statement {
	m, err := readIndex(dir)
	if err != nil {
		return nil
	}
	type stated struct {
		about v1.Hash
		*evidence.Statement
	}
	all := make([]stated, len(m.Manifests))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, d := range m.Manifests {
		if d.ArtifactType != string(evidence.MediaType) || d.Annotations[evidence.PredicateTypeAnnotation] != predicateType {
			continue
		}
		g.Go(func() error {
			ref, err := blobs(dir).image(d)
			if err != nil {
				return err
			}
			m, err := ref.Manifest()
			if err != nil || m.Subject == nil {
				return err
			}
			s, err := evidence.FromReferrer(ref)
			if err == nil && s.PredicateType == predicateType && s.About(m.Subject.Digest) {
				all[i] = stated{m.Subject.Digest, s}
			}
			return err
		})
	}
	g.Wait() // what cannot be read is not there
	found := make(map[v1.Hash][]*evidence.Statement)
	for _, s := range all {
		if s.Statement != nil {
			found[s.about] = append(found[s.about], s.Statement)
		}
	}
	return found
}

func read(dir string, evidence bool) ([]Entry, error) {
	m, err := readIndex(dir)
	if err != nil {
		return nil, err
	}
	b := blobs(dir)
	var entries []Entry
	holds := make(map[v1.Hash][]int) // entries by the digests of their images
	var referrers, attached []v1.Descriptor
	enter := func(d v1.Descriptor) (err error) {
		e := Entry{Name: d.Annotations[refName]}
		if e.Artifact, err = b.whole(d); err != nil {
			return err
		}
		b.walk(d, func(below v1.Descriptor) { // whole has said that it can be walked
			if at := holds[below.Digest]; !slices.Contains(at, len(entries)) {
				holds[below.Digest] = append(at, len(entries))
			}
		})
		entries = append(entries, e)
		return nil
	}
	for _, d := range m.Manifests {
		if _, is := b.subject(d); is && d.Annotations[refName] == "" {
			referrers = append(referrers, d)
		} else if attachedByName(d) {
			attached = append(attached, d)
		} else if err := enter(d); err != nil {
			return nil, err
		}
	}
	for _, d := range attached {
		if b.belongs(d, holds) {
			continue
		}
		if err := enter(d); err != nil {
			return nil, err
		}
	}
	if !evidence {
		referrers = nil
	}
	for _, d := range referrers {
		if err := b.refer(d, entries, holds); err != nil {
			return nil, err
		}
	}
	for i := range entries {
		if err := entries[i].settle(); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(entries, func(a, b Entry) int {
		if (a.Name == "") != (b.Name == "") {
			return strings.Compare(b.Name, a.Name)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return entries, nil
}

// readIndex returns the index.json of an OCI layout.
func readIndex(dir string) (*v1.IndexManifest, error) {
	var version struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := readJSON(filepath.Join(dir, markFile), &version); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not an OCI layout: it has no file %s", dir, markFile)
	} else if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(version.Version, "1.") {
		return nil, fmt.Errorf("%s is an OCI layout of version %q, want 1.0.0", dir, version.Version)
	}
	var m v1.IndexManifest
	file := filepath.Join(dir, indexFile)
	if err := readJSON(file, &m); err != nil {
		return nil, err
	}
	if m.SchemaVersion != 2 || m.MediaType != "" && m.MediaType != types.OCIImageIndex {
		return nil, fmt.Errorf("%s is not an OCI index", file)
	}
	return &m, nil
}

func readJSON(file string, v any) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > maxDocument {
		return fmt.Errorf("%s is no regular file of at most %d bytes", file, maxDocument)
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxDocument))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// whole returns an artifact of which nothing is missing.
func (b blobs) whole(d v1.Descriptor) (mutate.Appendable, error) {
	var missing []error
	if err := b.walk(d, func(below v1.Descriptor) {
		if err := b.there(below); err != nil {
			missing = append(missing, err)
		}
	}); err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, missing[0]
	}
	if !d.MediaType.IsImage() && !d.MediaType.IsIndex() {
		return unknown{d}, nil
	}
	return b.artifact(d)
}

// there tells whether a blob is there and of its size, and of an image whether
// its manifest and its configuration are unaltered.
func (b blobs) there(d v1.Descriptor) error {
	r, _, err := b.open(d.Digest, d.Size)
	if err != nil {
		return err
	}
	r.Close()
	if d.MediaType.IsImage() {
		_, err = b.image(d)
	}
	return err
}

// An unknown is an artifact of which only the descriptor is understood.
type unknown struct{ desc v1.Descriptor }

func (u unknown) MediaType() (types.MediaType, error) { return u.desc.MediaType, nil }
func (u unknown) Digest() (v1.Hash, error)            { return u.desc.Digest, nil }
func (u unknown) Size() (int64, error)                { return u.desc.Size, nil }

// refer adds a referrer to the entries that hold its subject. One whose
// subject is not there says nothing of what is.
func (b blobs) refer(d v1.Descriptor, entries []Entry, holds map[v1.Hash][]int) error {
	artifact, err := b.whole(d)
	if err != nil {
		return err
	}
	ref := artifact.(v1.Image) // only images have a subject
	m, err := ref.Manifest()
	if err != nil {
		return err
	}
	artifactType, err := partial.ArtifactType(ref)
	if err != nil {
		return err
	}
	var statement *evidence.Statement
	if artifactType == string(evidence.MediaType) {
		if statement, err = evidence.FromReferrer(ref); err != nil {
			return fmt.Errorf("%s: %w", b.name(d.Digest), err)
		}
		if !statement.About(m.Subject.Digest) {
			return fmt.Errorf("%s refers to %s, but its statement is about another image", b.name(d.Digest), m.Subject.Digest)
		}
	}
	for _, i := range holds[m.Subject.Digest] {
		if statement != nil {
			entries[i].Statements = append(entries[i].Statements, statement)
		} else {
			entries[i].Referrers = append(entries[i].Referrers, ref)
		}
	}
	return nil
}

// settle sorts the statements and makes one of those that several images of
// the entry have in common.
func (e *Entry) settle() error {
	type keyed struct {
		key string
		*evidence.Statement
	}
	all := make([]keyed, len(e.Statements))
	for i, s := range e.Statements {
		raw, err := s.Bytes()
		if err != nil {
			return err
		}
		all[i] = keyed{s.PredicateType + "\x00" + string(raw), s}
	}
	slices.SortFunc(all, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	all = slices.CompactFunc(all, func(a, b keyed) bool { return a.key == b.key })
	e.Statements = nil
	for _, s := range all {
		e.Statements = append(e.Statements, s.Statement)
	}
	return nil
}

// baseEntries returns what a layout holds, and beside it what belongs to that:
// what refers to something, and what tools write who know no referrers.
func baseEntries(dir string) (entries, beside []v1.Descriptor, err error) {
	m, err := readIndex(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range m.Manifests {
		if _, refers := blobs(dir).subject(d); refers || attachedByName(d) {
			beside = append(beside, d)
		} else {
			entries = append(entries, d)
		}
	}
	return entries, beside, nil
}

// belongs tells whether an entry that is attached by its name holds what belongs
// to an image that is there, and no files of its own: an image cannot hide under
// such a name.
func (b blobs) belongs(d v1.Descriptor, holds map[v1.Hash][]int) bool {
	var m v1.Manifest
	if _, err := b.parse(d, &m); err != nil || slices.ContainsFunc(m.Layers, func(l v1.Descriptor) bool { return l.MediaType.IsLayer() }) {
		return false
	}
	tag := legacyTag().FindStringSubmatch(d.Annotations[refName])
	if tag == nil {
		return len(holds) > 0 // of one of them; "cosign save" does not say which
	}
	return len(holds[v1.Hash{Algorithm: "sha256", Hex: tag[1]}]) > 0
}

var legacyTag = pattern.New(`^(?:.*:)?sha256-([0-9a-f]{64})\.(?:sig|att|sbom)$`)

// attachedByName tells whether the entry is one that cosign keeps under a tag
// made of a digest, or, in a layout of "cosign save", under a kind.
// https://github.com/sigstore/cosign/blob/v2.6.5/pkg/oci/layout/write.go
func attachedByName(d v1.Descriptor) bool {
	switch d.Annotations["kind"] {
	case "dev.cosignproject.cosign/sigs", "dev.cosignproject.cosign/atts":
		return true
	}
	return legacyTag().MatchString(d.Annotations[refName])
}
