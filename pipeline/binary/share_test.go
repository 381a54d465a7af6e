package binary

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/service"
)

// What one service had compiled is not asked for again by another of the same modules.
func TestFilling(t *testing.T) {
	f := filling(filepath.Join(t.TempDir(), "modules"))
	for _, tc := range []struct{ wanted, left []string }{
		{[]string{"fmt", "net/http"}, []string{"fmt", "net/http"}},
		{[]string{"net/http", "os"}, []string{"os"}},
		{[]string{"fmt", "os"}, nil},
		{[]string{"net"}, []string{"net"}}, // which only begins as another does
	} {
		left, err := f.without(slices.Clone(tc.wanted))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(left, tc.left) {
			t.Errorf("of %q %q are left to compile, want %q", tc.wanted, left, tc.left)
		}
		if err := f.add(left); err != nil {
			t.Fatal(err)
		}
	}
}

// What is shared goes by the files that choose modules, the tags, the release and the
// platform: all that a package's path may mean something else by.
func TestChosen(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module example.com/a\n")
	svc := service.Service{Root: dir, Module: dir, Dir: dir, Package: "./a"}
	amd64 := v1.Platform{OS: "linux", Architecture: "amd64"}
	name := func(svc service.Service, p v1.Platform, version string) string {
		got, err := chosen(&svc, p, &Toolchain{Version: version})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	was := name(svc, amd64, "go1.26.8")
	other := svc
	other.Name, other.Package = "other", "./b"
	if name(other, amd64, "go1.26.8") != was {
		t.Error("another package of the module has modules of its own")
	}
	tagged, fips := svc, svc
	tagged.BuildTags, fips.GOFIPS140 = []string{"debug"}, "latest"
	for what, got := range map[string]string{
		"another release":    name(svc, amd64, "go1.26.9"),
		"another platform":   name(svc, v1.Platform{OS: "linux", Architecture: "arm64"}, "go1.26.8"),
		"build tags":         name(tagged, amd64, "go1.26.8"),
		"other cryptography": name(fips, amd64, "go1.26.8"),
	} {
		if got == was {
			t.Errorf("%s: the choice is the same", what)
		}
	}
	write("go.sum", "example.com/b v1.0.0 h1:\n")
	if name(svc, amd64, "go1.26.8") == was {
		t.Error("another go.sum: the choice is the same")
	}
}

// Go is asked once what the services of a module share, and again for one alone if another
// of them is broken.
func TestBeside(t *testing.T) {
	tree := `
-- go.mod --
module example.com/shop

go 1.26
-- one/main.go --
package main

import "strconv"

func main() { println(strconv.Itoa(1)) }
-- two/main.go --
package main

import "unicode/utf8"

func main() { println(utf8.RuneLen('a')) }
-- three/main.go --
package main

import "example.com/nowhere"

func main() { nowhere.Do() }
`
	repo, one := write(t, folder(t), tree)
	toolchain, err := Select(t.Context(), repo, one)
	if err != nil {
		t.Fatal(err)
	}
	named := func(name string) *service.Service {
		svc := *one
		svc.Name, svc.Package = name, "./"+name
		return &svc
	}
	elsewhere := named("elsewhere")
	elsewhere.BuildTags = []string{"debug"}
	services := []*service.Service{named("one"), named("two"), elsewhere}
	opts := Options{Cache: t.TempDir(), Share: &Share{Program: []string{"unused"}, Services: services}}
	c, err := opts.cacheDir(services[0], amd64, toolchain)
	if err != nil {
		t.Fatal(err)
	}
	modules, err := chosen(services[0], amd64, toolchain)
	if err != nil {
		t.Fatal(err)
	}
	group := opts.Share.beside(services[0], amd64, toolchain, modules)
	if len(group) != 2 || group[0] != services[0] || group[1] != services[1] {
		t.Errorf("%d are beside one, want one and two", len(group))
	}
	opts.Share = nil // and so Go has a cache of its own
	opts.Cache = cache
	list := func(group ...*service.Service) []string {
		t.Helper()
		packages, err := opts.common(t.Context(), group, amd64, toolchain, c)
		if err != nil {
			t.Fatal(err)
		}
		return foreign(one.Root, packages)
	}
	for _, path := range []string{"strconv", "unicode/utf8"} {
		if got := list(group...); !slices.Contains(got, path) {
			t.Errorf("%s is not among what one and two share: %q", path, got)
		}
	}
	// A profile is one service's matter, and no reason to list its packages under other names.
	profile := filepath.Join(one.Root, "one", "default.pgo")
	if err := os.WriteFile(profile, []byte("GO PREOPROFILE V1\nmain.main\nstrconv.Itoa\n1 10\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := list(named("one"), named("two")); !slices.Contains(got, "strconv") || slices.ContainsFunc(got, func(path string) bool { return strings.Contains(path, " ") }) {
		t.Errorf("with a profile, what is shared is %q", got)
	}
	if err := os.Remove(profile); err != nil {
		t.Fatal(err)
	}
	if got := list(named("one"), named("three")); len(got) > 0 {
		t.Errorf("with a broken one Go said %q", got)
	}
}
