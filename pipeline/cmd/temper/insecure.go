package main

import (
	"strings"

	"github.com/spf13/cobra"

	"temper/pipeline/release"
)

// insecureHosts are those of --insecure, each looked at as it is read.
type insecureHosts []string

// addInsecure adds the flag. What are the hosts, as in "a registry".
func addInsecure(cmd *cobra.Command, into *[]string, what string) {
	cmd.Flags().Var((*insecureHosts)(into), "insecure", "speak plain HTTP to `HOST[:PORT]`, "+what+" in a private network (may be repeated; loopback needs no mention)")
}

// Set adds a host.
func (h *insecureHosts) Set(host string) error {
	if err := release.CheckInsecure(host); err != nil {
		return err
	}
	*h = append(*h, host)
	return nil
}

// String returns all of them.
func (h *insecureHosts) String() string { return strings.Join(*h, ",") }

// Type is what pflag calls such a flag.
func (h *insecureHosts) Type() string { return "host" }
