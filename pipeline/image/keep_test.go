package image

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	layouts "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"temper/pipeline/evidence"
)

// An entry replaces the one of its name, with what a build has said of it; what
// was signed stays as long as its image does.
func TestWriteReplaces(t *testing.T) {
	one, two := small(t, "one"), small(t, "two")
	said := func(text, name string, about artifact) []*evidence.Statement {
		return []*evidence.Statement{state(t, evidence.SPDX, text, name, about)}
	}
	for _, tt := range []struct {
		name   string
		writes [][]Entry
		want   []string
	}{
		{
			name: "another image",
			writes: [][]Entry{
				{{Name: "a", Artifact: one, Statements: said("1", "a", one), Referrers: []v1.Image{sign(t, "s", one)}}},
				{{Name: "a", Artifact: two, Statements: said("2", "a", two)}},
			},
			want: []string{"a " + short(t, two), `  https://spdx.dev/Document {"text":"2"}`},
		},
		{
			name: "the same image, of which something else is said",
			writes: [][]Entry{
				{{Name: "a", Artifact: one, Statements: said("1", "a", one), Referrers: []v1.Image{sign(t, "s", one)}}},
				{{Name: "a", Artifact: one, Statements: said("2", "a", one)}},
			},
			want: []string{"a " + short(t, one), `  https://spdx.dev/Document {"text":"2"}`, "  referrer s"},
		},
		{
			name: "one of two names",
			writes: [][]Entry{
				{{Name: "a", Artifact: one, Statements: said("1", "a", one)}, {Name: "b", Artifact: two, Statements: said("2", "b", two)}},
				{{Name: "b", Artifact: two, Statements: said("3", "b", two)}},
			},
			want: []string{"a " + short(t, one), `  https://spdx.dev/Document {"text":"1"}`, "b " + short(t, two), `  https://spdx.dev/Document {"text":"3"}`},
		},
		{
			name: "one of two names of one image",
			writes: [][]Entry{
				{{Name: "a", Artifact: one, Statements: said("1", "a", one)}, {Name: "b", Artifact: one, Statements: said("2", "b", one), Referrers: []v1.Image{sign(t, "s", one)}}},
				{{Name: "b", Artifact: one, Statements: said("3", "b", one)}},
			},
			want: []string{
				"a " + short(t, one), `  https://spdx.dev/Document {"text":"1"}`, `  https://spdx.dev/Document {"text":"3"}`, "  referrer s",
				"b " + short(t, one), `  https://spdx.dev/Document {"text":"1"}`, `  https://spdx.dev/Document {"text":"3"}`, "  referrer s",
			},
		},
		{
			name: "one of two names of one image by another image",
			writes: [][]Entry{
				{{Name: "a", Artifact: one, Statements: said("1", "a", one)}, {Name: "b", Artifact: one, Referrers: []v1.Image{sign(t, "s", one)}}},
				{{Name: "b", Artifact: two}},
			},
			want: []string{"a " + short(t, one), `  https://spdx.dev/Document {"text":"1"}`, "  referrer s", "b " + short(t, two)},
		},
		{
			name: "the names exchanged",
			writes: [][]Entry{
				{{Name: "a", Artifact: one, Referrers: []v1.Image{sign(t, "1", one)}}, {Name: "b", Artifact: two, Referrers: []v1.Image{sign(t, "2", two)}}},
				{{Name: "a", Artifact: two}, {Name: "b", Artifact: one}},
			},
			want: []string{"a " + short(t, two), "  referrer 2", "b " + short(t, one), "  referrer 1"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, entries := range tt.writes {
				check(t, Write(dir, entries...))
			}
			if diff := cmp.Diff(tt.want, outline(t, dir)); diff != "" {
				t.Errorf("the layout does not hold the expected entries (-want +got):\n%s", diff)
			}
			// And nothing else: written anew, it is the same.
			again := t.TempDir()
			check(t, Write(again, must(Read(dir))(t)...))
			if diff := cmp.Diff(snapshot(t, again), snapshot(t, dir)); diff != "" {
				t.Errorf("the layout holds more than its entries (-want +got):\n%s", diff)
			}
		})
	}
}

