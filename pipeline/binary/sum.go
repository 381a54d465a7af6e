package binary

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"golang.org/x/mod/sumdb/dirhash"
)

// sums are those of the toolchains that this run has seen, by their GOROOT.
var sums sync.Map

// Sum returns the hash of the programs that compile: the go command, its compiler,
// assembler and linker, in the form that go.sum has for modules ("h1:..."), over
// their paths in GOROOT. Two machines of one kind with the same distribution of a
// release have the same.
//
// It reads some 50 MB, once a run: whoever is going to ask does well to begin
// early.
func (t *Toolchain) Sum() (string, error) {
	once, _ := sums.LoadOrStore(t.Root, sync.OnceValues(func() (string, error) { return sumOf(t.Root) }))
	return once.(func() (string, error))()
}

func sumOf(root string) (string, error) {
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	tools := "pkg/tool/" + runtime.GOOS + "_" + runtime.GOARCH + "/"
	sum, err := dirhash.Hash1([]string{"bin/go" + suffix, tools + "asm" + suffix, tools + "compile" + suffix, tools + "link" + suffix},
		func(name string) (io.ReadCloser, error) {
			return os.Open(filepath.Join(root, filepath.FromSlash(name)))
		})
	if err != nil {
		return "", fmt.Errorf("hashing the toolchain: %w", err)
	}
	return sum, nil
}
