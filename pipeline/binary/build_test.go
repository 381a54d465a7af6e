package binary

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/tools/txtar"

	"temper/pipeline/service"
)

var amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}

// cache is shared by the tests whose services differ in nothing that a cache
// could hide; the others make their own.
var cache string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "temper-binary-*")
	if err != nil {
		panic(err)
	}
	cache = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// folder is one folder for the sources of many tests, emptied for each: a
// repository's build cache goes by its path, and a cold one costs seconds.
func folder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(cache, "src")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// hello is a service that compiles in a moment: it imports nothing.
const hello = `
-- go.mod --
module example.com/hello

go 1.26
-- main.go --
package main

var version = "none"

func main() { println("hello", version) }
`

// write puts a txtar on disk and returns the service in it.
func write(t *testing.T, dir, tree string) (*service.Repository, *service.Service) {
	t.Helper()
	for _, f := range txtar.Parse([]byte(tree)).Files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	svc := &service.Service{Name: "hello", Root: dir, Dir: dir, Module: dir, Package: ".", Path: "/usr/local/bin/hello", User: service.DefaultUser}
	return &service.Repository{Dir: dir, Base: service.BuiltinBase, Platforms: []v1.Platform{amd64}, Services: []*service.Service{svc}}, svc
}

func build(t *testing.T, repo *service.Repository, svc *service.Service, opts Options) (*Binary, error) {
	t.Helper()
	ctx := context.Background()
	toolchain, err := Select(ctx, repo, svc)
	if err != nil {
		return nil, err
	}
	return Build(ctx, svc, amd64, toolchain, opts)
}

