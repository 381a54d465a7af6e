package engine

import (
	"context"
	"errors"
	"path"
	"strconv"

	"dagger.io/dagger"
)

// A Manifest says what manifests need to know and a service does not say.
type Manifest struct {
	// Repository is where the image is released: the service NAME as
	// REPOSITORY/NAME, or as REPOSITORY itself if it is Bare.
	Repository string
	Bare       bool
	// Memory is the limit, such as "256MiB", and CPU the request, such as "250m";
	// empty for temper's defaults.
	Memory, CPU string
	// Replicas is how many run, 0 for temper's default.
	Replicas int
	// Namespace is written into every object, empty into none.
	Namespace string
}

// Manifests are the Kubernetes objects that run the service whose image is in a
// layout, as a base for kustomize.
func (p *Pipeline) Manifests(ctx context.Context, layout *dagger.Directory, name string, m Manifest) (*dagger.Directory, error) {
	if m.Repository == "" {
		return nil, errors.New("where the image is released is not known; name a repository, such as ghcr.io/acme/shop")
	}
	c, err := p.building(ctx, p.source)
	if err != nil {
		return nil, err
	}
	args := []string{"manifest", "-C", sourceDir, "--layout", layoutDir, "--repository", m.Repository, "-o", outDir}
	if m.Bare {
		args = append(args, "--bare")
	}
	for _, f := range []struct{ name, value string }{{"--memory", m.Memory}, {"--cpu", m.CPU}, {"--namespace", m.Namespace}} {
		if f.value != "" {
			args = append(args, f.name, f.value)
		}
	}
	if m.Replicas != 0 {
		args = append(args, "--replicas", strconv.Itoa(m.Replicas))
	}
	c = withTemper(c.
		WithMountedDirectory(layoutDir, layout, dagger.ContainerWithMountedDirectoryOpts{ReadOnly: true}).
		WithDirectory(outDir, p.client.Directory()), append(args, name)...)
	if _, err := finish(ctx, c); err != nil {
		return nil, err
	}
	return c.Directory(path.Join(outDir, name)), nil
}
