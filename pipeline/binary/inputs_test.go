package binary

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks/memory"
	"temper/pipeline/store"
)

// embedding is a program of two packages, one of which embeds a file and a folder.
const embedding = `
-- go.mod --
module example.com/hello

go 1.26
-- main.go --
package main

import "example.com/hello/inner/words"

func main() { println(words.All()) }
-- main_test.go --
package main
-- README --
hello
-- inner/words/words.go --
package words

import "embed"

//go:embed one.txt tree
var files embed.FS

func All() string { b, _ := files.ReadFile("one.txt"); return string(b) }
-- inner/words/one.txt --
one
-- inner/words/tree/two.txt --
two
-- inner/words/tree/below/three.txt --
three
`

// remembered builds and notes what was built, once all files have rested.
func remembered(t *testing.T, tree string) (rebuild func() *Binary, dir string) {
	t.Helper()
	repo, svc := write(t, folder(t), tree)
	time.Sleep(2 * store.Grace)
	toolchain, err := Select(context.Background(), repo, svc)
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{Cache: cache}
	rebuild = func() *Binary {
		t.Helper()
		b, err := Build(context.Background(), svc, amd64, toolchain, opts)
		if err != nil {
			t.Fatal(err)
		}
		if b.Inputs != "" {
			return b
		}
		imports, err := Deps(context.Background(), svc, amd64, toolchain, opts)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Remember(context.Background(), svc, toolchain, opts, imports); err != nil {
			t.Fatal(err)
		}
		return b
	}
	rebuild()
	return rebuild, svc.Dir
}

// compiled tells whether a build compiled, or found that all is as it was.
func compiled(b *Binary) bool { return !b.began.IsZero() }

