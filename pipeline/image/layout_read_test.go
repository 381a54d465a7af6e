package image

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	layouts "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"temper/pipeline/evidence"
)

func TestReadRefuses(t *testing.T) {
	img := small(t, "a")
	idx := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &amd64}})
	statement := state(t, evidence.SPDX, "1", "a", idx, img)
	m := must(img.Manifest())(t)
	written := func(t *testing.T) string {
		dir := t.TempDir()
		check(t, Write(dir, Entry{Name: "a", Artifact: idx, Statements: []*evidence.Statement{statement}}))
		return dir
	}
	ref := must(evidence.Referrer(statement, v1.Descriptor{MediaType: m.MediaType, Digest: must(img.Digest())(t), Size: must(img.Size())(t)}))(t)
	parts := map[string]v1.Hash{
		"index": must(idx.Digest())(t), "manifest": must(img.Digest())(t), "configuration": m.Config.Digest,
		"layer": m.Layers[1].Digest, "referrer": must(ref.Digest())(t), "statement": must(ref.Manifest())(t).Layers[0].Digest,
	}
	for part, digest := range parts {
		for damage, do := range map[string]func(string) error{
			"gone":      os.Remove,
			"cut short": func(file string) error { return os.Truncate(file, 1) },
			"altered":   flip,
			"a folder":  func(file string) error { return errors.Join(os.Remove(file), os.Mkdir(file, 0o777)) },
		} {
			t.Run(part+" "+damage, func(t *testing.T) {
				dir := written(t)
				file := blobs(dir).name(digest)
				check(t, do(file))
				entries, err := Read(dir)
				if part == "layer" && damage == "altered" { // known when it is read
					check(t, err)
					_, err = readAll(must(must(entries[0].Artifact.(v1.ImageIndex).Image(must(img.Digest())(t)))(t).LayerByDigest(digest))(t).Compressed())
				}
				mentions(t, err, file)
			})
		}
	}

	for _, tt := range []struct {
		name  string
		alter func(m *v1.IndexManifest)
		tell  string
	}{
		{"another size", func(m *v1.IndexManifest) { m.Manifests[0].Size++ }, "want "},
		{"a size below nothing", func(m *v1.IndexManifest) { m.Manifests[0].Size = -1 }, "is said to have -1 bytes"},
		{"a size beyond measure", func(m *v1.IndexManifest) { m.Manifests[0].Size = maxDocument + 1 }, "is said to have 16777217 bytes"},
		{"another type", func(m *v1.IndexManifest) { m.Manifests[0].MediaType = types.OCIManifestSchema1 },
			"is of type application/vnd.oci.image.index.v1+json, but was called application/vnd.oci.image.manifest.v1+json"},
		{"no digest", func(m *v1.IndexManifest) {
			m.Manifests[0].Digest = v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}
		}, "no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := written(t)
			m := indexOf(t, dir)
			tt.alter(m)
			check(t, os.WriteFile(filepath.Join(dir, indexFile), must(json.Marshal(m))(t), 0o666))
			_, err := Read(dir)
			mentions(t, err, "reading OCI layout: ", tt.tell)
		})
	}
	for name, tell := range map[string]string{
		`{"schemaVersion":2,"manifests":[{"digest":"sha256:../../../../etc/passwd"}]}`: "index.json",
		`{"schemaVersion":2,"manifests":[{"digest":"md5:0"}]}`:                         "index.json",
		`{"schemaVersion":2,"manifests":[{}]}`:                                         "is no regular file",
		`[]`:                                                                           "index.json",
	} {
		dir := written(t)
		check(t, os.WriteFile(filepath.Join(dir, indexFile), []byte(name), 0o666))
		_, err := Read(dir)
		mentions(t, err, "reading OCI layout: ", tell)
	}
	_, err := Read(filepath.Join(t.TempDir(), "nothing"))
	mentions(t, err, "is not an OCI layout: it has no file oci-layout")
}

