package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// state is what the kubelet may know about the worker.
type state struct {
	stale   time.Duration // between two polls, if the loop still turns
	last    atomic.Int64  // when it last turned, in Unix nanoseconds
	fetched atomic.Bool   // at least once
}

func newState(stale time.Duration) *state {
	s := &state{stale: stale}
	s.last.Store(time.Now().UnixNano())
	return s
}

func (s *state) polled(err error) {
	s.last.Store(time.Now().UnixNano())
	if err == nil {
		s.fetched.Store(true)
	}
}

// alive reports whether the loop turns. It counts attempts and not successes:
// restarting a worker does not mend its upstream.
func (s *state) alive() bool {
	return time.Since(time.Unix(0, s.last.Load())) <= s.stale
}

// serveHealth answers on ln until ctx ends. The port carries these two paths
// and nothing else: no metrics, no profiles. It has no Host check, because
// the kubelet asks by the pod's address and there is nothing here to protect.
func serveHealth(ctx context.Context, ln net.Listener, state *state, log *slog.Logger) error {
	mux := http.NewServeMux()
	answer := func(path string, good func() bool) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			if !good() {
				http.Error(w, "no", http.StatusServiceUnavailable)
				return
			}
			io.WriteString(w, "ok\n")
		})
	}
	answer("/healthz", state.alive)
	answer("/readyz", state.fetched.Load) // lets a rollout wait for the first success

	// A port for the kubelet is a port for everybody who reaches the pod.
	srv := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 2 * time.Second,
		ReadTimeout:       2 * time.Second,
		WriteTimeout:      5 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    4 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	// Probes are short and repeated: they may be cut off.
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
