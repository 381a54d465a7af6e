package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/temper/web/guard"
)

var discard = slog.New(slog.DiscardHandler)

// app is the whole service with the assets that go into its image.
func app(t *testing.T) http.Handler {
	t.Helper()
	hosts, err := guard.ParseHosts("127.0.0.1,forge.example.com")
	if err != nil {
		t.Fatal(err)
	}
	s, err := openSite("assets", discard)
	if err != nil {
		t.Fatal(err)
	}
	return routes(hosts, s, discard)
}

// TestServe is one life of the service on a real listener. How it stops, and
// what slow clients can do to it, is tested in api, whose server.go this is.
func TestServe(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var ready atomic.Bool
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- serve(ctx, newServer(app(t), &ready, discard), ln, &ready, 0, discard) }()

	client := &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for _, path := range []string{"/", "/time?zone=Asia/Tokyo", "/contact", "/static/style.css", "/healthz"} {
		resp, err := client.Get("http://" + ln.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || len(body) == 0 {
			t.Errorf("%s: status %d, %d bytes, %v", path, resp.StatusCode, len(body), err)
		}
	}

	cancel()
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestGuards(t *testing.T) {
	h := app(t)
	const form = "name=Ada&email=ada%40example.com&text=Hello"
	for name, c := range map[string]struct {
		host string
		from string // Sec-Fetch-Site
		want int
	}{
		"our own form":      {"forge.example.com", "same-origin", http.StatusSeeOther},
		"another site's":    {"forge.example.com", "cross-site", http.StatusForbidden},
		"a sister site's":   {"forge.example.com", "same-site", http.StatusForbidden},
		"no browser":        {"forge.example.com", "", http.StatusSeeOther},
		"a stranger's name": {"evil.example", "same-origin", http.StatusBadRequest},
	} {
		r := httptest.NewRequest("POST", "/contact", strings.NewReader(form))
		r.Host = c.host
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", c.from)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: status %d, want %d", name, w.Code, c.want)
		}
		if csp := w.Header().Get("Content-Security-Policy"); csp == "" || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: Content-Security-Policy %q", name, csp)
		}
	}
}
