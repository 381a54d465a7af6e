package image

import (
	"errors"
	"io/fs"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/evidence"
)

// sweepAge is how long a blob that nothing needs is left alone, if it is not
// this writer that made it useless: another tool may be about to name it.
const sweepAge = time.Hour

// maxDepth bounds how deep indexes hold indexes.
const maxDepth = 8

// keep returns what stays in index.json beside what was added: everything but
// the images whose names were added again, and what had been said of them.
//
// A signature stays as long as its image does, also one under a legacy tag; unsigned statements are those
// of one build, and the next build replaces them.
// With alone, images of any other name go like those of the same name.
func (l *layout) keep(before, added []v1.Descriptor, alone bool) []v1.Descriptor {
	names := make(map[string]bool)
	fresh, replaced, others := make(digests), make(digests), make(digests)
	for _, d := range added {
		if name, ok := d.Annotations[refName]; ok {
			names[name] = true
			l.walk(d, fresh.add)
		}
	}
	type referrer struct {
		v1.Descriptor
		subject v1.Hash
	}
	var stay, attached []v1.Descriptor
	var referrers []referrer
	for _, d := range before {
		name, ok := d.Annotations[refName]
		if legacyTag().MatchString(name) && !names[name] {
			attached = append(attached, d)
			continue
		}
		if ok && (alone || names[name]) {
			l.walk(d, replaced.add) // as much as can be read of it
			continue
		}
		if subject, is := l.subject(d); is && !ok {
			referrers = append(referrers, referrer{d, subject})
			continue
		}
		l.walk(d, others.add)
		stay = append(stay, d)
	}
	for _, d := range attached {
		subject := v1.Hash{Algorithm: "sha256", Hex: legacyTag().FindStringSubmatch(d.Annotations[refName])[1]}
		if !replaced[subject] || fresh[subject] || others[subject] {
			stay = append(stay, d)
		}
	}
	for _, r := range referrers {
		gone := !fresh[r.subject] && !others[r.subject]
		if !replaced[r.subject] || !gone && !l.stale(r.Descriptor, r.subject, names, others[r.subject]) {
			stay = append(stay, r.Descriptor)
		}
	}
	return stay
}

// stale tells whether a referrer of an image that was built again is a
// statement of the former build. Two names can share an image, and then the
// statement tells by its own name which of them it is about.
func (l *layout) stale(d v1.Descriptor, subject v1.Hash, names map[string]bool, shared bool) bool {
	img, err := l.image(d)
	if err != nil || d.ArtifactType != string(evidence.MediaType) {
		return false
	}
	if !shared {
		return true
	}
	s, err := evidence.FromReferrer(img)
	if err != nil {
		return false
	}
	for _, sub := range s.Subject {
		if names[sub.Name] && sub.Digest[subject.Algorithm] == subject.Hex {
			return true
		}
	}
	return false
}

// undo removes what a failed update has written.
func (l *layout) undo(before *v1.IndexManifest) {
	needed := make(digests)
	for _, d := range before.Manifests {
		l.walk(d, needed.add)
	}
	for _, h := range l.written {
		if !needed[h] { // else it was there and damaged, and is whole now
			l.root.Remove(blobName(h))
		}
	}
}

// sweep removes the blobs that nothing needs any more. It removes none if it
// cannot tell, and what it cannot remove stays for the next time.
func (l *layout) sweep(before, after *v1.IndexManifest) {
	was, needed := make(digests), make(digests)
	for _, d := range before.Manifests {
		l.walk(d, was.add)
	}
	w := l.walker(needed.add)
	for _, d := range after.Manifests {
		if err := w.walk(d, 0); err != nil || w.opaque {
			return
		}
	}
	found, err := fs.ReadDir(l.root.FS(), "blobs/sha256")
	if err != nil {
		return
	}
	for _, f := range found {
		h, err := v1.NewHash("sha256:" + f.Name())
		if err != nil || needed[h] || f.IsDir() {
			continue
		}
		if info, err := f.Info(); err == nil && (was[h] || time.Since(info.ModTime()) > sweepAge) {
			l.root.Remove(blobName(h))
		}
	}
}

// digests is a set of blobs.
type digests map[v1.Hash]bool

func (s digests) add(d v1.Descriptor) { s[d.Digest] = true }

// walk visits a descriptor and all that it needs: the images of an index, the
// configuration and the layers of an image. It goes as far as it can, also
// after an error.
func (b blobs) walk(d v1.Descriptor, visit func(v1.Descriptor)) error {
	return b.walker(visit).walk(d, 0)
}

func (b blobs) walker(visit func(v1.Descriptor)) *walker {
	return &walker{blobs: b, visit: visit, seen: make(digests)}
}

// A walker walks into each index and image once, however often it is named: a
// few small indexes can name one another more often than anyone can count.
type walker struct {
	blobs
	visit func(v1.Descriptor)
	seen  digests
	// opaque tells that something is neither an image nor an index, so that
	// what else it needs is not known.
	opaque bool
}

func (w *walker) walk(d v1.Descriptor, depth int) error {
	w.visit(d)
	if depth > maxDepth {
		return errors.New("indexes hold indexes without end")
	}
	if w.seen[d.Digest] {
		return nil
	}
	w.seen.add(d)
	switch {
	case d.MediaType.IsIndex():
		var m v1.IndexManifest
		if _, err := w.parse(d, &m); err != nil {
			return err
		}
		var errs []error
		for _, below := range m.Manifests {
			errs = append(errs, w.walk(below, depth+1))
		}
		return errors.Join(errs...)
	case d.MediaType.IsImage():
		var m v1.Manifest
		if _, err := w.parse(d, &m); err != nil {
			return err
		}
		w.visit(m.Config)
		for _, layer := range m.Layers {
			w.visit(layer)
		}
	default:
		w.opaque = true
	}
	return nil
}

// subject returns the image that another image refers to.
func (b blobs) subject(d v1.Descriptor) (v1.Hash, bool) {
	var m v1.Manifest
	if !d.MediaType.IsImage() {
		return v1.Hash{}, false
	}
	if _, err := b.parse(d, &m); err != nil || m.Subject == nil {
		return v1.Hash{}, false
	}
	return m.Subject.Digest, true
}
