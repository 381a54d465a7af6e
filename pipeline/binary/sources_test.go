package binary

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"

	"temper/checks/executables"
)

func TestVerifySources(t *testing.T) {
	cache := t.TempDir()
	write := func(path, content string) {
		t.Helper()
		path = filepath.Join(cache, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("example.com/!lib@v1.0.0/lib.go", "package lib\n")
	sum, err := dirhash.HashDir(filepath.Join(cache, "example.com/!lib@v1.0.0"), "example.com/Lib@v1.0.0", dirhash.Hash1)
	if err != nil {
		t.Fatal(err)
	}
	lib := debug.Module{Path: "example.com/Lib", Version: "v1.0.0", Sum: sum}
	of := func(deps ...*debug.Module) *Binary {
		return &Binary{Facts: &executables.Facts{Go: &debug.BuildInfo{Deps: deps}}}
	}
	verify := func(bins ...*Binary) error { return VerifySources(&Toolchain{ModCache: cache}, bins...) }
	good := []*Binary{
		of(&lib),
		of(&debug.Module{Path: "example.com/other", Version: "v0.1.0", Replace: &lib}),
		of(&debug.Module{Path: "example.com/folder", Version: "v0.0.0", Replace: &debug.Module{Path: "./folder"}}),
		of(&debug.Module{Path: "example.com/vendored", Version: "v1.0.0"}),
		{Facts: &executables.Facts{}},
	}
	if err := verify(good...); err != nil {
		t.Errorf("as it was fetched: %v", err)
	}
	if err := verify(of(&debug.Module{Path: "example.com/gone", Version: "v1.0.0", Sum: sum})); err == nil {
		t.Error("sources that are not there verify")
	}
	other := lib
	other.Sum = "h1:" + strings.Repeat("A", 43) + "="
	if err := verify(of(&lib), of(&other)); err == nil {
		t.Error("a second sum of one module is not looked at")
	}
	write("example.com/!lib@v1.0.0/lib.go", "package lib // changed\n")
	for i, b := range good[:2] {
		if err := verify(b); err == nil || !strings.Contains(err.Error(), "it was changed after it was fetched: go clean -modcache") {
			t.Errorf("%d: sources that were changed: %v", i, err)
		}
	}
}
