package binary

import (
	"errors"
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
// It reads some 50 MB, once a run, unless that is known of files that nobody has touched:
// whoever is going to ask does well to begin early.
func (t *Toolchain) Sum() (string, error) {
	once, _ := sums.LoadOrStore(t.Root, sync.OnceValues(func() (string, error) {
		before := stampsOf(t.facts, t.Root)
		sum, err := before.of(t.Root, programs(), func() (string, error) { return sumOf(t.Root) })
		return sum, errors.Join(err, before.save())
	}))
	return once.(func() (string, error))()
}

// programs are those of a toolchain that decide what it makes, relative to its GOROOT.
func programs() []string {
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	tools := "pkg/tool/" + runtime.GOOS + "_" + runtime.GOARCH + "/"
	return []string{"bin/go" + suffix, tools + "asm" + suffix, tools + "compile" + suffix, tools + "link" + suffix}
}

func sumOf(root string) (string, error) {
	sum, err := dirhash.Hash1(programs(), func(name string) (io.ReadCloser, error) {
		return os.Open(filepath.Join(root, filepath.FromSlash(name)))
	})
	if err != nil {
		return "", fmt.Errorf("hashing the toolchain: %w", err)
	}
	return sum, nil
}
