package service

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"
)

// What a person has set for other work does not change what there is to build.
func TestLoadIgnoresTheEnvironment(t *testing.T) {
	root := repository(t)
	write(t, filepath.Join(root, "go.mod"), "module example.com/shop\n\ngo 1.26\n")
	write(t, filepath.Join(root, "cmd", "orders", "main_linux_amd64.go"), "package main\n")
	write(t, filepath.Join(root, "cmd", "special", "main.go"), "//go:build special || cgo\n\npackage main\n")
	write(t, filepath.Join(root, "cmd", "windows", "main_windows.go"), "package main\n")
	config := filepath.Join(t.TempDir(), "env")
	write(t, config, "GOFLAGS=-tags=special\nGOOS=windows\n")
	for key, v := range map[string]string{
		"GOENV": config, "GOOS": "windows", "GOARCH": "arm64", "CGO_ENABLED": "1", "GO111MODULE": "off",
		"GOFLAGS": "-tags=special -mod=mod", "GOWORK": filepath.Join(root, "none.work"), "PWD": "/",
	} {
		t.Setenv(key, v)
	}
	for _, flags := range []string{os.Getenv("GOFLAGS"), ""} {
		t.Setenv("GOFLAGS", flags)
		repo, err := Load(t.Context(), root)
		if err != nil {
			t.Fatal(err)
		}
		if len(repo.Services) != 1 || repo.Services[0].Name != "orders" {
			t.Errorf("services are %v, want orders alone", repo.Services)
		}
	}
}

// A go.mod from before Go 1.17 does not name all modules, so Go has to fetch
// the go.mod files of those that it names, from where the person says.
func TestLoadFetchesWhatItMust(t *testing.T) {
	const version, module = "v1.0.0", "module example.com/old\n\ngo 1.15\n"
	proxy, root := t.TempDir(), repository(t)
	write(t, filepath.Join(proxy, "example.com", "old", "@v", version+".mod"), module)
	write(t, filepath.Join(proxy, "example.com", "old", "@v", version+".info"), `{"Version":"`+version+`"}`)
	hash, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(module)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "go.mod"), "module example.com/shop\n\ngo 1.15\n\nrequire example.com/old "+version+"\n")
	write(t, filepath.Join(root, "go.sum"), "example.com/old "+version+"/go.mod "+hash+"\n")
	write(t, filepath.Join(root, "main.go"), "package main\n\nimport _ \"example.com/old\"\n\nfunc main() {}\n")
	t.Setenv("GOMODCACHE", filepath.Join(t.TempDir(), "mod"))
	t.Setenv("GOPROXY", "off")
	if _, err := Load(t.Context(), root); err == nil || !strings.Contains(err.Error(), "GOPROXY=off") {
		t.Errorf("without a proxy: %v, want what Go says", err)
	}
	t.Setenv("GOPROXY", "file://"+filepath.ToSlash(proxy))
	repo, err := Load(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if len(repo.Services) != 1 || repo.Services[0].Name != "shop" {
		t.Errorf("services are %v, want shop alone", repo.Services)
	}
}

func TestLoadSaysThatGoIsMissing(t *testing.T) {
	root := repository(t)
	write(t, filepath.Join(root, "go.mod"), "module example.com/shop\n")
	t.Setenv("PATH", t.TempDir())
	_, err := Load(t.Context(), root)
	if want := "listing packages: there is no go command on the PATH; install Go from https://go.dev/dl"; err == nil || err.Error() != want {
		t.Errorf("Load: %v, want %s", err, want)
	}
}

// Go's own words say that there is no such release, and ours what to type.
func TestLoadSaysThatThereIsNoSuchRelease(t *testing.T) {
	root := repository(t)
	write(t, filepath.Join(root, "go.mod"), "module example.com/shop\n\ngo 99.0\n")
	write(t, filepath.Join(root, "main.go"), "package main\n\nfunc main() {}\n")
	_, err := Load(t.Context(), root)
	if err == nil || !strings.Contains(err.Error(), `invalid GOTOOLCHAIN "go99.0"`) ||
		!strings.Contains(err.Error(), "there is no Go 99.0, or none to be had from here: ask for one that there is, go mod edit -go=VERSION") {
		t.Errorf("Load returned %v, want Go's words and what to type", err)
	}
	for said, want := range map[string]string{
		"go: download go1.99.0: golang.org/toolchain@v0.0.1-go1.99.0.linux-amd64: 404 Not Found": "there is no Go 1.99.0,",
		"go: go.mod requires go >= 1.99.0 (running go 1.26.8; GOTOOLCHAIN=local)":                "there is no Go 1.99.0,",
		"go: download golang.org/x/mod@v0.1.0: 404 Not Found":                                    "",
	} {
		if got := strings.TrimPrefix(NoRelease(said), said); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("to %q is added %q, want %q", said, got, want)
		}
	}
}

func TestFit(t *testing.T) {
	for text, want := range map[string]string{
		"orders": "orders", "Order API": "order-api", "__x__": "x", "a...b": "a-b", "a__b": "a__b",
		"a--b": "a--b", "a-_b": "a-b", "Büro": "b-ro", "": "service", "---": "service",
		strings.Repeat("a", 127) + "-b": strings.Repeat("a", 127),
	} {
		if got := fit(text); got != want || !component().MatchString(got) {
			t.Errorf("fit(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestLastElement(t *testing.T) {
	for importPath, want := range map[string]string{
		"example.com/orders": "orders", "example.com/orders/v2": "orders", "example.com/orders/v10": "orders",
		"example.com/v1": "v1", "example.com/v0": "v0", "v2": "v2", "example.com/orders.v2": "orders.v2", "temper": "temper",
	} {
		if got := lastElement(importPath); got != want {
			t.Errorf("lastElement(%q) = %q, want %q", importPath, got, want)
		}
	}
}

// Go is asked about cgo where a file of its packages may need that, and nowhere else.
func TestMentionCgo(t *testing.T) {
	for name, want := range map[string]bool{
		"main.go": true, "cmd/deep/er/main.go": true, "internal/vendored/a.go": true, // as Go looks
		"main_test.go": false, "notes.txt": false, "vendor/example.com/a/a.go": false,
		"testdata/a.go": false, ".hidden/a.go": false, "_old/a.go": false,
	} {
		root := t.TempDir()
		write(t, filepath.Join(root, "other.go"), "package main // C is a letter\n")
		if err := os.Symlink("none", filepath.Join(root, ".#other.go")); err != nil {
			t.Skip(err)
		}
		write(t, filepath.Join(root, filepath.FromSlash(name)), "package a\n\nimport \"C\"\n")
		if got := mentionCgo([]string{root}); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if !mentionCgo([]string{filepath.Join(t.TempDir(), "none")}) {
		t.Error("who cannot look says that there is none")
	}
}
