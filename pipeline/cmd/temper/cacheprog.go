package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"temper/pipeline/binary"
	"temper/pipeline/lane"
)

// cacheProgram is the verb by which Go asks this very command for what is cached. People
// have no use for it.
const cacheProgram = "cacheprog"

func newCacheProgram(*person) *cobra.Command {
	return &cobra.Command{
		Use:    cacheProgram + " OWN [SHARED]",
		Hidden: true,
		Args:   cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			c := lane.Cache{Own: args[0]}
			if len(args) == 2 {
				c.Shared = args[1]
			}
			return c.Serve(os.Stdin, os.Stdout)
		},
	}
}

// shared is what builds share below a cache: nothing where this command cannot say which
// file it is.
func shared(cache string) *binary.Share {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	return &binary.Share{Program: []string{self, cacheProgram}, Dir: filepath.Join(cache, "lane")}
}
