package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"example.com/temper/worker/buffer"
)

const (
	minDelay = time.Second     // after the first failure
	maxDelay = 2 * time.Minute // after many
)

// poll looks at the upstream until ctx ends. No failure of the upstream ends
// it: a worker that dies with its upstream only adds restarts to an outage.
func poll(ctx context.Context, fetch func(context.Context) ([]byte, error), interval time.Duration,
	docs *buffer.Buffer, state *state, log *slog.Logger) {
	failures := 0
	for {
		doc, err := fetch(ctx)
		state.polled(err)
		var wait time.Duration
		switch {
		case ctx.Err() != nil && err != nil: // we broke it off ourselves
			return
		case err != nil:
			wait = delay(failures)
			failures++
			log.Warn("fetching", "err", err, "failures", failures, "retry", wait.String())
		default:
			wait = jitter(interval)
			failures = 0
			if doc == nil {
				break // nothing new
			}
			if dropped := docs.Put(doc); dropped > 0 {
				log.Warn("buffer full", "dropped", dropped)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// delay is how long to wait after that many failures before: twice as long
// each time, up to maxDelay.
func delay(failures int) time.Duration {
	// The exponent is bounded first, for a shift by a day of failures is 0.
	return jitter(min(minDelay<<min(failures, 16), maxDelay))
}

// jitter is d less up to half of it, at random. Without it all the workers
// that an outage stopped together come back together, again and again.
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
func jitter(d time.Duration) time.Duration {
	return d - rand.N(d/2+1)
}
