package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// mentions DIR TEXT: some file below the folder holds the text.
func mentions(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: mentions DIR TEXT")
	}
	found := ""
	below(ts, args[0], func(path string, content []byte) {
		if found == "" && bytes.Contains(content, []byte(args[1])) {
			found = path
		}
	})
	if neg && found != "" {
		ts.Fatalf("%s holds %q", found, args[1])
	} else if !neg && found == "" {
		ts.Fatalf("nothing below %s holds %q", args[0], args[1])
	}
}

// spoil DIR: the last byte of every file below the folder is another.
func spoil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: spoil DIR")
	}
	below(ts, args[0], func(path string, content []byte) {
		if len(content) == 0 {
			return
		}
		content[len(content)-1] ^= 1
		ts.Check(os.WriteFile(path, content, 0o600))
	})
}

func below(ts *testscript.TestScript, dir string, do func(path string, content []byte)) {
	ts.Check(filepath.WalkDir(ts.MkAbs(dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil {
			do(path, content)
		}
		return err
	}))
}

// rest waits until files are so old that a build may take them for what it compiled.
func rest(*testscript.TestScript, bool, []string) { time.Sleep(250 * time.Millisecond) }
