package engine

import (
	"context"
	"fmt"
	"strings"

	"dagger.io/dagger"
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
	code, err := c.ExitCode(ctx)
	if err != nil {
		return spoken{}, err
	}
	var s spoken
	if s.err, err = c.Stderr(ctx); err != nil {
		return spoken{}, fmt.Errorf("reading what temper said: %w", err)
	}
	switch code {
	case 0:
	case exitNo:
		return spoken{}, &NoError{strings.TrimSpace(s.err)}
	default:
		// A fresh error: Dagger shows the innermost one of a chain.
		return spoken{}, fmt.Errorf("%s", strings.TrimSpace(s.err))
	}
	if s.out, err = c.Stdout(ctx); err != nil {
		return spoken{}, fmt.Errorf("reading temper's answer: %w", err)
	}
	return s, nil
}

func run(ctx context.Context, c *dagger.Container, args ...string) (spoken, error) {
	return finish(ctx, withTemper(c, args...))
}
