// Command ci is a team's pipeline as a Go program, on dagger.io/dagger and
// Temper's package engine: it builds and checks every service of a repository,
// side by side, on whatever engine dagger finds, and on a tag it publishes,
// signs and verifies them.
//
//	ci -temper FILE|DIR                                    # build and check
//	ci -temper FILE|DIR -release v1 -to ghcr.io/acme/shop  # and release
//
// A release takes its secrets from the environment: COSIGN_KEY is the private
// key, COSIGN_PASSWORD its password, and REGISTRY_USERNAME and REGISTRY_PASSWORD
// log in. They go from there to the engine's steps; this program never has them.
//
// stdout is REPOSITORY@DIGEST of each image that was released, else its name and
// digest; findings and errors go to stderr. It exits 3 where rules are broken,
// and 1 where something could not be done.
//
// # In a repository of your own
//
// Temper's module path is temper, which no proxy serves: keep its repository
// beside yours, as a submodule or a checkout, and say so in go.mod. Then the
// program finds package engine, and compiles the temper command as well:
//
//	go mod edit -require=temper@v0.0.0 -replace=temper=./third_party/temper
//	go mod tidy
//	CGO_ENABLED=0 GOOS=linux go build -o temper temper/pipeline/cmd/temper
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"dagger.io/dagger"

	"temper/pipeline/engine"
)

func main() {
	var s settings
	flag.StringVar(&s.dir, "C", ".", "the repository to build, in `DIR`")
	flag.StringVar(&s.temper, "temper", "", "the temper command for the engine's platform, or the folder of its repository to compile it there, in `PATH`")
	flag.StringVar(&s.goProxy, "go-proxy", "", "GOPROXY on the engine, as `URL`")
	flag.StringVar(&s.source, "source", "", "where the sources are from, for the provenance, as `URI@COMMIT`")
	flag.StringVar(&s.release, "release", "", "release the images and give them this `TAG`")
	flag.StringVar(&s.to, "to", "", "the `REPOSITORY` to release to: each image goes to REPOSITORY/NAME")
	flag.StringVar(&s.publicKey, "key", "cosign.pub", "the public key that a release has to verify with, in `FILE`")
	verbose := flag.Bool("v", false, "show what the engine does")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	logs := io.Discard
	if *verbose {
		logs = os.Stderr
	}
	err := s.check()
	if err == nil {
		err = connected(ctx, logs, s)
	}
	var no *engine.NoError
	switch {
	case errors.As(err, &no):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	case err != nil:
		fmt.Fprintln(os.Stderr, "ci:", err)
		os.Exit(1)
	}
}

func connected(ctx context.Context, logs io.Writer, s settings) error {
	client, err := dagger.Connect(ctx, dagger.WithLogOutput(logs))
	if err != nil {
		return fmt.Errorf("no engine: %w", err)
	}
	defer client.Close()
	lines, err := pipeline(ctx, client, s, s.registry(client))
	for _, line := range lines {
		fmt.Println(line)
	}
	return err
}

// pipeline builds all services and returns a line about each.
func pipeline(ctx context.Context, client *dagger.Client, s settings, at engine.Registry) ([]string, error) {
	p, err := s.pipeline(client)
	if err != nil {
		return nil, err
	}
	built, err := p.Layouts(ctx) // what is wrong with any of them is one error
	if err != nil {
		return nil, err
	}
	if s.release != "" {
		return release(ctx, client, p, built, s, at)
	}
	var lines []string
	for _, one := range built {
		digests, err := p.Digests(ctx, one.Layout)
		if err != nil {
			return nil, err
		}
		lines = append(lines, one.Name+" "+digests[one.Name])
	}
	return lines, nil
}

// release publishes what was built, and asks the registry for it as a stranger.
// Temper checks each image again before it signs, and moves no tag before that.
func release(ctx context.Context, client *dagger.Client, p *engine.Pipeline, built []engine.Built, s settings, at engine.Registry) ([]string, error) {
	key := engine.Key{Private: client.Secret("env://COSIGN_KEY"), Password: client.Secret("env://COSIGN_PASSWORD")}
	var refs []string
	for _, one := range built {
		published, err := p.Release(ctx, one.Layout, s.to, engine.Publishing{Key: key, Tags: []string{s.release}, Registry: at})
		if err != nil {
			return refs, fmt.Errorf("releasing %s: %w", one.Name, err)
		}
		refs = append(refs, published...)
	}
	if _, err := p.Verify(ctx, refs, engine.Trust{Key: client.Host().File(s.publicKey)}, at); err != nil {
		return nil, fmt.Errorf("what was released: %w", err)
	}
	return refs, nil
}
