package engine

import (
	"context"
	"errors"
	"fmt"

	"dagger.io/dagger"
)

// Where a step leaves what it was run for.
const (
	outDir  = "/out"
	tarFile = outDir + "/image.tar"
)

// Tarball is the image of one platform in a layout, as an archive that docker
// load takes; the platform may be empty where there is only one.
func (p *Pipeline) Tarball(ctx context.Context, layout *dagger.Directory, platform string) (*dagger.File, error) {
	c, err := p.on(layout)
	if err != nil {
		return nil, err
	}
	args := []string{"export", layoutDir, tarFile}
	if platform != "" {
		args = append(args, "--platform", platform)
	}
	c = withTemper(c.WithDirectory(outDir, p.client.Directory()), args...)
	if _, err := finish(ctx, c); err != nil {
		return nil, err
	}
	return c.File(tarFile), nil
}

// Container is the image of one platform in a layout, to run, look into or bind
// as a service. What is made of it is no longer the image that was judged.
func (p *Pipeline) Container(ctx context.Context, layout *dagger.Directory, platform string) (*dagger.Container, error) {
	tarball, err := p.Tarball(ctx, layout, platform)
	if err != nil {
		return nil, err
	}
	opts := dagger.ContainerOpts{Platform: dagger.Platform(platform)}
	return p.client.Container(opts).Import(tarball), nil
}

// Binary is the executable that the image of a platform starts.
func (p *Pipeline) Binary(ctx context.Context, layout *dagger.Directory, platform string) (*dagger.File, error) {
	c, err := p.Container(ctx, layout, platform)
	if err != nil {
		return nil, err
	}
	entrypoint, err := c.Entrypoint(ctx)
	if err != nil {
		return nil, err
	}
	if len(entrypoint) == 0 {
		return nil, errors.New("the image has no entrypoint")
	}
	return c.File(entrypoint[0]), nil
}

// SBOM is what the image in a layout is made of, for all its platforms or the
// one that is named: "spdx" or "cyclonedx". It is made from the image alone; the
// one that a release signs lies in the layout and knows the modules' licences.
func (p *Pipeline) SBOM(ctx context.Context, layout *dagger.Directory, format, platform string) (*dagger.File, error) {
	c, err := p.on(layout)
	if err != nil {
		return nil, err
	}
	args := []string{"sbom", "--format", format, layoutDir}
	if platform != "" {
		args = append(args, "--platform", platform)
	}
	said, err := run(ctx, c, args...)
	if err != nil {
		return nil, err
	}
	return p.client.Directory().WithNewFile("sbom.json", said.out).File("sbom.json"), nil
}

// A Format is one of those that a report can be had in.
type Format string

const (
	JSON  Format = "json"
	SARIF Format = "sarif"
	HTML  Format = "html"
	Text  Format = "text"
)

// ReportFile is what the rules say of a layout, as a file of the format,
// whatever it says.
func (p *Pipeline) ReportFile(ctx context.Context, layout *dagger.Directory, format Format) (*dagger.File, error) {
	c, err := p.on(layout)
	if err != nil {
		return nil, err
	}
	c, args := p.accepting(c, "check")
	file, err := p.reportFile(ctx, c, format, dagger.ContainerWithExecOpts{}, args...)
	var no *NoError
	if errors.As(err, &no) {
		err = nil
	}
	return file, err
}

// reportFile runs a verb that reports on the layout. There is a file beside a
// [*NoError] as well.
func (p *Pipeline) reportFile(ctx context.Context, c *dagger.Container, format Format, opts dagger.ContainerWithExecOpts, args ...string) (*dagger.File, error) {
	name := "report." + string(format)
	switch format {
	case JSON:
		args = append(args, "--json")
	case SARIF, HTML:
		args = append(args, "--"+string(format), outDir+"/"+name)
	case Text:
		name = "report.txt"
		args = append(args, "--verbose")
	default:
		return nil, fmt.Errorf("there is no report in the format %q; there are json, sarif, html and text", format)
	}
	opts.Expect = dagger.ReturnTypeAny
	c = c.WithDirectory(outDir, p.client.Directory()).WithExec(append([]string{command}, append(args, layoutDir)...), opts)
	said, err := finish(ctx, c)
	var no *NoError
	if err != nil && !errors.As(err, &no) {
		return nil, err
	}
	switch format {
	case SARIF, HTML:
		return c.File(outDir + "/" + name), err
	case Text:
		said.out = said.err
	}
	return p.client.Directory().WithNewFile(name, said.out).File(name), err
}

// on is a container with temper and a layout to look at.
func (p *Pipeline) on(layout *dagger.Directory) (*dagger.Container, error) {
	c, err := p.runner()
	if err != nil {
		return nil, err
	}
	return c.WithMountedDirectory(layoutDir, layout, dagger.ContainerWithMountedDirectoryOpts{ReadOnly: true}), nil
}