func mustBuild(t *testing.T, repo *service.Repository, svc *service.Service, opts Options) *Binary {
	t.Helper()
	b, err := build(t, repo, svc, opts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The digest depends on the source, the release and the configuration, and on
// nothing around them: another folder, another cache, a hostile environment.
func TestBuildIsTheSameEverywhere(t *testing.T) {
	repo, svc := write(t, folder(t), hello)
	want := mustBuild(t, repo, svc, Options{Cache: cache})
	r, err := want.Report(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK() {
		t.Fatalf("the binary breaks rules: %v", r.Findings)
	}
	if flags := want.Facts.Setting("-gcflags"); flags != "all=-dwarf=false" {
		t.Errorf("it was compiled with %q, and debug information made for the linker to drop", flags)
	}

	userConfig := t.TempDir()
	if err := os.WriteFile(filepath.Join(userConfig, "env"), []byte("GOFLAGS=-race\nGOAMD64=v3\nCGO_ENABLED=1\nGOEXPERIMENT=arenas\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"CGO_ENABLED": "1", "GOFLAGS": "-race -tags=evil", "GOAMD64": "v3", "GOEXPERIMENT": "arenas", "GODEBUG": "madvdontneed=1",
		"GOOS": "darwin", "GOARCH": "arm64", "GOWORK": "/nowhere/go.work", "GOENV": filepath.Join(userConfig, "env"),
		"GOCACHE": "/nowhere", "GOFIPS140": "latest", "HOME": t.TempDir(), "GOTMPDIR": "/nowhere",
	} {
		// The module cache and the toolchain may be found through HOME.
		if name == "HOME" && os.Getenv("GOMODCACHE") == "" {
			home, err := os.UserHomeDir()
			if err != nil {
				t.Fatal(err)
			}
			if os.Getenv("GOPATH") == "" {
				t.Setenv("GOPATH", filepath.Join(home, "go"))
			}
		}
		t.Setenv(name, value)
	}
	repo, svc = write(t, filepath.Join(t.TempDir(), "another", "folder"), hello)
	got := mustBuild(t, repo, svc, Options{Cache: filepath.Join(t.TempDir(), "another cache")})
	if got.Digest != want.Digest {
		t.Errorf("in another folder under a hostile environment the digest is %s, want %s", got.Digest, want.Digest)
	}
	var names []string
	for _, v := range Ambient() {
		names = append(names, v.Name)
	}
	for _, name := range []string{"CGO_ENABLED", "GOFLAGS", "GOAMD64", "GODEBUG"} {
		if !strings.Contains(strings.Join(names, " "), name) {
			t.Errorf("%s was set aside and is not listed: %v", name, names)
		}
	}
}

func TestStampsAndTagsChangeTheBinary(t *testing.T) {
	repo, svc := write(t, folder(t), hello)
	plain := mustBuild(t, repo, svc, Options{Cache: cache})
	svc.Stamps = map[string]string{"main.version": "it's {{.Tag}}"}
	stamped := mustBuild(t, repo, svc, Options{Cache: cache, Tag: "v1.2.3"})
	if plain.Digest == stamped.Digest {
		t.Error("a stamp does not change the binary")
	}
	raw, err := os.ReadFile(stamped.Path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), "it's v1.2.3") {
		t.Error("the stamp is not in the binary")
	}
	if _, err := build(t, repo, svc, Options{Cache: cache}); err == nil {
		t.Error("a stamp that asks for a tag is built without one")
	}
	svc.Stamps = map[string]string{"main.version": `both ' and "`}
	if _, err := build(t, repo, svc, Options{Cache: cache}); err == nil || !strings.Contains(err.Error(), "quotes") {
		t.Errorf("a value that Go cannot take: %v", err)
	}
}

// Go keeps an output whose build id is current, whatever its other bytes are.
func TestAlteredOutputIsNotTrusted(t *testing.T) {
	repo, svc := write(t, folder(t), hello)
	want := mustBuild(t, repo, svc, Options{Cache: cache})
	raw, err := os.ReadFile(want.Path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 0xff
	if err := os.WriteFile(want.Path, raw, 0o755); err != nil {
		t.Fatal(err)
	}
	got := mustBuild(t, repo, svc, Options{Cache: cache})
	if got.Digest != want.Digest {
		t.Errorf("an altered output was taken for current: %s, want %s", got.Digest, want.Digest)
	}
}

func TestCompileErrorsAreGosOwn(t *testing.T) {
	repo, svc := write(t, folder(t), strings.Replace(hello, "println(", "printn(", 1))
	_, err := build(t, repo, svc, Options{Cache: cache})
	var compile *CompileError
	if !errors.As(err, &compile) {
		t.Fatalf("the error is %v, want a CompileError", err)
	}
	if compile.Service != "hello" || !strings.Contains(compile.Output, "./main.go:5:15: undefined: printn") {
		t.Errorf("the compiler's words are %q", compile.Output)
	}
}

func TestBuildRefuses(t *testing.T) {
	for _, tc := range []struct{ name, tree, want string }{
		{"a package that is not main", strings.Replace(hello, "package main", "package hello", 1), "is not a main package"},
		{"a release that is none", strings.Replace(hello, "go 1.26", "go 1.26\n\ntoolchain go1.26.999", 1), "go1.26.999 (says go.mod)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			repo, svc := write(t, folder(t), tc.tree)
			_, err := build(t, repo, svc, Options{Cache: cache})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("the error is %v, want it to say %q", err, tc.want)
			}
		})
	}
}

func TestCgoIsRefusedByName(t *testing.T) {
	repo, svc := write(t, folder(t), `
-- go.mod --
module example.com/hello

go 1.26
-- main.go --
package main

import "example.com/hello/native"

func main() { println(native.Answer()) }
-- native/native.go --
package native

// int answer(void) { return 42; }
import "C"

func Answer() int { return int(C.answer()) }
`)
	_, err := build(t, repo, svc, Options{Cache: cache})
	var compile *CompileError
	if !errors.As(err, &compile) {
		t.Fatalf("the error is %v, want a CompileError", err)
	}
	if !strings.Contains(compile.Hint, "example.com/hello/native") {
		t.Errorf("the hint %q does not name the package that needs cgo", compile.Hint)
	}
}

// Compiling writes the service's own cache and nothing else: not the module
// cache, not the sources, not another service's cache.
func TestBuildWritesItsOwnCacheOnly(t *testing.T) {
	mods, src, root := t.TempDir(), t.TempDir(), t.TempDir()
	t.Setenv("GOMODCACHE", mods)
	repo, svc := write(t, src, hello)
	other := *svc
	other.Name = "other"
	mustBuild(t, repo, &other, Options{Cache: root})
	before := [][]string{files(t, mods), files(t, src), files(t, CachePath(root, src, "other", "linux/amd64"))}
	mustBuild(t, repo, svc, Options{Cache: root})
	after := [][]string{files(t, mods), files(t, src), files(t, CachePath(root, src, "other", "linux/amd64"))}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("files that a build touched (-before +after):\n%s", diff)
	}
}

// What one service pulled in reaches no other, though both import the same
// package: nothing of it lies in the other's cache, and whatever is done to the
// one's cache, the other's binary is the same as without it.
func TestCachesKeepServicesApart(t *testing.T) {
	const marker = "here speaks the debugger"
	src, root := t.TempDir(), t.TempDir()
	repo, plain := write(t, src, `
-- go.mod --
module example.com/shop

go 1.26

require example.com/dlv v1.0.0

replace example.com/dlv => ./dlv
-- shared/shared.go --
package shared

func Name() string { return "shop" }
-- plain/main.go --
package main

import "example.com/shop/shared"

func main() { println(shared.Name()) }
-- debugged/main.go --
package main

import (
	"example.com/dlv"
	"example.com/shop/shared"
)

func main() { println(shared.Name(), dlv.Attach()) }
-- dlv/go.mod --
module example.com/dlv

go 1.26
-- dlv/dlv.go --
package dlv

func Attach() string { return "`+marker+`" }
`)
	plain.Name, plain.Package = "plain", "./plain"
	debugged := *plain
	debugged.Name, debugged.Package = "debugged", "./debugged"
	alone := mustBuild(t, repo, plain, Options{Cache: t.TempDir()})

	b := mustBuild(t, repo, &debugged, Options{Cache: root})
	if !holds(t, b.Path, marker) {
		t.Fatal("the debugged service does not hold what it pulled in")
	}
	poisoned := 0
	own := CachePath(root, src, "debugged", "linux/amd64")
	each(t, own, func(path string) {
		if strings.HasSuffix(path, "-d") {
			poisoned++
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("poison"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
	if poisoned == 0 {
		t.Fatalf("%s holds no compiled package", own)
	}
	got := mustBuild(t, repo, plain, Options{Cache: root})
	if got.Digest != alone.Digest {
		t.Errorf("beside another service the binary has digest %s, alone %s", got.Digest, alone.Digest)
	}
	each(t, CachePath(root, src, "plain", "linux/amd64"), func(path string) {
		if holds(t, path, marker) {
			t.Errorf("%s holds what another service pulled in", path)
		}
	})
}

func each(t *testing.T, dir string, f func(path string)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			f(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, path, text string) bool {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(raw), text)
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		list = append(list, path+" "+info.ModTime().String())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestOpenSaysEveryReason(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(context.Background(), self, v1.Platform{OS: "linux", Architecture: "s390x"})
	var unfit *UnfitError
	if !errors.As(err, &unfit) {
		t.Skipf("the test binary is no ELF file here: %v", err)
	}
	for _, rule := range []string{"trimmed", "platform"} {
		if !strings.Contains(err.Error(), rule) {
			t.Errorf("the error does not name the rule %s: %v", rule, err)
		}
	}
}
