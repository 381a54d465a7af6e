package engine

import (
	"context"
	"errors"
	"strings"

	"dagger.io/dagger"
	"golang.org/x/sync/errgroup"
)

// A NoError is temper's answer no: everything was looked at and does not pass.
// Its text is what temper said to people: the findings, or the reason.
type NoError struct{ said string }

func (e *NoError) Error() string { return e.said }

// exitNo is temper's exit code for that answer.
const exitNo = 3

// spoken is what a step printed.
type spoken struct{ out, err string }

// withTemper adds a step that runs temper. The step itself never fails, so that
// [finish] can tell why it did and its files can be looked at.
func withTemper(c *dagger.Container, args ...string) *dagger.Container {
	return c.WithExec(append([]string{command}, args...), dagger.ContainerWithExecOpts{Expect: dagger.ReturnTypeAny})
}

// finish runs a container whose last step is temper's, and returns what temper
// printed. Where temper did not exit 0 the error is what it said: people want
// the findings or the compiler's words, and not an exit code.
func finish(ctx context.Context, c *dagger.Container) (spoken, error) {
	var s spoken
	var code int
	g, asking := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		code, err = c.ExitCode(asking)
		return err
	})
	g.Go(func() (err error) {
		s.err, err = c.Stderr(asking)
		return err
	})
	g.Go(func() (err error) {
		s.out, err = c.Stdout(asking)
		return err
	})
	// Errors are fresh ones: Dagger shows the innermost one of a chain.
	if err := g.Wait(); err != nil {
		return spoken{}, plainly(err)
	}
	switch said := strings.TrimSpace(s.err); code {
	case 0:
		return s, nil
	case exitNo:
		return s, &NoError{said}
	default:
		return s, errors.New(said)
	}
}

func run(ctx context.Context, c *dagger.Container, args ...string) (spoken, error) {
	return finish(ctx, withTemper(c, args...))
}
