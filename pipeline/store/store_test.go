package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// lay makes files of one block each, last used so long ago.
func lay(t *testing.T, dir string, ages map[string]time.Duration) {
	t.Helper()
	for name, age := range ages {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		text := "some text"
		if filepath.Base(name) == tagName {
			text = tag
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		used := time.Now().Add(-age)
		if err := os.Chtimes(name, used, used); err != nil {
			t.Fatal(err)
		}
	}
}

// left lists the files of a folder.
func left(t *testing.T, dir string) []string {
	t.Helper()
	names := []string{}
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, name)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A folder with something of everything. What is about others counts for nothing.
var full = map[string]time.Duration{
	"services/aa/repository":                             9 * hour,
	"services/aa/api/linux-amd64/go1.26.8/lock":          9 * hour,
	"services/aa/api/linux-amd64/go1.26.8/bin/service":   3 * hour,
	"services/aa/api/linux-amd64/go1.26.8/layer/a/00/x":  5 * hour,
	"services/aa/api/linux-amd64/go1.26.8/tmp/go-build1": 4 * hour,
	"services/aa/tmp/linux-arm64/go1.26.8/layer/d/00/y":  7 * hour,
	"lane/go1.26.8/linux-amd64/lock":                     9 * hour,
	"lane/go1.26.8/linux-amd64/filled/m1":                9 * hour,
	"lane/go1.26.8/linux-amd64/a/00/one":                 hour / 2,
	"lane/go1.26.8/linux-amd64/d/00/two":                 6 * hour,
	"lane/go1.26.8/linux-amd64/d/00/.new-1":              hour / 2,
	"layers/blobs/sha256/00":                             8 * hour,
	"judged/program/key":                                 2 * hour,
	"judged/program.swept":                               9 * hour,
	"pruned":                                             9 * hour,
	"lock":                                               9 * hour,
	"CACHEDIR.TAG":                                       9 * hour,
}

func TestLook(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, full)
	got, err := Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if age := time.Since(got[i].Used); age < 0 || age > 9*hour {
			t.Errorf("%s was used %v ago", got[i].Kind, age)
		}
	}
	slices.SortFunc(got, func(a, b Unit) int { return strings.Compare(a.Kind+a.Service, b.Kind+b.Service) })
	want := []Unit{
		{Kind: "judged", Bytes: blockSize, Files: 1},
		{Kind: "lane", Platform: "linux-amd64", Go: "go1.26.8", Bytes: 3 * blockSize, Files: 3},
		{Kind: "layers", Bytes: blockSize, Files: 1},
		{Kind: "services", Repository: "some text", Service: "api", Platform: "linux-amd64", Go: "go1.26.8", Bytes: 3 * blockSize, Files: 3},
		{Kind: "services", Repository: "some text", Service: "tmp", Platform: "linux-arm64", Go: "go1.26.8", Bytes: blockSize, Files: 1},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Unit{}), cmpopts.IgnoreFields(Unit{}, "Used")); diff != "" {
		t.Errorf("units (-want +got):\n%s", diff)
	}
	if got, err := Look(filepath.Join(dir, "nothing")); err != nil || len(got) != 0 {
		t.Errorf("a folder that is not there holds %v, %v", got, err)
	}
}

// What was used least lately goes first, until there is room, and what was left
// half-written in any case. What says something about what is gone goes with it.
func TestPrune(t *testing.T) {
	for name, tc := range map[string]struct {
		to   Bounds
		busy bool
		gone []string
	}{
		"enough room": {to: Bounds{Bytes: 100 * blockSize},
			gone: []string{"lane/go1.26.8/linux-amd64/d/00/.new-1", "services/aa/api/linux-amd64/go1.26.8/tmp/go-build1"}},
		"no bounds": {to: Bounds{Bytes: -1},
			gone: []string{"lane/go1.26.8/linux-amd64/d/00/.new-1", "services/aa/api/linux-amd64/go1.26.8/tmp/go-build1"}},
		"the oldest": {to: Bounds{Bytes: 8 * blockSize}, busy: true,
			gone: []string{"layers/blobs/sha256/00", "services/aa/tmp/linux-arm64/go1.26.8/layer/d/00/y", "services/aa/api/linux-amd64/go1.26.8/tmp/go-build1"}},
		"unused": {to: Bounds{Bytes: -1, Unused: 7*hour + hour/2}, busy: true,
			gone: []string{"layers/blobs/sha256/00", "services/aa/api/linux-amd64/go1.26.8/tmp/go-build1"}},
		"all that nobody may use": {to: Bounds{Bytes: 0}, busy: true,
			gone: []string{
				"layers/blobs/sha256/00", "services/aa/tmp/linux-arm64/go1.26.8/layer/d/00/y", "services/aa/api/linux-amd64/go1.26.8/tmp/go-build1",
				"lane/go1.26.8/linux-amd64/d/00/two", "services/aa/api/linux-amd64/go1.26.8/layer/a/00/x", "services/aa/api/linux-amd64/go1.26.8/bin/service",
				"judged/program/key", "lane/go1.26.8/linux-amd64/filled/m1",
			}},
		"all": {to: Bounds{Bytes: 0},
			gone: []string{
				"layers/blobs/sha256/00", "services/aa/tmp/linux-arm64/go1.26.8/layer/d/00/y", "services/aa/api/linux-amd64/go1.26.8/tmp/go-build1",
				"lane/go1.26.8/linux-amd64/d/00/two", "lane/go1.26.8/linux-amd64/a/00/one", "lane/go1.26.8/linux-amd64/d/00/.new-1",
				"services/aa/api/linux-amd64/go1.26.8/layer/a/00/x", "services/aa/api/linux-amd64/go1.26.8/bin/service",
				"judged/program/key", "lane/go1.26.8/linux-amd64/filled/m1", "lane/go1.26.8/linux-amd64/lock",
				"services/aa/repository", "services/aa/api/linux-amd64/go1.26.8/lock",
			}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			lay(t, dir, full)
			before, err := Look(dir)
			if err != nil {
				t.Fatal(err)
			}
			if tc.busy {
				release, err := Hold(context.Background(), dir)
				if err != nil {
					t.Fatal(err)
				}
				defer release()
			}
			done, err := Prune(context.Background(), dir, tc.to)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{}
			for name := range full {
				if !slices.Contains(tc.gone, name) {
					want = append(want, name)
				}
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, slices.Sorted(slices.Values(left(t, dir)))); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			after, err := Look(dir)
			if err != nil {
				t.Fatal(err)
			}
			sum := func(units []Unit) (files int, bytes int64) {
				for _, u := range units {
					files, bytes = files+u.Files, bytes+u.Bytes
				}
				return files, bytes
			}
			files, bytes := sum(before)
			remain, remaining := sum(after)
			if done.Busy != tc.busy || done.Files != files-remain || done.Bytes != bytes-remaining || done.Left != remaining {
				t.Errorf("was told %+v of %d files and %d bytes, of which %d and %d are left", done, files, bytes, remain, remaining)
			}
		})
	}
}

