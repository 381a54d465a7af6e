package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/temper/api/guard"
	"example.com/temper/api/orders"
)

var discard = slog.New(slog.DiscardHandler)

// TestStop follows one stop on the clock of a synctest bubble, where the
// minutes of a drain take no time and happen in the same order every time.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const drain = time.Minute
		var ready atomic.Bool
		release := make(chan struct{})
		app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				<-release
			}
		})
		ln := newPipes()
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- serve(ctx, newServer(app, &ready, discard), ln, &ready, drain, discard) }()
		synctest.Wait()
		if got := ln.get(t, "/readyz"); got != http.StatusOK {
			t.Fatalf("ready: /readyz = %d, want 200", got)
		}

		cancel()
		synctest.Wait()
		if got := ln.get(t, "/readyz"); got != http.StatusServiceUnavailable {
			t.Errorf("draining: /readyz = %d, want 503", got)
		}
		if got := ln.get(t, "/healthz"); got != http.StatusOK {
			t.Errorf("draining: /healthz = %d, want 200: the kubelet must not kill it", got)
		}
		if got := ln.get(t, "/"); got != http.StatusOK {
			t.Errorf("draining: / = %d, want 200: not everybody knows yet", got)
		}

		time.Sleep(drain - time.Second)
		slow := make(chan int, 1)
		go func() { slow <- ln.get(t, "/slow") }()
		time.Sleep(2 * time.Second)
		if !ln.closed() {
			t.Error("drained: the listener is still open")
		}
		select {
		case err := <-stopped:
			t.Fatalf("stopped (%v) with a request under way", err)
		default:
		}

		close(release)
		if got := <-slow; got != http.StatusOK {
			t.Errorf("the request under way = %d, want 200", got)
		}
		if err := <-stopped; err != nil {
			t.Errorf("stop: %v", err)
		}
	})
}

func TestStopHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ready atomic.Bool
		app := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ln := newPipes()
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- serve(ctx, newServer(app, &ready, discard), ln, &ready, 0, discard) }()
		go ln.get(t, "/for-ever")
		synctest.Wait()

		cancel()
		start := time.Now()
		if err := <-stopped; err == nil {
			t.Error("stop reported no error though a request was cut off")
		}
		if took := time.Since(start); took > shutdownTimeout+time.Second {
			t.Errorf("stopped after %v, want at most %v", took, shutdownTimeout)
		}
	})
}

// TestSlowClient is Slowloris: a header that never ends.
func TestSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ready atomic.Bool
		ln := newPipes()
		srv := newServer(http.NotFoundHandler(), &ready, discard)
		go srv.Serve(ln)
		defer srv.Close()

		conn, err := ln.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
		start := time.Now()
		io.Copy(io.Discard, conn) // until the server hangs up
		if took := time.Since(start); took > srv.ReadHeaderTimeout+time.Second {
			t.Errorf("hung up after %v, want %v", took, srv.ReadHeaderTimeout)
		}
	})
}

func TestRoutes(t *testing.T) {
	hosts, err := guard.ParseHosts("shop.example.com")
	if err != nil {
		t.Fatal(err)
	}
	var ready atomic.Bool
	h := withHealth(&ready, routes(hosts, orders.NewStore(1), discard))

	for _, c := range []struct {
		host, path string
		want       int
		guarded    bool
	}{
		{"shop.example.com", "/orders", 200, true},
		{"shop.example.com:8080", "/orders", 200, true},
		{"shop.example.com", "/nothing", 404, true},
		{"evil.example", "/orders", 400, true},
		{"", "/orders", 400, true},
		{"10.1.2.3:8080", "/healthz", 200, false},
		{"10.1.2.3:8080", "/readyz", 503, false},
		{"10.1.2.3:8080", "/healthz/", 400, true},
		{"10.1.2.3:8080", "//healthz", 400, true},
	} {
		r := httptest.NewRequest("GET", "http://x/", nil)
		r.Host, r.URL.Path = c.host, c.path
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s%s: status %d, want %d", c.host, c.path, w.Code, c.want)
		}
		if guarded := w.Header().Get("Content-Security-Policy") != ""; guarded != c.guarded {
			t.Errorf("%s%s: security headers set: %v, want %v", c.host, c.path, guarded, c.guarded)
		}
	}
}

// pipes is a listener in memory, for a bubble has no network.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close is called once: http.Server sees to it.
func (p *pipes) Close() error { close(p.done); return nil }

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "pipe"} }

func (p *pipes) closed() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// get returns the status of one request, or 0 if there was no answer.
func (p *pipes) get(t *testing.T, path string) int {
	client := &http.Client{
		Transport:     &http.Transport{DialContext: p.dial, DisableKeepAlives: true},
		Timeout:       time.Hour, // of the bubble
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Get("http://localhost" + path)
	if err != nil {
		t.Logf("GET %s: %v", path, err)
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}
