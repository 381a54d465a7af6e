package binary

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/pipeline/store"
)

// three is a program of three packages in a row, and one beside.
const three = `
-- go.mod --
module example.com/three

go 1.26

require example.com/dep v1.0.0

replace example.com/dep => ./dep
-- dep/go.mod --
module example.com/dep

go 1.26
-- dep/dep.go --
package dep

import "strings"

func Word() string { return strings.ToUpper("dep") }
-- main.go --
package main

import "example.com/three/upper"

func main() { println(upper.All()) }
-- upper/upper.go --
package upper

import (
	"example.com/dep"
	"example.com/three/words"
)

func All() string { return dep.Word() + words.One }
-- words/words.go --
package words

import "strconv"

var One = strconv.Itoa(1)
-- words/words_windows.go --
package words

import "syscall"

var E = syscall.EINVAL
-- words/more.go --
package words

import "strconv"

var Two = strconv.Itoa(2)
`

// What Go would say is known without asking if only code has changed, and it is what Go
// says. In all other cases it is asked.
func TestListedAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		file, text string
		stale      []string // nil for what has to be asked
	}{
		"a function": {"words/words.go", "package words\n\nimport \"strconv\"\n\nvar One = strconv.Itoa(11)\n",
			[]string{"example.com/three", "example.com/three/upper", "example.com/three/words"}},
		"a type":                {"main.go", "package main\n\nimport \"example.com/three/upper\"\n\ntype T int\n\nfunc main() { println(upper.All(), T(1)) }\n", []string{"example.com/three"}},
		"a new file":            {"upper/new.go", "package upper\n\nimport \"example.com/dep\"\n\nvar New = dep.Word\n", []string{"example.com/three", "example.com/three/upper"}},
		"one fewer":             {"words/more.go", "", []string{"example.com/three", "example.com/three/upper", "example.com/three/words"}},
		"another system":        {"upper/new_windows.go", "package upper\n\nimport \"syscall\"\n\nvar E = syscall.EINVAL\n", nil},
		"one for another":       {"words/words_windows.go", "package words\n\nimport \"syscall\"\n\nvar E = syscall.ENOENT\n", nil},
		"one for another fewer": {"words/words_windows.go", "", nil},
		"one for nobody":        {"words/_more.go", "package words\n\nvar More int\n", nil},
		"a replaced module":     {"dep/dep.go", "package dep\n\nimport \"strings\"\n\nfunc Word() string { return strings.ToLower(\"DEP\") }\n", []string{"example.com/dep", "example.com/three", "example.com/three/upper"}},
		"a new import":          {"main.go", "package main\n\nimport (\n\t\"example.com/three/upper\"\n\t\"fmt\"\n)\n\nfunc main() { fmt.Println(upper.All()) }\n", nil},
		"an import fewer":       {"words/words.go", "package words\n\nvar One = \"1\"\n\n", []string{"example.com/three", "example.com/three/upper", "example.com/three/words"}},
		"the last of an import": {"upper/upper.go", "package upper\n\nimport \"example.com/dep\"\n\nfunc All() string { return dep.Word() }\n", nil},
		"a build tag":           {"main.go", "//go:build linux\n\npackage main\n\nimport \"example.com/three/upper\"\n\nfunc main() { println(upper.All()) }\n", nil},
		"a setting":             {"main.go", "//go:debug panicnil=1\npackage main\n\nimport \"example.com/three/upper\"\n\nfunc main() { println(upper.All()) }\n", nil},
		"an embedded file":      {"upper/embed.go", "package upper\n\nimport _ \"embed\"\n\n//go:embed upper.go\nvar Text string\n", nil},
		"assembler":             {"upper/upper_arm.s", "\n", nil},
		"go.mod":                {"go.mod", "module example.com/three // changed\n\ngo 1.26\n\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep => ./dep\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			repo, svc := write(t, folder(t), three)
			time.Sleep(2 * store.Grace)
			toolchain, err := Select(ctx, repo, svc)
			if err != nil {
				t.Fatal(err)
			}
			opts := Options{Cache: cache}
			b := mustBuild(t, repo, svc, opts)
			imports, err := b.Deps(ctx, svc, toolchain, opts)
			if err != nil || !imports.Listed() {
				t.Fatalf("the first time, listed %v, %v", imports.Listed(), err)
			}
			if err := b.Remember(ctx, svc, toolchain, opts, imports); err != nil || b.Inputs == "" {
				t.Fatalf("remembered %q, %v", b.Inputs, err)
			}
			file := filepath.Join(svc.Dir, filepath.FromSlash(tc.file))
			if err := os.WriteFile(file, []byte(tc.text), 0o666); err != nil {
				t.Fatal(err)
			}
			if tc.text == "" {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
			b = mustBuild(t, repo, svc, opts)
			got, err := b.Deps(ctx, svc, toolchain, opts)
			if err != nil {
				t.Fatal(err)
			}
			if got.Listed() != (tc.stale == nil) {
				t.Fatalf("listed: %v, want %v", got.Listed(), tc.stale == nil)
			}
			want, err := b.List(ctx, svc, toolchain, opts)
			if err != nil || !want.Listed() {
				t.Fatal(want.Listed(), err)
			}
			for _, path := range tc.stale {
				if got.by[path].Export != "" || got.by[path].BuildID != "" {
					t.Errorf("something of the compiler's is known about %s", path)
				}
				want.by[path].Export, want.by[path].BuildID = "", ""
			}
			if diff := cmp.Diff(want.all, got.all); diff != "" {
				t.Errorf("packages (-Go's +ours):\n%s", diff)
			}
		})
	}
}

