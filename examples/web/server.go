package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// shutdownTimeout is for the requests that are under way when the drain ends.
// It is longer than any of them may take by the server's own timeouts, and
// with the drain it is shorter than terminationGracePeriodSeconds in
// deploy.yaml, after which the kubelet kills.
const shutdownTimeout = 20 * time.Second

// newServer returns the server, with no wait in it that a client could draw
// out for ever, as the zero values of the timeouts allow.
func newServer(app http.Handler, ready *atomic.Bool, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: withHealth(ready, app),
		// A client that sends its header one byte at a time holds a connection
		// this long and no longer (Slowloris).
		ReadHeaderTimeout: 5 * time.Second,
		// Header and body together.
		ReadTimeout: 10 * time.Second,
		// From the end of the header to the end of the answer: longer than
		// ReadTimeout, or a slow upload could not be answered any more.
		WriteTimeout: 15 * time.Second,
		// Between two requests on one connection. Longer than what proxies
		// keep idle connections for, or they would reuse a closed one.
		IdleTimeout: 90 * time.Second,
		// The default is 1 MiB for each connection; net/http adds 4 KiB of slack.
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// withHealth answers the kubelet and hands everything else to app.
//
// The kubelet asks by the pod's address, which no list of hosts can know, so
// the health paths stand outside the guards, and tell a stranger nothing. It
// is a switch rather than a ServeMux, because a mux answers an unclean path
// (//x, /a/../b) with a redirect before any guard has seen the request.
func withHealth(ready *atomic.Bool, app http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz": // the process answers; if it does not, restart it
			io.WriteString(w, "ok\n")
		case "/readyz": // send it requests
			if !ready.Load() {
				http.Error(w, "not ready", http.StatusServiceUnavailable)
				return
			}
			io.WriteString(w, "ok\n")
		default:
			app.ServeHTTP(w, r)
		}
	})
}

// serve answers on ln until ctx ends, and then stops in an order in which no
// request is lost: not ready first, so that the endpoints drop this pod; go
// on serving while that spreads; only then close the listener and wait for
// what is under way. (A preStop hook would need a sleep in the image.)
func serve(ctx context.Context, srv *http.Server, ln net.Listener, ready *atomic.Bool, drain time.Duration, log *slog.Logger) error {
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	ready.Store(true)
	log.Info("serving", "addr", ln.Addr().String())

	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	ready.Store(false)
	log.Info("draining", "for", drain.String())
	select {
	case err := <-served:
		return fmt.Errorf("serving while draining: %w", err)
	case <-time.After(drain):
	}

	// ctx has ended, so the deadline needs a context of its own.
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(deadline); err != nil {
		srv.Close()
		return fmt.Errorf("shutting down: %w", err)
	}
	return nil
}

// logged writes a line for each request. It names the path and never the
// query, a header or the body: those are where tokens and people's data are.
func logged(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, rec := time.Now(), &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		log.Info("request", "method", r.Method, "path", r.URL.Path, "status", rec.status,
			"took", time.Since(start).String(), "remote", r.RemoteAddr)
	})
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.MaxBytesReader and http.ResponseController find the
// server's own writer.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
