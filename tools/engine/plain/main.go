// What anybody would write first: go build, and the binary on an empty base.
//
// It is what Temper's module is measured against, and as good as thirty lines
// get: each service sees its own sources alone, all of them are built side by
// side, and the caches of Go are volumes.
package main

import (
	"context"
	"errors"
	"sync"

	"dagger/plain/internal/dagger"
)

type Plain struct{}

// Build every service for every platform.
func (*Plain) Build(
	ctx context.Context,
	source *dagger.Directory,
	services, platforms []string,
	// +optional
	goProxy string,
	// A part of the names of the cache volumes.
	// +optional
	caches string,
) error {
	errs := make([]error, len(services)*len(platforms))
	var wait sync.WaitGroup
	for i, service := range services {
		for j, platform := range platforms {
			wait.Go(func() {
				_, errs[i*len(platforms)+j] = image(source.Directory(service), service, dagger.Platform(platform), goProxy, caches).Sync(ctx)
			})
		}
	}
	wait.Wait()
	return errors.Join(errs...)
}

func image(source *dagger.Directory, name string, platform dagger.Platform, goProxy, caches string) *dagger.Container {
	build := dag.Container().From("golang:1.26.8-bookworm").
		WithMountedCache("/go/pkg/mod", dag.CacheVolume("plain-modules"+caches)).
		WithMountedCache("/root/.cache/go-build", dag.CacheVolume("plain-build"+caches)).
		WithEnvVariable("CGO_ENABLED", "0").WithEnvVariable("GOARCH", string(platform)[len("linux/"):]).
		WithDirectory("/src", source).WithWorkdir("/src")
	if goProxy != "" {
		build = build.WithEnvVariable("GOPROXY", goProxy)
	}
	binary := build.WithExec([]string{"go", "build", "-trimpath", "-ldflags=-s -w", "-o", "/out/" + name, "."}).File("/out/" + name)
	return dag.Container(dagger.ContainerOpts{Platform: platform}).
		WithFile("/usr/local/bin/"+name, binary).WithEntrypoint([]string{"/usr/local/bin/" + name}).WithUser("65532:65532")
}