// While one prunes, a build waits, and after it the folder is as new.
func TestHold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if done, err := Prune(context.Background(), dir, Bounds{}); err != nil || done != (Pruned{}) {
		t.Errorf("pruning nothing: %+v, %v", done, err)
	}
	var releases []func()
	for range 2 { // two builds are no matter
		release, err := Hold(context.Background(), dir)
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	for i, release := range releases {
		if done, err := Prune(context.Background(), dir, Bounds{}); err != nil || !done.Busy {
			t.Errorf("with %d builds: %+v, %v", 2-i, done, err)
		}
		release()
	}
	if done, err := Prune(context.Background(), dir, Bounds{}); err != nil || done.Busy {
		t.Errorf("with no build: %+v, %v", done, err)
	}
}

// A folder that holds something else is nobody's to clear, whatever the names of the folders
// in it. One that was only ever ours says so for good.
func TestForeign(t *testing.T) {
	home := t.TempDir()
	lay(t, home, map[string]time.Duration{"code/main.go": 9 * hour, "services/aa/api/linux-amd64/go1.26.8/bin/service": 9 * hour, ".profile": 9 * hour})
	release, err := Hold(context.Background(), home)
	if err != nil {
		t.Fatal(err)
	}
	release()
	foreign := (*ForeignError)(nil)
	if done, err := Prune(context.Background(), home, Bounds{}); !errors.As(err, &foreign) || !slices.Equal(foreign.Others, []string{".profile"}) || done.Files > 0 {
		t.Errorf("pruned %+v, %v", done, err)
	}
	if units, err := Look(home); !errors.As(err, &foreign) {
		t.Errorf("found %v, %v", units, err)
	}
	if got, want := left(t, home), []string{".profile", "code/main.go", "lock", "services/aa/api/linux-amd64/go1.26.8/bin/service"}; !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
	ours := filepath.Join(t.TempDir(), "new")
	if release, err = Hold(context.Background(), ours); err != nil {
		t.Fatal(err)
	}
	release()
	lay(t, ours, map[string]time.Duration{"code/key": 9 * hour, "notes.txt": 9 * hour})
	if done, err := Prune(context.Background(), ours, Bounds{}); err != nil || done.Files != 1 {
		t.Errorf("pruned %+v, %v", done, err)
	}
	if got, want := left(t, ours), []string{"CACHEDIR.TAG", "lock", "notes.txt"}; !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
	other := t.TempDir()
	lay(t, other, map[string]time.Duration{"layers/theirs": 9 * hour})
	if err := os.WriteFile(filepath.Join(other, tagName), []byte("Signature: 8a477f597d28d172789f06886806bc55\n# Somebody else's.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if done, err := Prune(context.Background(), other, Bounds{}); !errors.As(err, &foreign) || !slices.Equal(foreign.Others, []string{tagName}) || done.Files > 0 {
		t.Errorf("of another's cache: pruned %+v, %v", done, err)
	}
	file := filepath.Join(ours, "notes.txt")
	if _, err := Look(file); err == nil {
		t.Error("a file was looked into")
	}
	if _, err := Prune(context.Background(), file, Bounds{}); err == nil {
		t.Error("a file was pruned")
	}
}

func TestUsed(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, map[string]time.Duration{"now": hour / 2, "long ago": 2 * hour})
	Used(filepath.Join(dir, "now"), filepath.Join(dir, "long ago"), filepath.Join(dir, "nothing"))
	for name, want := range map[string]time.Duration{"now": hour / 2, "long ago": 0} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if age := time.Since(info.ModTime()); age < want || age > want+hour/4 {
			t.Errorf("%s was used %v ago, want %v", name, age, want)
		}
	}
}

func TestDue(t *testing.T) {
	dir := t.TempDir()
	if !Due(dir, hour) {
		t.Error("a folder that was never pruned is not due")
	}
	if Due(dir, hour) {
		t.Error("one that was just pruned is due")
	}
	lay(t, dir, map[string]time.Duration{prunedName: 2 * hour})
	if !Due(dir, hour) {
		t.Error("one that was pruned long ago is not due")
	}
	if Due(filepath.Join(dir, "nothing"), hour) {
		t.Error("one that is not there is due")
	}
}
