package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"dagger.io/dagger"

	"temper/pipeline/engine"
)

// settings are the flags.
type settings struct {
	dir, temper, goProxy, source, release, to, publicKey string
}

// check tells what is missing before an engine is asked for anything.
func (s settings) check() error {
	if _, err := os.Stat(s.temper); err != nil {
		return fmt.Errorf("-temper %q: give the compiled command, or the folder of Temper's repository", s.temper)
	}
	if s.release == "" {
		return nil
	}
	if s.to == "" {
		return errors.New("-release without -to: give the repository to release to, such as ghcr.io/acme/shop")
	}
	for _, name := range []string{"COSIGN_KEY", "COSIGN_PASSWORD"} {
		if _, set := os.LookupEnv(name); !set {
			return fmt.Errorf("-release takes the key to sign with from the environment: set %s", name)
		}
	}
	if _, err := os.Stat(s.publicKey); err != nil {
		return fmt.Errorf("a release is verified: give the public key with -key (%w)", err)
	}
	return nil
}

// pipeline is the one for the repository.
func (s settings) pipeline(client *dagger.Client) (*engine.Pipeline, error) {
	opts := engine.Options{Access: engine.Access{GoProxy: s.goProxy}, Source: s.source, Tag: s.release}
	if s.release != "" {
		opts.Lane = "release" // builds of pull requests share no cache with it
	}
	info, err := os.Stat(s.temper)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		opts.TemperSource = client.Host().Directory(s.temper, dagger.HostDirectoryOpts{Include: []string{"go.mod", "go.sum", "checks", "pipeline"}})
	default:
		opts.Temper = client.Host().File(s.temper)
	}
	return engine.New(client, client.Host().Directory(s.dir, dagger.HostDirectoryOpts{Exclude: []string{".git", ".temper"}}), opts), nil
}

// registry is that of the images, and how to log in.
func (s settings) registry(client *dagger.Client) engine.Registry {
	host, _, _ := strings.Cut(s.to, "/")
	at := engine.Registry{Host: host, Username: os.Getenv("REGISTRY_USERNAME")}
	if at.Username != "" {
		at.Password = client.Secret("env://REGISTRY_PASSWORD")
	}
	return at
}
