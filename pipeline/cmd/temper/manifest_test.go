package main

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// stripped FILE: prints it without the digests in it.
func stripped(ts *testscript.TestScript, _ bool, args []string) {
	fmt.Fprint(ts.Stdout(), regexp.MustCompile(`@sha256:[0-9a-f]{64}`).ReplaceAllString(ts.ReadFile(args[0]), ""))
}

func TestParseCPU(t *testing.T) {
	for text, want := range map[string]int{
		"100m": 100, "1": 1000, "1.5": 1500, "0.25": 250, "0.001": 1, "1000": 1_000_000,
		"": 0, "m": 0, "0": 0, "0m": 0, "0.0001": 0, "1.5m": 0, "1e3": 0, "-1": 0, "+1": 0, "1 ": 0, "1.2.3": 0, "1001": 0, "100M": 0,
	} {
		if got, err := parseCPU(text); got != want || (err != nil) != (want == 0) {
			t.Errorf("parseCPU(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
}
