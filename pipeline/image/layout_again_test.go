package image

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/evidence"
)

// What is in a layout already is not written again, index.json included.
func TestWriteTheSameAgain(t *testing.T) {
	dir := t.TempDir()
	img := small(t, "one")
	entry := Entry{Name: "one", Artifact: img, Statements: []*evidence.Statement{state(t, evidence.SPDX, "{}", "one", img)}}
	check(t, Write(dir, entry))
	found := func() map[string]os.FileInfo {
		t.Helper()
		files := make(map[string]os.FileInfo)
		check(t, filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				files[name] = must(os.Stat(name))(t)
			}
			return err
		}))
		return files
	}
	before := found()
	for _, write := range []func(string, ...Entry) error{Write, Replace} {
		check(t, write(dir, entry))
		for name, is := range found() {
			if was := before[name]; was == nil || !os.SameFile(was, is) {
				t.Errorf("%s was written again", name)
			}
		}
	}
	// Another entry of the layout makes a difference to Replace alone.
	check(t, Write(dir, Entry{Name: "two", Artifact: small(t, "two")}))
	check(t, Write(dir, entry))
	if got := len(must(ReadImages(dir))(t)); got != 2 {
		t.Errorf("Write has left %d images, want both", got)
	}
	check(t, Replace(dir, entry))
	if got := len(must(ReadImages(dir))(t)); got != 1 {
		t.Errorf("Replace has left %d images, want 1", got)
	}
}

// Statements of one type are found by the image that they are about, and what cannot be
// read is passed over.
func TestStatements(t *testing.T) {
	dir := t.TempDir()
	one, two := small(t, "one"), small(t, "two")
	said := []*evidence.Statement{state(t, evidence.Provenance, `{"of":"one"}`, "one", one), state(t, evidence.Provenance, `{"of":"two"}`, "two", two)}
	check(t, Write(dir, Entry{Name: "one", Artifact: one, Statements: []*evidence.Statement{said[0], state(t, evidence.SPDX, "{}", "one", one)}},
		Entry{Name: "two", Artifact: two, Statements: said[1:]}))
	want := map[v1.Hash][]*evidence.Statement{must(one.Digest())(t): said[:1], must(two.Digest())(t): said[1:]}
	if diff := cmp.Diff(want, Statements(dir, evidence.Provenance)); diff != "" {
		t.Errorf("provenances (-want +got):\n%s", diff)
	}
	raw := must(said[0].Bytes())(t)
	h, _, err := v1.SHA256(bytes.NewReader(raw))
	check(t, err)
	check(t, flip(blobs(dir).name(h)))
	delete(want, must(one.Digest())(t))
	if diff := cmp.Diff(want, Statements(dir, evidence.Provenance)); diff != "" {
		t.Errorf("after one was altered (-want +got):\n%s", diff)
	}
	if got := Statements(t.TempDir(), evidence.Provenance); len(got) > 0 {
		t.Errorf("no layout holds %v", got)
	}
}
