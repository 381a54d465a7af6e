package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
)

// Before a command does anything, Temper's own packages have made next to nothing:
// what their rules need together took a third of the time that one manifest takes.
func TestStart(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	ours := 0
	lines := regexp.MustCompile(`(?m)^init temper/((?:checks|pipeline)\S*) @.*, ([0-9]+) bytes,`).FindAllStringSubmatch(string(said), -1)
	for _, line := range lines {
		size, err := strconv.Atoi(line[2])
		if err != nil {
			t.Fatal(err)
		}
		if size > 30_000 {
			t.Errorf("%s makes %d bytes at the start of every command", line[1], size)
		}
		ours += size
	}
	if len(lines) < 5 || ours > 80_000 {
		t.Errorf("%d packages make %d bytes at the start of every command, want 80,000 at most, of five or more", len(lines), ours)
	}
}