// What other tools have put into a layout stays as it is, byte by byte.
func TestWriteKeepsWhatOthersWrote(t *testing.T) {
	dir := t.TempDir()
	one, two := small(t, "one"), small(t, "two")
	check(t, Write(dir, Entry{Name: "a", Artifact: one}))
	other := must(layouts.FromPath(dir))(t)
	containerd := func(name string) layouts.Option {
		return layouts.WithAnnotations(map[string]string{"io.containerd.image.name": name})
	}
	check(t, other.AppendImage(two, containerd("docker.io/acme/one:v1")))
	check(t, other.AppendImage(two, containerd("docker.io/acme/two:v1")))
	check(t, other.AppendImage(one, layouts.WithPlatform(arm64)))
	before := indexOf(t, dir)
	check(t, Write(dir, Entry{Name: "b", Artifact: small(t, "three")}))
	byDigest := func(m *v1.IndexManifest) map[string]int {
		all := make(map[string]int)
		for _, d := range m.Manifests {
			all[string(must(json.Marshal(d))(t))]++
		}
		return all
	}
	after := byDigest(indexOf(t, dir))
	for d, n := range byDigest(before) {
		if after[d] != n {
			t.Errorf("%s stands there %d times, want %d", d, after[d], n)
		}
	}
	if len(after) != 5 {
		t.Errorf("index.json names %d things, want 5", len(after))
	}
}

// Sweeping removes what the last update made useless, and what nobody has
// needed for a while; nothing of what is needed, or of which that is not known.
func TestSweep(t *testing.T) {
	one, two := small(t, "one"), small(t, "two")
	s := state(t, evidence.SPDX, "1", "a", one)
	orphan := []byte("nobody needs this")
	for _, tt := range []struct {
		name  string
		alter func(t *testing.T, dir string)
		want  []string // of "one" and "orphan", what stays
	}{
		{name: "a young orphan", want: []string{"orphan"}},
		{name: "an old orphan", alter: func(t *testing.T, dir string) {
			old := time.Now().Add(-2 * sweepAge)
			check(t, os.Chtimes(blobs(dir).name(sum(orphan)), old, old))
		}},
		{name: "beside what nobody understands", alter: func(t *testing.T, dir string) {
			raw := []byte("something else")
			must(blobs(dir).put(sum(raw), int64(len(raw)), content(raw)))(t)
			other := must(layouts.FromPath(dir))(t)
			check(t, other.AppendDescriptor(v1.Descriptor{MediaType: "application/vnd.oci.artifact.manifest.v1+json", Digest: sum(raw), Size: int64(len(raw))}))
			old := time.Now().Add(-2 * sweepAge)
			check(t, os.Chtimes(blobs(dir).name(sum(orphan)), old, old))
		}, want: []string{"one", "orphan"}},
		{name: "beside what cannot be read", alter: func(t *testing.T, dir string) {
			other := must(layouts.FromPath(dir))(t)
			check(t, other.AppendDescriptor(v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: sum([]byte("gone")), Size: 4}))
		}, want: []string{"one", "orphan"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			check(t, Write(dir, Entry{Name: "a", Artifact: one, Statements: []*evidence.Statement{s}}, Entry{Name: "keep", Artifact: small(t, "three")}))
			must(blobs(dir).put(sum(orphan), int64(len(orphan)), content(orphan)))(t)
			check(t, os.WriteFile(filepath.Join(dir, "blobs", "sha256", "README"), nil, 0o666)) // no blob, and no business of ours
			if tt.alter != nil {
				tt.alter(t, dir)
			}
			check(t, Write(dir, Entry{Name: "a", Artifact: two}))
			var got []string
			for name, digest := range map[string]v1.Hash{"one": must(one.Digest())(t), "orphan": sum(orphan)} {
				if _, err := os.Stat(blobs(dir).name(digest)); err == nil {
					got = append(got, name)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("other blobs than the expected ones stay (-want +got):\n%s", diff)
			}
			must(os.Stat(filepath.Join(dir, "blobs", "sha256", "README")))(t)
			for _, d := range indexOf(t, dir).Manifests {
				if d.Annotations[refName] != "" {
					must(blobs(dir).whole(d))(t)
				}
			}
		})
	}

	// With nothing in the way, exactly what is needed stays.
	dir, fresh := t.TempDir(), t.TempDir()
	check(t, Write(dir, Entry{Name: "a", Artifact: one, Statements: []*evidence.Statement{s}}))
	check(t, Write(dir, Entry{Name: "a", Artifact: two}))
	check(t, Write(fresh, Entry{Name: "a", Artifact: two}))
	if diff := cmp.Diff(snapshot(t, fresh), snapshot(t, dir)); diff != "" {
		t.Errorf("the layout keeps something of before (-want +got):\n%s", diff)
	}
	shared := must(one.Manifest())(t).Layers[0].Digest
	if kept := slices.Sorted(maps.Keys(snapshot(t, dir))); !slices.ContainsFunc(kept, func(name string) bool { return strings.HasSuffix(name, shared.Hex) }) {
		t.Errorf("the layer that both images have is gone: %q", kept)
	}
}
