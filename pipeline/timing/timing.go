// Package timing notes what a command spends its time on.
//
// A [Recorder] travels in the context. Where there is none, nothing is noted and nothing
// is spent on it.
package timing

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// A Step is something that took time.
type Step struct {
	// Service is the name of the service that it was done for, and Platform is as in
	// linux/amd64. They are empty for what is done once for all.
	Service, Platform string
	// Name says what it is, in one or two words.
	Name string
	// Began is how long the recorder had been there, and Took how long the step took.
	Began, Took time.Duration
}

// A Recorder collects steps, from any number of goroutines.
type Recorder struct {
	began time.Time

	mu    sync.Mutex
	steps []Step
}

// New returns a recorder, whose time begins now.
func New() *Recorder { return &Recorder{began: time.Now()} }

// Steps are those that are done, in the order in which they began.
func (r *Recorder) Steps() []Step {
	r.mu.Lock()
	defer r.mu.Unlock()
	steps := slices.Clone(r.steps)
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(a.Began, b.Began) })
	return steps
}

// Elapsed is how long the recorder has been there.
func (r *Recorder) Elapsed() time.Duration { return time.Since(r.began) }

// Record returns a context in which steps are noted with the recorder.
func Record(ctx context.Context, r *Recorder) context.Context {
	return context.WithValue(ctx, key{}, &about{recorder: r})
}

// About returns a context in which steps are those of a service, and of a platform if
// one is named.
func About(ctx context.Context, service, platform string) context.Context {
	in, ok := ctx.Value(key{}).(*about)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, key{}, &about{in.recorder, service, platform})
}

// Start begins a step, which ends when done is called.
func Start(ctx context.Context, name string) (done func()) {
	in, ok := ctx.Value(key{}).(*about)
	if !ok {
		return func() {}
	}
	began := in.recorder.Elapsed()
	return func() {
		took := in.recorder.Elapsed() - began
		in.recorder.mu.Lock()
		defer in.recorder.mu.Unlock()
		in.recorder.steps = append(in.recorder.steps, Step{in.service, in.platform, name, began, took})
	}
}

type key struct{}

// about is what a context knows of the steps in it.
type about struct {
	recorder          *Recorder
	service, platform string
}
