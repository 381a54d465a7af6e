// Command temper turns Go services into hardened container images and lets
// anyone prove it.
//
// Usage and flags are in "temper help"; the rules it checks by are in "temper
// explain". Exit codes: 0 done, 1 could not, 2 usage, 3 the answer is no.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"temper/pipeline/sandbox"
)

// patience is what GOGC is where nobody says: a command soon ends, and collects
// what it leaves behind less often than a server does.
const patience = 400

const (
	exitDone  = 0
	exitCould = 1
	exitUsage = 2
	exitNo    = 3
)

func main() {
	sandbox.Enter()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(patience)
	}
	os.Exit(run(os.Args[1:], &person{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// run is main with its surroundings as parameters.
func run(args []string, p *person) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	result := &sticky{w: p.out}
	p.out = result
	root := newRoot(p, args...)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if result.err != nil {
		err = fmt.Errorf("writing the result: %w", result.err)
	}
	if err == nil {
		return exitDone
	}
	var again *againError
	if errors.As(err, &again) {
		return again.code
	}
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	var child *childError
	if errors.As(err, &child) {
		p.fail(err)
		return child.code
	}
	var no *noError
	if errors.As(err, &no) {
		p.no(no)
		return exitNo
	}
	p.fail(err)
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitCould
}

// An againError says that another process has done what was asked, and said all
// there was to say.
type againError struct{ code int }

func (e *againError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// sticky remembers that something could not be written: a result that reached
// nobody is no success.
type sticky struct {
	w   io.Writer
	err error
}

func (s *sticky) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	if err != nil && s.err == nil {
		s.err = err
	}
	return n, err
}

// verbs make the commands, each under its own name.
var verbs = []struct {
	name string
	make func(*person) *cobra.Command
}{
	{"base", newBase}, {"build", newBuild}, {"cache", newCache}, {"check", newCheck}, {"explain", newExplain}, {"export", newExport}, {"fetch", newFetch},
	{"keygen", newKeygen}, {"manifest", newManifest}, {"promote", newPromote}, {"release", newRelease}, {"sbom", newSBOM},
	{"verify", newVerify}, {"services", newServices}, {"registry", newRegistry}, {"probe", newProbe}, {cacheProgram, newCacheProgram},
}

// newRoot is the command with its verbs: with the one that the arguments begin with, if
// they do, and else with all of them, and what helps to find one.
func newRoot(p *person, args ...string) *cobra.Command {
	root := &cobra.Command{
		Use:   "temper",
		Short: "Go services as hardened, checked, signed container images",
		Long: `Temper turns Go services into hardened container images: static, stripped,
distroless, non-root, reproducible; it checks them, signs them with their SBOM and
provenance, and verifies all of it in one call.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q", args[0]).hint("temper help")
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(p.out)
	root.SetErr(p.err)
	root.SetIn(p.in)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%v", err).hint("%s --help", c.CommandPath())
	})
	for _, v := range verbs {
		if len(args) > 0 && args[0] == v.name {
			root.AddCommand(v.make(p))
			root.CompletionOptions.DisableDefaultCmd = true
			return root
		}
	}
	root.Version = version()
	for _, v := range verbs {
		root.AddCommand(v.make(p))
	}
	return root
}
