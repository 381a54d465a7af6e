package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/temper/worker/buffer"
)

var discard = slog.New(slog.DiscardHandler)

// TestRun is one life of the worker with a real upstream on loopback.
func TestRun(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "{\n  \"celsius\": 230\n}\n")
	}))
	defer up.Close()
	r, out := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- run(ctx, up.URL, "127.0.0.1:0", time.Hour, out, discard) }()

	line, err := bufio.NewReader(r).ReadString('\n')
	if want := "{\"celsius\":230}\n"; err != nil || line != want {
		t.Errorf("wrote %q (%v), want %q", line, err, want)
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestRunEndsWhenNobodyReads(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "{}")
	}))
	defer up.Close()
	r, out := io.Pipe()
	r.Close()
	err := run(t.Context(), up.URL, "127.0.0.1:0", time.Hour, out, discard)
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("err = %v, want %v", err, io.ErrClosedPipe)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, c := range []struct {
		upstream string
		interval time.Duration
		want     string
	}{
		{"", time.Minute, "UPSTREAM"},
		{"http://example.com/", time.Minute, "https"},
		{"https://example.com/", time.Millisecond, "interval"},
	} {
		err := run(t.Context(), c.upstream, "127.0.0.1:0", c.interval, io.Discard, discard)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q every %v: err = %v, want one about %s", c.upstream, c.interval, err, c.want)
		}
	}
}

// TestPoll runs an outage on the clock of a synctest bubble: hours in no time.
func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 10 * time.Second
		var calls []time.Time
		script := []error{nil, errors.New("1"), errors.New("2"), errors.New("3"), nil, errors.New("4"), nil}
		ctx, cancel := context.WithCancel(t.Context())
		fetch := func(context.Context) ([]byte, error) {
			calls = append(calls, time.Now())
			err := script[len(calls)-1]
			if len(calls) == len(script) {
				cancel()
			}
			if err != nil {
				return nil, err
			}
			return []byte("{}"), nil
		}
		docs, state := buffer.New(1<<20), newState(time.Hour)
		poll(ctx, fetch, interval, docs, state, discard)
		docs.Close()

		longest := []time.Duration{interval, minDelay, 2 * minDelay, 4 * minDelay, interval, minDelay}
		if len(calls) != len(script) {
			t.Fatalf("%d calls, want %d", len(calls), len(script))
		}
		for i, want := range longest {
			if got := calls[i+1].Sub(calls[i]); got < want/2 || got > want {
				t.Errorf("wait %d was %v, want %v to %v", i, got, want/2, want)
			}
		}
		n := 0
		for _, ok := docs.Next(); ok; _, ok = docs.Next() {
			n++
		}
		if n != 3 {
			t.Errorf("%d documents, want the 3 that came, also the one that came with the stop", n)
		}
	})
}

func TestDelay(t *testing.T) {
	for _, failures := range []int{0, 1, 5, 7, 64, math.MaxInt} {
		if got := delay(failures); got < minDelay/2 || got > maxDelay {
			t.Errorf("delay(%d) = %v, want %v to %v", failures, got, minDelay/2, maxDelay)
		}
	}
	if got := delay(1000); got < maxDelay/2 {
		t.Errorf("delay(1000) = %v, want at least %v", got, maxDelay/2)
	}
}

func TestBufferSize(t *testing.T) {
	for _, c := range []struct{ limit, want int64 }{
		{math.MaxInt64, 16 << 20},
		{100 << 20, 25 << 20},
		{1 << 20, 1 << 20},
	} {
		if got := bufferSize(c.limit); got != c.want {
			t.Errorf("bufferSize(%d) = %d, want %d", c.limit, got, c.want)
		}
	}
}

func TestAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newState(time.Minute)
		time.Sleep(50 * time.Second)
		s.polled(errors.New("the upstream is down"))
		time.Sleep(50 * time.Second)
		if !s.alive() {
			t.Error("not alive, though it only lacks an upstream")
		}
		if s.fetched.Load() {
			t.Error("ready without ever having fetched")
		}
		time.Sleep(time.Minute)
		if s.alive() {
			t.Error("alive, though it stopped polling")
		}
	})
}

func TestServeHealth(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newState(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- serveHealth(ctx, ln, s, discard) }()
	client := &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	get := func(path string, want int) {
		t.Helper()
		resp, err := client.Get("http://" + ln.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
	get("/healthz", http.StatusOK)
	get("/readyz", http.StatusServiceUnavailable)
	s.polled(nil)
	get("/readyz", http.StatusOK)
	get("/debug/pprof/", http.StatusNotFound)
	cancel()
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}
