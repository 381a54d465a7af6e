package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// An asking is how a service is spoken to, other than a registry: what fails for
// a passing reason is tried again, and an answer that is none is an error with
// the service's own words. The libraries that speak to services want a transport
// and know nothing of the run's context, so it is here.
type asking struct {
	ctx context.Context
	// what the service is called in errors.
	what string
	// pause is the first between attempts; each is three times the one before.
	pause time.Duration
	// takes is an answer that is one, beside those that say yes.
	takes int
}

const (
	// maxAsked is how often a service is asked before giving up.
	maxAsked = 3
	// maxWords bounds what is read of an answer that is an error.
	maxWords = 4 << 10
)

func (a asking) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	// The request's own context holds the client's limit of time.
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(a.ctx, func() { cancel(context.Cause(a.ctx)) })
	defer stop()
	wait := a.pause
	for attempt := 1; ; attempt++ {
		again := r.Clone(ctx)
		if body != nil {
			again.Body = io.NopCloser(bytes.NewReader(body))
		}
		answer, err := network{}.RoundTrip(again)
		if err == nil && (answer.StatusCode/100 == 2 || answer.StatusCode == a.takes) {
			answer.Body = &ending{answer.Body, cancel}
			return answer, nil
		}
		passes := err != nil && passing(err)
		if err == nil {
			passes = slices.Contains(passingCodes, answer.StatusCode)
			err = refusedBy(answer)
		}
		if !passes || attempt == maxAsked {
			cancel(nil)
			return nil, fmt.Errorf("%s: %w", a.what, err)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(wait):
			wait *= 3
		}
	}
}

// ending lets go of a request's context once its answer was read.
type ending struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (e *ending) Close() error {
	defer e.cancel(nil)
	return e.ReadCloser.Close()
}

// refusedBy is the error that an answer is.
func refusedBy(answer *http.Response) error {
	defer answer.Body.Close()
	words, err := io.ReadAll(io.LimitReader(answer.Body, maxWords))
	if err != nil {
		return fmt.Errorf("it answers %s, and then %w", answer.Status, err)
	}
	text := strings.Join(strings.Fields(string(words)), " ")
	if text == "" {
		return fmt.Errorf("it answers %s", answer.Status)
	}
	return errors.New(printable(fmt.Sprintf("it answers %s: %s", answer.Status, text)))
}