// What goes into a binary is noticed, whatever its times say, and nothing else is.
func TestUnchanged(t *testing.T) {
	put := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tc := range map[string]struct {
		change func(*testing.T, string)
		why    []string // nothing is compiled without a reason
	}{
		"nothing":          {func(*testing.T, string) {}, nil},
		"a test":           {put("main_test.go", "package main\n\n// changed\n"), nil},
		"a new test":       {put("new_test.go", "package main\n"), nil},
		"a file beside":    {put("README", "goodbye"), nil},
		"a source":         {put("inner/words/words.go", "package words\n\nfunc All() string { return \"\" }\n"), []string{"inner/words/words.go has changed"}},
		"a comment":        {put("main.go", "package main\n\nimport \"example.com/hello/inner/words\"\n\nfunc main() { println(words.All()) } // yes\n"), []string{"main.go has changed"}},
		"a new source":     {put("more.go", "package main\n\nfunc init() { println(1) }\n"), []string{"more.go is new"}},
		"an embedded file": {put("inner/words/one.txt", "ONE"), []string{"inner/words/one.txt has changed"}},
		"one in a folder":  {put("inner/words/tree/below/three.txt", "THREE"), []string{"inner/words/tree/below/three.txt has changed"}},
		"a new one":        {put("inner/words/tree/below/four.txt", "four"), []string{"inner/words/tree/below/four.txt is new"}},
		"go.mod":           {put("go.mod", "module example.com/hello\n\ngo 1.25\n"), []string{"go.mod has changed"}},
		"go.sum":           {put("go.sum", "\n"), []string{"go.sum is new"}},
		"times put back": {func(t *testing.T, dir string) {
			name := filepath.Join(dir, "inner/words/one.txt")
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			put("inner/words/one.txt", "eno\n")(t, dir)
			if err := os.Chtimes(name, info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
		}, []string{"inner/words/one.txt has changed"}},
		"a source that is gone": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "inner/words/tree/two.txt")); err != nil {
				t.Fatal(err)
			}
		}, []string{"inner/words/tree/two.txt is gone"}},
		"what is remembered": {func(t *testing.T, dir string) {
			b, err := filepath.Glob(filepath.Join(cache, "services", "*", "hello", "*", "*", "bin", "inputs.json"))
			if err != nil || len(b) == 0 {
				t.Fatal(b, err)
			}
			for _, name := range b {
				if err := os.WriteFile(name, []byte("{"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}, []string{"what is noted of the last build cannot be read"}},
	} {
		t.Run(name, func(t *testing.T) {
			rebuild, dir := remembered(t, embedding)
			first := rebuild()
			if compiled(first) || first.Inputs == "" {
				t.Fatalf("the second build compiled: inputs %q", first.Inputs)
			}
			tc.change(t, dir)
			again := rebuild()
			if got := compiled(again); got != (tc.why != nil) || !slices.Equal(again.Why, tc.why) {
				t.Errorf("compiled: %v, because %q, want %q", got, again.Why, tc.why)
			}
		})
	}
}

// A go.mod between a module and its package takes the package away: the build has to
// fail as it would without a memory.
func TestUnchangedModuleBetween(t *testing.T) {
	_, dir := remembered(t, embedding)
	if err := os.WriteFile(filepath.Join(dir, "inner", "go.mod"), []byte("module example.com/other\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	repo, svc := write(t, dir, "")
	if b, err := build(t, repo, svc, Options{Cache: cache}); err == nil {
		t.Errorf("built all the same, compiled: %v", compiled(b))
	}
}

// What has changed while it was compiled is not taken for what was compiled.
func TestRememberLate(t *testing.T) {
	repo, svc := write(t, folder(t), embedding+"-- new.go --\npackage main\n")
	toolchain, err := Select(context.Background(), repo, svc)
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{Cache: cache}
	b, err := Build(context.Background(), svc, amd64, toolchain, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(svc.Dir, "inner/words/one.txt"), []byte("late"), 0o666); err != nil {
		t.Fatal(err)
	}
	imports, err := Deps(context.Background(), svc, amd64, toolchain, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Remember(context.Background(), svc, toolchain, opts, imports); err != nil || b.Inputs != "" {
		t.Errorf("remembered %q, %v", b.Inputs, err)
	}
	if b, err = Build(context.Background(), svc, amd64, toolchain, opts); err != nil || !compiled(b) {
		t.Errorf("the next build took it for the same: %v", err)
	}
}

// Other settings, and a binary that was altered, are built again.
func TestUnchangedSettings(t *testing.T) {
	rebuild, dir := remembered(t, hello)
	b := rebuild()
	if compiled(b) {
		t.Fatal("the second build compiled")
	}
	repo, svc := write(t, dir, "")
	svc.Stamps = map[string]string{"main.version": "v1"}
	if b := mustBuild(t, repo, svc, Options{Cache: cache}); !compiled(b) {
		t.Error("a stamp was not noticed")
	} else if len(b.Why) != 1 || !strings.Contains(b.Why[0], "main.version=v1") {
		t.Errorf("a stamp is told as %q", b.Why)
	}
	svc.Stamps = nil
	rebuild()
	if err := os.WriteFile(b.Path, []byte("altered"), 0o700); err != nil {
		t.Fatal(err)
	}
	if again, err := b.Distrust(); err != nil || !again {
		t.Errorf("an altered binary is distrusted: %v, %v", again, err)
	}
	if err := os.WriteFile(b.Path, []byte("altered"), 0o700); err != nil {
		t.Fatal(err)
	}
	again := rebuild()
	if !compiled(again) || again.Digest != b.Digest {
		t.Errorf("an altered binary came to %v, compiled: %v", again.Digest, compiled(again))
	}
	if want := errAltered.Error(); !slices.Equal(again.Why, []string{want}) {
		t.Errorf("an altered binary is told as %q, want %q", again.Why, want)
	}
}

// Vendored code is part of the repository, wherever the command is run.
func TestUnchangedVendored(t *testing.T) {
	rebuild, dir := remembered(t, `
-- go.mod --
module example.com/hello

go 1.26

require example.com/dep v1.0.0
-- vendor/modules.txt --
# example.com/dep v1.0.0
## explicit; go 1.26
example.com/dep
-- vendor/example.com/dep/dep.go --
package dep

func Word() string { return "one" }
-- main.go --
package main

import "example.com/dep"

func main() { println(dep.Word()) }
`)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("go.mod", []byte("module example.com/here\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if compiled(rebuild()) {
		t.Error("from another folder it compiled")
	}
	name := filepath.Join(dir, "vendor", "example.com", "dep", "dep.go")
	if err := os.WriteFile(name, []byte("package dep\n\nfunc Word() string { return \"two\" }\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if !compiled(rebuild()) {
		t.Error("what is vendored was changed, and not noticed")
	}
}

// A binary that nobody has touched is not read, and one that somebody has is, whatever its
// time of modification says.
func TestTrusted(t *testing.T) {
	rebuild, _ := remembered(t, hello)
	time.Sleep(2 * store.Grace)
	b := rebuild()
	sum := filepath.Join(filepath.Dir(b.Path), "service.sha256")
	noted := func() string {
		t.Helper()
		text, err := os.ReadFile(sum)
		if err != nil {
			t.Fatal(err)
		}
		_, stamp, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
		return stamp
	}
	info, err := os.Stat(b.Path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := noted(), store.Stamp(info); got != want {
		t.Errorf("after a look at it, it is noted as %q, want %q", got, want)
	}
	if got, err := b.Distrust(); err != nil || got {
		t.Errorf("it is distrusted: %v, %v", got, err)
	}
	content, err := os.ReadFile(b.Path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(b.Path, content, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(b.Path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	again := rebuild()
	if !compiled(again) || again.Digest != b.Digest {
		t.Errorf("an altered binary came to %v, compiled: %v", again.Digest, compiled(again))
	}
	if got := noted(); got != "" {
		t.Errorf("one that was just written is noted as %q", got)
	}
}

// A build that fails takes nothing away: what it was asked for is compared with the last one
// that did not.
func TestUnchangedAfterFailure(t *testing.T) {
	rebuild, dir := remembered(t, embedding)
	time.Sleep(2 * store.Grace)
	first := rebuild()
	name := filepath.Join(dir, "main.go")
	was, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("package main\n\nfunc main() {"), 0o666); err != nil {
		t.Fatal(err)
	}
	repo, svc := write(t, dir, "")
	if _, err := build(t, repo, svc, Options{Cache: cache}); err == nil {
		t.Fatal("half a program was built")
	}
	if err := os.WriteFile(name, was, 0o666); err != nil {
		t.Fatal(err)
	}
	if b := rebuild(); compiled(b) || b.Digest != first.Digest {
		t.Errorf("as it was before, it came to %v, want %v; compiled: %v", b.Digest, first.Digest, compiled(b))
	}
	if err := os.WriteFile(name, append(was, "// more\n"...), 0o666); err != nil {
		t.Fatal(err)
	}
	if b := rebuild(); !slices.Equal(b.Why, []string{"main.go has changed"}) {
		t.Errorf("compiled because %q", b.Why)
	}
}

// What a binary says of itself is read once, goes by its content, and is read again where
// what was kept is not as it was written.
func TestFactsAreReadOnce(t *testing.T) {
	keep, err := memory.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	repo, svc := write(t, folder(t), embedding)
	b := mustBuild(t, repo, svc, Options{Cache: cache})
	opts := Options{Facts: keep}
	for _, round := range []string{"first", "second"} {
		got, err := opts.factsOf(b.Digest, b.Path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b.Facts, got); diff != "" {
			t.Errorf("the %s time (-want +got):\n%s", round, diff)
		}
		b.Path = filepath.Join(t.TempDir(), "gone") // the second time nobody reads
	}
	if _, err := opts.factsOf(v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}, b.Path); err == nil {
		t.Error("the facts of one binary are those of another")
	}
	if err := keep.Save("facts-"+b.Digest.Hex, []byte("{")); err != nil {
		t.Fatal(err)
	}
	if _, err := opts.factsOf(b.Digest, b.Path); err == nil {
		t.Error("what cannot be read is taken for facts")
	}
}
