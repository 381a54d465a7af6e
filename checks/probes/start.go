package probes

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"temper/checks"
)

var start = &checks.Check[*Running]{
	Rule: checks.Rule{
		Name:     "probe-start",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted",
		Doc: `the service starts with nothing that it does not need, and is well

It is started as a strict cluster does: with a root that is only read, as the
image's own user, without capabilities and new privileges, with a memory limit and
GOMEMLIMIT. What comes up there comes up anywhere. A health path that depends on
another service turns its trouble into restarts of this one.

Make it start without root, without writing outside of /tmp, and listen on an
address that others reach (":8080", not "localhost:8080"). Declare in temper.yaml
what it needs: probe: {port, health, env, memory, start}.`,
	},
	Run: func(r *Running, p *checks.Pass) error {
		if !r.Strict.Up {
			p.Reportf("start", "%s", r.Strict.reason())
			if r.Strict.Said != "" {
				p.Fixf("it said: %s", r.Strict.Said)
			}
			return nil
		}
		for _, h := range r.Strict.Health {
			if h.Status < 200 || h.Status > 299 {
				p.Reportf(h.Asked, "%s", describe(h, r.GRPC))
				p.Fixf("health is about this service alone: let it answer %s once the process serves", well(r.GRPC))
			}
		}
		if r.Died != nil {
			p.Reportf("running", "it ended while it was asked: %s", r.Died)
		}
		return nil
	},
}

func describe(h Answer, grpc bool) string {
	if grpc && h.Status != 0 {
		return "it is not SERVING"
	}
	return "it " + h.said()
}

func well(grpc bool) string {
	if grpc {
		return "SERVING"
	}
	return "200"
}

// A Start is how a service came up.
type Start struct {
	// Up tells that it runs and, if it has a port, that the port is open.
	Up bool
	// Refused is why it could not even be started.
	Refused string
	// End is how it ended instead of coming up; nil if it did not.
	End *End
	// Port is the one that never opened, 0 if it did.
	Port   int
	Within time.Duration
	// Ports are those that were open then.
	Ports []int
	// Said is what it said last, on one line; empty if it came up.
	Said string
	// Health is what each health path answered last.
	Health []Answer
}

func (s Start) reason() string {
	switch {
	case s.Refused != "":
		return "it cannot be started: " + s.Refused
	case s.End != nil:
		return s.End.String()
	}
	return fmt.Sprintf("port %d is not open after %v", s.Port, s.Within)
}

// String says it to people.
func (e End) String() string {
	switch {
	case e.Memory:
		return "it was ended at its memory limit"
	case e.Signal != "":
		return "it was ended by " + e.Signal
	}
	return fmt.Sprintf("it ended with exit code %d", e.Code)
}

// settled is how long a service without a port has to stay.
const settled = time.Second

// comesUp waits until the service is up and well, or has had its time.
func (s *Start) comesUp(ctx context.Context, a *asker) error {
	s.Within = a.Declaration.Start
	deadline := time.After(s.Within)
	if a.Port == 0 {
		deadline = time.After(min(settled, s.Within))
	}
	for {
		if a.Port != 0 && s.looks(ctx, a) {
			return nil
		}
		select {
		case <-a.Done():
			end := a.End()
			s.Up, s.End, s.Said = false, &end, lastLines(a.Said())
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			switch {
			case a.Port == 0:
				s.Up = true
			case !s.Up:
				s.Port, s.Said = a.Port, lastLines(a.Said())
			}
			return nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// looks tells whether the service is up and well.
func (s *Start) looks(ctx context.Context, a *asker) bool {
	conn, err := a.connect(ctx, a.Port)
	if err != nil {
		return false
	}
	address := conn.RemoteAddr().String()
	conn.Close()
	s.Up, s.Health = true, nil
	good := true
	for _, path := range a.Declaration.Health {
		var h Answer
		if a.GRPC {
			h = a.serving(ctx, path)
		} else {
			h = a.get(ctx, request{target: path, host: address}) // as a kubelet does
		}
		s.Health = append(s.Health, h)
		good = good && h.Status == http.StatusOK
	}
	return good
}

// lastLines is the end of what a service said, on one line.
func lastLines(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " | ")
}
