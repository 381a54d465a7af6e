// Package probes holds the rules about services that run, and asks them what the
// rules look at.
//
// [Observe] starts a service, twice: once as strictly as a cluster may, to ask
// it politely and to see whether it keeps the time that it promises, and once
// where it may write, to send it too much and to see what it wrote. What was seen
// is a [Running], and the rules judge that. How a service is started is the
// caller's: a [Launch] returns a [Process].
//
// What the service does wrong is a finding, also that it does not answer or does
// not start at all; then only the rules that could look count as run ([Rules]).
// An error is about what starts it.
package probes

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"temper/checks"
)

// A Declaration is what a service says of itself.
type Declaration struct {
	// Port is the one to ask, 0 where the service listens on none.
	Port int
	// Ports are all that it may listen on; Port need not be among them.
	Ports []int
	// Health are the paths that a kubelet asks, for gRPC the names of services.
	Health []string
	// Host is a name that it answers to.
	Host string
	// Paths are those to ask and to send to, for gRPC methods. None say that
	// there are only the health paths.
	Paths []string
	GRPC  bool
	// Start is when the service is up at the latest, Header how long a client
	// may take for the header of its request, Idle how long a connection may
	// lie idle, and Stop how long the service takes to end once it was asked to.
	Start, Header, Idle, Stop time.Duration
}

// A Process is a service that was started.
type Process interface {
	// Dial connects to one of its ports from outside.
	Dial(ctx context.Context, port int) (net.Conn, error)
	// Ports are those that it listens on for others.
	Ports() ([]int, error)
	// Terminate sends SIGTERM.
	Terminate() error
	// Done is closed when it has ended, and End then tells how.
	Done() <-chan struct{}
	End() End
	// Memory tells what it took, once it has ended.
	Memory() Memory
	// Said is the end of what it has written to stdout and stderr.
	Said() string
	// Written lists what was written outside of /tmp where it may write.
	Written() ([]string, error)
	// Close ends it and waits for that.
	Close() error
}

// An End is how a process ended.
type End struct {
	// Code is its exit code, -1 where a signal ended it.
	Code int
	// Signal is the name of the signal that ended it, empty where none did.
	Signal string
	// Memory tells that it was ended for the memory it took.
	Memory bool
}

// Memory is what a process took of what it may have.
type Memory struct {
	// Limit is in bytes, and Enforced tells whether the kernel keeps it.
	Limit    int64
	Enforced bool
	// Over tells that the process wanted more.
	Over bool
}

// A Launch starts the service; one that is writable may write wherever its user
// may. Where the service itself cannot be started the error is a [StartError].
type Launch func(ctx context.Context, writable bool) (Process, error)

// A StartError says why a service cannot be started.
type StartError struct{ Reason string }

func (e *StartError) Error() string { return e.Reason }

// late is what a busy machine is forgiven, beyond what the service promises.
const late = 2 * time.Second

// A Running is what was seen of a service while it ran.
type Running struct {
	Declaration
	// Strict and Free are how it came up with a root that is only read, and with
	// one that it may write.
	Strict, Free Start
	// Died tells how the service ended while it was asked politely; nil if it did
	// not.
	Died *End
	// Open are the ports that it listens on, sorted.
	Open []int

	Names     Names
	Own       []Answer // to each path, by its own host
	Wishes    []Answer // to requests that wish to be sent elsewhere
	Insides   []Answer // to those for what is inside the process
	Slow      Wait     // a header that comes a byte at a time
	Idle      Wait     // a connection on which nothing comes
	Bodies    []Body
	Load      Load
	Stopping  Stopping
	Written   []string
	Reflected bool // gRPC tells strangers which methods there are
}

// Observe starts the service and looks at it.
func Observe(ctx context.Context, d Declaration, launch Launch) (*Running, error) {
	r := &Running{Declaration: d}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.watch(ctx, launch, false, &r.Strict, r.ask) })
	g.Go(func() error { return r.watch(ctx, launch, true, &r.Free, r.strain) })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if r.Strict.Up && !r.Free.Up {
		return nil, &StartError{"it started once, and not a second time: " + r.Free.reason()}
	}
	r.Open = append(append(r.Open, r.Strict.Ports...), r.Free.Ports...)
	slices.Sort(r.Open)
	r.Open = slices.Compact(r.Open)
	return r, nil
}

// watch starts the service and lets look do so once it is up.
func (r *Running) watch(ctx context.Context, launch Launch, writable bool, s *Start, look func(context.Context, *asker) error) error {
	p, err := launch(ctx, writable)
	if refused, ok := err.(*StartError); ok {
		s.Refused = refused.Reason
		return nil
	}
	if err != nil {
		return err
	}
	defer p.Close()
	a := &asker{Declaration: r.Declaration, Process: p}
	if err := s.comesUp(ctx, a); err != nil {
		return err
	}
	if s.Up {
		if s.Ports, err = a.Process.Ports(); err == nil {
			err = look(ctx, a)
		}
	}
	if err != nil || !writable {
		return err
	}
	p.Close()
	r.Written, err = p.Written()
	return err
}

// ask asks what a client may ask, waits for what was promised, and says goodbye.
func (r *Running) ask(ctx context.Context, a *asker) error {
	if r.Port != 0 {
		if r.GRPC {
			r.Reflected = a.reflects(ctx)
		} else {
			r.Own = a.own(ctx)
			r.Names = a.names(ctx)
			r.Wishes = a.wishes(ctx)
		}
		if !a.dies(ctx) {
			var both sync.WaitGroup
			both.Go(func() { r.Slow = a.slow(ctx) })
			both.Go(func() { r.Idle = a.idle(ctx) })
			both.Wait()
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if a.dies(ctx) {
		end := a.End()
		r.Died = &end
		return nil
	}
	// Late, so that what is opened after the start is seen as well.
	var err error
	if r.Open, err = a.Process.Ports(); err != nil {
		return err
	}
	if r.Port != 0 {
		r.Insides = a.insides(ctx, r.Open)
	}
	r.Stopping, err = a.stop(ctx)
	return err
}

// strain sends the service more than it should take.
func (r *Running) strain(ctx context.Context, a *asker) error {
	if r.Port != 0 {
		r.Bodies = a.bodies(ctx)
		a.load(ctx)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.Load.Died = a.dies(ctx); r.Load.Died {
		r.Load.End = a.End()
	}
	a.Close()
	r.Load.Memory = a.Memory()
	return nil
}

// Rules are the rules that could look at a service: all that make sense for what
// it is, if it came up.
func Rules(r *Running) []*checks.Check[*Running] {
	set := []*checks.Check[*Running]{start, root}
	if !r.Strict.Up {
		return set
	}
	set = append(set, memory, ports)
	if r.Died == nil {
		set = append(set, stop)
	}
	if r.Port == 0 {
		return set
	}
	if r.Died == nil {
		set = append(set, slowHeader, idle, pprof)
	}
	set = append(set, body)
	switch {
	case r.GRPC:
		set = append(set, reflection)
	case len(r.Paths) == 0:
		set = append(set, host)
	default:
		set = append(set, host, headers, redirect)
	}
	return set
}

// AllRules describes every rule about services that run.
func AllRules() []checks.Rule {
	var rules []checks.Rule
	for _, c := range all {
		rules = append(rules, c.Rule)
	}
	return rules
}

var all = []*checks.Check[*Running]{
	start, root, memory, ports, stop, slowHeader, idle, body, pprof, reflection, host, headers, redirect,
}
