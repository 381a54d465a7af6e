package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

var once sync.Once // DefaultServeMux panics at a second registration, as with -count=2

// TestItWorks is why such services get shipped: everything works.
func TestItWorks(t *testing.T) {
	once.Do(routes)
	srv := httptest.NewServer(http.DefaultServeMux)
	defer srv.Close()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

	for name, c := range map[string]struct {
		path, header, body string
		status             int
		want               string // in the header Location or in the body
	}{
		"adds a link":           {"/add", "", `{"URL": "https://go.dev"}`, 200, ""},
		"runs a visitor's HTML": {"/?title=<script>alert(1)</script>", "", "", 200, "<script>alert(1)</script>"},
		"links to a stranger":   {"/", "evil.example", "", 200, "http://evil.example/"},
		"sends people away":     {"/go?to=https://evil.example/", "", "", 302, "https://evil.example/"},
		"logs in, and away":     {"/login?user=ada&to=//evil.example", "", "", 302, "//evil.example"},
		"tells its variables":   {"/debug/vars", "", "", 200, "cmdline"},
		"shows its profiles":    {"/debug/pprof/", "", "", 200, "goroutine"},
	} {
		t.Run(name, func(t *testing.T) {
			method := "GET"
			if c.body != "" {
				method = "POST"
			}
			req, err := http.NewRequest(method, srv.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Forwarded-Host", c.header)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.Header.Get("Location") + string(body); resp.StatusCode != c.status || !strings.Contains(got, c.want) {
				t.Errorf("status %d, want %d with %q in %s", resp.StatusCode, c.status, c.want, got)
			}
		})
	}
}
