package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"dagger.io/dagger"
)

// A Built is a service and its layout.
type Built struct {
	Name   string
	Layout *dagger.Directory
}

// Layouts builds services side by side, all of the repository where none is
// named. What is wrong with any of them is one error, in the order of the names:
// a [*NoError] where rules are broken and nothing worse.
func (p *Pipeline) Layouts(ctx context.Context, names ...string) ([]Built, error) {
	list, err := p.plan(ctx)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		for _, s := range list {
			names = append(names, s.Name)
		}
	}
	built := make([]Built, len(names))
	return built, sideBySide(len(names), func(i int) (err error) {
		built[i].Name = names[i]
		built[i].Layout, err = p.layout(ctx, list, names[i])
		return err
	})
}

// sideBySide does something for each of n, and returns what is wrong with any.
func sideBySide(n int, do func(int) error) error {
	errs := make([]error, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { errs[i] = do(i) })
	}
	wait.Wait()
	return together(errs)
}

// together is one fresh error with the words of all: Dagger shows the innermost
// one of a chain.
func together(errs []error) error {
	var said []string
	no := true
	for _, err := range errs {
		var answer *NoError
		if err != nil {
			said = append(said, err.Error())
			no = no && errors.As(err, &answer)
		}
	}
	said = slices.Compact(said) // an engine that is gone is gone for all of them
	switch {
	case len(said) == 0:
		return nil
	case no:
		return &NoError{strings.Join(said, "\n")}
	}
	return errors.New(strings.Join(said, "\n"))
}
