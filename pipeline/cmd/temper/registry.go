package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/spf13/cobra"
)

func newRegistry(p *person) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "registry [flags] -- COMMAND [ARG]...",
		Short: "A registry in memory for the time of one command",
		Long: `registry starts a container registry that lives in memory on this machine, runs
the command with TEMPER_REGISTRY set to its HOST:PORT, and ends with it: to try a
release and its verification with no registry at hand, or in a test. Without a
command it prints its address and serves until it is interrupted. The exit code is
the command's own.`,
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
			if err != nil {
				return err
			}
			server := &http.Server{
				Handler:           registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))),
				ReadHeaderTimeout: 10 * time.Second,
				IdleTimeout:       time.Minute,
			}
			defer server.Close()
			served := make(chan error, 1)
			go func() { served <- server.Serve(l) }()

			if len(args) == 0 {
				fmt.Fprintln(p.out, l.Addr())
				select {
				case err := <-served:
					return err
				case <-ctx.Done():
					return nil
				}
			}
			child := exec.CommandContext(ctx, args[0], args[1:]...)
			child.Env = append(os.Environ(), "TEMPER_REGISTRY="+l.Addr().String())
			child.Stdin, child.Stdout, child.Stderr = p.in, p.out, p.err
			err = child.Run()
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				return &childError{fmt.Errorf("%s ended with %v", args[0], exit), max(exit.ExitCode(), exitCould)}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "listen on `ADDRESS`")
	return cmd
}

// A childError is a command that temper started and that did not end with 0.
type childError struct {
	error
	code int
}

func (e *childError) Unwrap() error { return e.error }