// Where what the compiler left is gone, Go is asked.
func TestListedAgainCleared(t *testing.T) {
	ctx := context.Background()
	repo, svc := write(t, folder(t), three)
	time.Sleep(2 * store.Grace)
	toolchain, err := Select(ctx, repo, svc)
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{Cache: t.TempDir()}
	b := mustBuild(t, repo, svc, opts)
	imports, err := b.Deps(ctx, svc, toolchain, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Remember(ctx, svc, toolchain, opts, imports); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(svc.Dir, "main.go"), []byte("package main\n\nimport \"example.com/three/upper\"\n\nfunc main() { print(upper.All()) }\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	b = mustBuild(t, repo, svc, opts)
	if again, err := b.Deps(ctx, svc, toolchain, opts); err != nil || again.Listed() {
		t.Fatalf("listed %v, %v", again.Listed(), err)
	}
	for _, p := range imports.Packages() {
		if strings.HasSuffix(p.ImportPath, "three/words") {
			if err := os.Remove(p.Export); err != nil {
				t.Fatal(err)
			}
		}
	}
	if again, err := b.Deps(ctx, svc, toolchain, opts); err != nil || !again.Listed() {
		t.Errorf("after the cache was cleared, listed %v, %v", again.Listed(), err)
	}
}

// What a build compiles is told as it begins, if Go need not be asked: that is what is told
// of the binary afterwards. A build that compiles nothing tells nothing.
func TestAhead(t *testing.T) {
	ctx := context.Background()
	repo, svc := write(t, folder(t), three)
	time.Sleep(2 * store.Grace)
	toolchain, err := Select(ctx, repo, svc)
	if err != nil {
		t.Fatal(err)
	}
	var told []func() *Imports
	opts := Options{Cache: t.TempDir(), Ahead: func(known func() *Imports) { told = append(told, known) }}
	b := mustBuild(t, repo, svc, opts)
	if len(told) != 1 || told[0]() != nil {
		t.Fatalf("the first build told something %d times", len(told))
	}
	imports, err := b.Deps(ctx, svc, toolchain, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Remember(ctx, svc, toolchain, opts, imports); err != nil {
		t.Fatal(err)
	}
	if mustBuild(t, repo, svc, opts); len(told) != 1 {
		t.Error("a build of what has not changed told something")
	}
	if err := os.WriteFile(filepath.Join(svc.Dir, "main.go"), []byte("package main\n\nimport \"example.com/three/upper\"\n\nfunc main() { print(upper.All()) }\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	b = mustBuild(t, repo, svc, opts)
	got, err := b.Deps(ctx, svc, toolchain, opts)
	if err != nil || len(told) != 2 {
		t.Fatalf("told %d times, %v", len(told), err)
	}
	if known := told[1](); known == nil || known != got || got.Listed() {
		t.Errorf("it was told %v, and then of the binary %v", known, got)
	}
}