// What is said in a layout has to be about what it is said of.
func TestReadRefusesWhatContradictsItself(t *testing.T) {
	img, other := small(t, "a"), small(t, "b")
	m := must(img.Manifest())(t)
	swapped := must(evidence.Referrer(state(t, evidence.SPDX, "1", "b", other),
		v1.Descriptor{MediaType: m.MediaType, Digest: must(img.Digest())(t), Size: must(img.Size())(t)}))(t)
	fewer := must(img.ConfigFile())(t)
	fewer.RootFS.DiffIDs = fewer.RootFS.DiffIDs[:1]
	for _, tt := range []struct {
		name string
		add  v1.Image
		tell string
	}{
		{"a statement about another image than it is attached to", swapped, "refers to " + digestOf(t, img) + ", but its statement is about another image"},
		{"a configuration with fewer layers", must(mutate.ConfigFile(img, fewer))(t), "has 2 layers, but its configuration has 1"},
	} {
		dir := t.TempDir()
		check(t, Write(dir, Entry{Name: "a", Artifact: img}))
		check(t, must(layouts.FromPath(dir))(t).AppendImage(tt.add))
		_, err := Read(dir)
		mentions(t, err, "reading OCI layout: ", tt.tell)
	}
}

// An index may hold indexes, and one image twice; a referrer may
// bear a name that in index.json would make it an image.
func TestOddArtifacts(t *testing.T) {
	img := small(t, "a")
	inner := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &amd64}},
		mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &amd64}})
	outer := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: inner})
	named := mutate.Annotations(sign(t, "s", img), map[string]string{refName: "a"}).(v1.Image)
	named = mutate.Subject(named, *must(sign(t, "s", img).Manifest())(t).Subject).(v1.Image)
	dir := t.TempDir()
	check(t, Write(dir, Entry{Name: "a", Artifact: outer, Referrers: []v1.Image{named}}))
	if diff := cmp.Diff([]string{"a " + short(t, outer), "  referrer s"}, outline(t, dir)); diff != "" {
		t.Errorf("the layout does not hold the expected entries (-want +got):\n%s", diff)
	}
	back := must(Read(dir))(t)[0].Artifact.(v1.ImageIndex)
	check(t, validate.Index(must(back.ImageIndex(must(inner.Digest())(t)))(t)))
}

// A layout of another tool is read as well, with what has no name last.
func TestReadOtherLayouts(t *testing.T) {
	dir := t.TempDir()
	named, nameless := small(t, "a"), must(random.Index(10, 1, 2))(t)
	other := must(layouts.Write(dir, empty.Index))(t)
	check(t, other.AppendIndex(nameless))
	check(t, other.AppendImage(named, layouts.WithAnnotations(map[string]string{refName: "latest"})))
	check(t, other.AppendImage(sign(t, "s", named)))
	check(t, other.AppendImage(sign(t, "of what is not there", small(t, "b"))))
	check(t, other.AppendDescriptor(v1.Descriptor{MediaType: "application/vnd.example", Digest: must(named.Digest())(t), Size: must(named.Size())(t)}))
	want := []string{"latest " + short(t, named), "  referrer s", " " + must(nameless.Digest())(t).Hex[:8], " " + short(t, named), "  referrer s"}
	if diff := cmp.Diff(want, outline(t, dir)); diff != "" {
		t.Errorf("the layout does not hold the expected entries (-want +got):\n%s", diff)
	}
}

// Indexes that hold one another over and over are read in no time.
func TestReadManyTimesTheSame(t *testing.T) {
	dir := t.TempDir()
	check(t, Write(dir, Entry{Name: "a", Artifact: small(t, "a")}))
	below := indexOf(t, dir).Manifests[0]
	below.Annotations = nil
	for range maxDepth {
		m := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
		for range 1000 {
			m.Manifests = append(m.Manifests, below)
		}
		raw := must(json.Marshal(m))(t)
		must(blobs(dir).put(sum(raw), int64(len(raw)), content(raw)))(t)
		below = v1.Descriptor{MediaType: types.OCIImageIndex, Digest: sum(raw), Size: int64(len(raw))}
	}
	top := v1.IndexManifest{SchemaVersion: 2, Manifests: []v1.Descriptor{below}}
	check(t, os.WriteFile(filepath.Join(dir, indexFile), must(json.Marshal(top))(t), 0o666))
	if n := len(must(Read(dir))(t)); n != 1 {
		t.Errorf("there are %d entries, want 1", n)
	}
}
