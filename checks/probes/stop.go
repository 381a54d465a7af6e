package probes

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"temper/checks"
)

var stop = &checks.Check[*Running]{
	Rule: checks.Rule{
		Name:     "probe-stop",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination",
		Doc: `the service ends in time when it gets SIGTERM, and answers what is under way

A cluster stops pods all the time: rollouts, drained nodes, scaling. A process that
dies at once drops the requests that it has, and one that does not hear is killed
later, with the same effect.

Wait for SIGTERM (signal.NotifyContext), then http.Server.Shutdown or gRPC's
GracefulStop with a deadline, and exit with 0. Declare how long that takes, drain
included, in temper.yaml: probe: {stop: 30s}.`,
	},
	Run: func(r *Running, p *checks.Pass) error {
		s := r.Stopping
		switch {
		case !s.Ended:
			p.Reportf("SIGTERM", "it is still there after the %v that are promised", r.Stop)
		case s.End.Code != 0 && s.End.Code != saidGoodbye:
			p.Reportf("SIGTERM", "%s: nothing in it handles the signal, or its end goes wrong", s.End)
			p.Fixf("signal.NotifyContext(ctx, syscall.SIGTERM), and exit with 0")
		}
		if s.UnderWay && !s.Answered {
			p.Reportf("SIGTERM", "it drops a request that is under way")
		}
		return nil
	},
}

// saidGoodbye is the exit code by which some programs tell that SIGTERM ended
// them in an orderly way: 128 and the signal's number.
const saidGoodbye = 143

// A Stopping is how a service ended when it was asked to.
type Stopping struct {
	// UnderWay tells that there was a request whose body was still coming, and
	// Answered that it got an answer all the same.
	UnderWay, Answered bool
	// Ended tells that the service ended in time, and End how.
	Ended bool
	End   End
}

// A pending request has all but the last byte of its body sent.
type pending struct {
	answered chan bool // whether an answer came, once
	finish   func()
}

// stop asks the service to end, with a request under way if it lets one be.
func (a *asker) stop(ctx context.Context) (Stopping, error) {
	var s Stopping
	ctx, cancel := context.WithTimeout(ctx, a.Stop+late)
	defer cancel()
	var open *pending
	if a.Port != 0 {
		open = a.underWay(ctx)
	}
	s.UnderWay = open != nil
	if err := a.Terminate(); err != nil && !a.dies(ctx) {
		return s, fmt.Errorf("sending SIGTERM: %w", err)
	}
	if open != nil {
		a.reacts(ctx)
		open.finish()
		select {
		case s.Answered = <-open.answered:
		case <-ctx.Done():
		}
	}
	select {
	case <-a.Done():
		s.Ended, s.End = true, a.End()
	case <-ctx.Done():
	}
	return s, nil
}

// reacts waits until the signal has had time to do harm: until the service has
// ended or takes no connection any more, and a moment longer, but for a second
// only where it goes on serving for a while.
func (a *asker) reacts(ctx context.Context) {
	for begun := time.Now(); time.Since(begun) < time.Second; {
		conn, err := a.connect(ctx, a.Port)
		if err != nil {
			break
		}
		conn.Close()
		select {
		case <-a.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	select {
	case <-a.Done():
	case <-time.After(200 * time.Millisecond):
	}
}

// underWay returns a request that some handler waits for the rest of; nil where
// each is answered at once.
func (a *asker) underWay(ctx context.Context) *pending {
	begin := a.begin
	if a.GRPC {
		begin = a.beginCall
	}
	for _, path := range a.Paths {
		// A connection that breaks is no answer: a busy machine may be too slow
		// for the service's own limits, and another try may be in time.
		for broken := 0; broken < 3; broken++ {
			p := begin(ctx, path)
			if p == nil {
				continue
			}
			select {
			case <-time.After(200 * time.Millisecond):
				return p
			case answered := <-p.answered:
				p.finish()
				if answered {
					broken = 3
				}
			}
		}
	}
	return nil
}

func (a *asker) begin(ctx context.Context, path string) *pending {
	conn, err := a.connect(ctx, a.Port)
	if err != nil {
		return nil
	}
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{", path, a.Host)
	p := &pending{answered: make(chan bool, 1), finish: func() { io.WriteString(conn, "}") }}
	go func() { p.answered <- answers(conn) }()
	return p
}

// answers tells whether a whole answer comes.
func answers(conn net.Conn) bool {
	defer conn.Close()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil
}
