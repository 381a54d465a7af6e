package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// forge alters the binaries in a cache, and the notes that say that nobody has touched them.
func forge(ts *testscript.TestScript, _ bool, args []string) {
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
