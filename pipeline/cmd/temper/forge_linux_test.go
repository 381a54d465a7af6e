package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"temper/checks/memory"
	"temper/pipeline/store"
)

// forge alters the binaries in a cache, or its layers, and the notes that say that nobody has
// touched them: forge CACHE binaries|layers.
func forge(ts *testscript.TestScript, _ bool, args []string) {
	if args[1] == "layers" {
		forgeLayers(ts, filepath.Join(ts.MkAbs(args[0]), "layers"))
		return
	}
	found, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "services", "*", "*", "*", "*", "bin", "service"))
	ts.Check(err)
	if len(found) == 0 {
		ts.Fatalf("there is no binary in %s", args[0])
	}
	for _, name := range found {
		content, err := os.ReadFile(name)
		ts.Check(err)
		content[len(content)/2] ^= 1
		ts.Check(os.WriteFile(name, content, 0o700))
		info, err := os.Stat(name)
		ts.Check(err)
		stat := info.Sys().(*syscall.Stat_t)
		noted, err := os.ReadFile(name + ".sha256")
		ts.Check(err)
		sum, _, _ := strings.Cut(strings.TrimSpace(string(noted)), " ")
		stamp := fmt.Sprintf("%s %d:%d:%d:%d\n", sum, stat.Dev, stat.Ino, info.Size(), stat.Ctim.Nano())
		ts.Check(os.WriteFile(name+".sha256", []byte(stamp), 0o600))
	}
}

func forgeLayers(ts *testscript.TestScript, cache string) {
	notes, err := memory.Open(filepath.Join(cache, "layers"))
	ts.Check(err)
	keys, err := filepath.Glob(filepath.Join(cache, "layers", "*", "*"))
	ts.Check(err)
	found := 0
	for _, key := range keys {
		var note map[string]any
		if json.Unmarshal(notes.Load(filepath.Base(key)), &note) != nil {
			continue
		}
		_, hex, _ := strings.Cut(note["Digest"].(string), ":")
		name := filepath.Join(cache, "blobs", "sha256", hex)
		content, err := os.ReadFile(name)
		ts.Check(err)
		content[len(content)/2] ^= 1
		ts.Check(os.WriteFile(name, content, 0o644))
		info, err := os.Stat(name)
		ts.Check(err)
		note["Untouched"] = store.Stamp(info)
		text, err := json.Marshal(note)
		ts.Check(err)
		ts.Check(notes.Save(filepath.Base(key), text))
		found++
	}
	if found == 0 {
		ts.Fatalf("there is no layer in %s", cache)
	}
}
