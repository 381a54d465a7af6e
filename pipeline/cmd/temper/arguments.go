package main

import (
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// atMost, exactly and atLeast are cobra's, as usage errors with our words.
func atMost(n int) cobra.PositionalArgs  { return usage(cobra.MaximumNArgs(n)) }
func exactly(n int) cobra.PositionalArgs { return usage(cobra.ExactArgs(n)) }
func atLeast(n int) cobra.PositionalArgs { return usage(cobra.MinimumNArgs(n)) }

func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usagef("%v", err).hint("%s", c.UseLine())
		}
		return nil
	}
}

// version is the module's, or the commit where the command was built from a
// working tree.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return v + " " + s.Value
		}
	}
	return v
}

// dirOf is the folder to make a temporary file in, so that a rename or link to
// the path stays on one file system.
func dirOf(path string) string { return filepath.Dir(path) }

// notAddress refuses the address of a page, where a repository in a registry is wanted.
func notAddress(text string) error {
	if _, rest, is := strings.Cut(text, "://"); is {
		return usagef("%q is an address, and a repository has no scheme", text).hint("%s", rest)
	}
	return nil
}
