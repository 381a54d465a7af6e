package engine

import (
	"context"
	"errors"
	"strings"

	"dagger.io/dagger"
)

// Probe starts the services of a layout, on the engine's own platform, holds each
// to what temper.yaml promises of it, and returns temper's report as JSON. One
// that breaks a promise is a [*NoError] with the findings.
//
// A service starts in a sandbox that temper makes, with a root that is only read
// and no capabilities. Making it takes a step that has root's capabilities on the
// engine, which an engine may refuse; no secret is in that step, and what is asked
// is asked from inside. An answer that passes is not asked for again as long as
// image and promises stay the same; one that does not is.
func (p *Pipeline) Probe(ctx context.Context, layout *dagger.Directory) (string, error) {
	said, err := p.probed(ctx, layout)
	return said.out, err
}

// ProbeFile is what [Pipeline.Probe] sees as a file of the format, which is there
// beside a [*NoError] as well. It is asked for anew each time.
func (p *Pipeline) ProbeFile(ctx context.Context, layout *dagger.Directory, format Format) (*dagger.File, error) {
	c, err := p.probing(ctx, layout)
	if err != nil {
		return nil, err
	}
	return p.reportFile(ctx, fresh(c), format, privileged, "probe")
}

// ProbeAll builds the services that are named, or all, and probes them side by
// side. What is wrong with any of them is one error.
func (p *Pipeline) ProbeAll(ctx context.Context, names ...string) error {
	built, err := p.Layouts(ctx, names...)
	if err != nil {
		return err
	}
	return sideBySide(len(built), func(i int) error {
		_, err := p.Probe(ctx, built[i].Layout)
		return err
	})
}

// privileged is what a step needs that makes namespaces.
var privileged = dagger.ContainerWithExecOpts{InsecureRootCapabilities: true}

// probing is a container with a layout and what temper.yaml promises.
func (p *Pipeline) probing(ctx context.Context, layout *dagger.Directory) (*dagger.Container, error) {
	list, err := p.plan(ctx)
	if err != nil {
		return nil, err
	}
	c, err := p.on(layout)
	if err != nil {
		return nil, err
	}
	return c.
		WithMountedDirectory(sourceDir, p.outline(list, nil), dagger.ContainerWithMountedDirectoryOpts{ReadOnly: true}).
		WithWorkdir(sourceDir), nil
}

// probed returns the report, also beside a [*NoError]. The step fails where
// temper says no, so that an engine does not keep that answer: it may have been
// the machine's fault.
func (p *Pipeline) probed(ctx context.Context, layout *dagger.Directory) (spoken, error) {
	c, err := p.probing(ctx, layout)
	if err != nil {
		return spoken{}, err
	}
	out, err := c.WithExec([]string{command, "probe", "--json", layoutDir}, privileged).Stdout(ctx)
	var failed *dagger.ExecError
	switch {
	case err == nil:
		return spoken{out: out}, nil
	case !errors.As(err, &failed):
		return spoken{}, err
	}
	s := spoken{failed.Stdout, failed.Stderr}
	if failed.ExitCode == exitNo {
		return s, &NoError{strings.TrimSpace(s.err)}
	}
	return s, errors.New(strings.TrimSpace(s.err))
}
