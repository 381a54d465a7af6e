package upstream

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func fetch(t *testing.T, source string, max int64) (string, error) {
	t.Helper()
	c, err := New(source, max)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := c.Fetch(t.Context())
	return string(doc), err
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestNew(t *testing.T) {
	for source, good := range map[string]bool{
		"https://example.com/state": true,
		"http://127.0.0.1:8080/":    true,
		"http://[::1]:8080/":        true,
		"http://localhost/":         true,

		"":                              false,
		"example.com":                   false,
		"https:///state":                false,
		"http://example.com/":           false,
		"http://127.0.0.1.example.com/": false,
		"http://169.254.169.254/":       false,
		"file:///etc/passwd":            false,
		"https://ada@example.com/":      false,
		"https://example.com:x/":        false,
	} {
		if _, err := New(source, 1); (err == nil) != good {
			t.Errorf("New(%q): %v", source, err)
		}
	}
}

func TestFetch(t *testing.T) {
	var state, etag string
	source := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if etag != "" && r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", etag)
		io.WriteString(w, state)
	})
	c, err := New(source, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ state, etag, want string }{
		{"{\n \"a\": 1\n}", "", `{"a":1}`},
		{`{ "a": 1 }`, "", ``}, // unchanged but for its blanks
		{`{ "a": 2 }`, `"2"`, `{"a":2}`},
		{`not sent`, `"2"`, ``},
		{`{ "a": 1 }`, `"3"`, `{"a":1}`}, // as before, but new again
	} {
		state, etag = step.state, step.etag
		got, err := c.Fetch(t.Context())
		if err != nil || string(got) != step.want {
			t.Errorf("state %s: got %q, %v; want %q", step.state, got, err, step.want)
		}
	}
}

func TestBounds(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want string // "" if it is good
	}{
		"just enough": {`"` + strings.Repeat("a", 98) + `"`, ""},
		"too much":    {`"` + strings.Repeat("a", 99) + `"`, "more than 100 bytes"},
		"no JSON":     {"<html>", "invalid character"},
		"half":        {`{"a":`, "unexpected end"},
		"nothing":     {"", "unexpected end"},
	} {
		source := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, c.body) })
		_, err := fetch(t, source, 100)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: err = %v, want %q", name, err, c.want)
		}
	}
}

// A small answer that unpacks to a large one is as large as it unpacks to.
func TestBoundHoldsAfterDecompression(t *testing.T) {
	source := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, strings.Repeat(" ", 1<<20)+"{}")
		z.Close()
	})
	if _, err := fetch(t, source, 64<<10); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("err = %v, want one about the size", err)
	}
}

func TestStatus(t *testing.T) {
	source := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
	if _, err := fetch(t, source, 100); err == nil || !strings.Contains(err.Error(), "418") {
		t.Errorf("err = %v, want one about 418", err)
	}
}

func TestRedirects(t *testing.T) {
	var asked bool
	stranger := serve(t, func(w http.ResponseWriter, r *http.Request) { asked = true })
	source := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/1":
			http.Redirect(w, r, "/2", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/away":
			http.Redirect(w, r, stranger, http.StatusFound)
		default:
			io.WriteString(w, "{}")
		}
	})
	for path, want := range map[string]string{
		"/1":    "",
		"/loop": "more than 3 redirects",
		"/away": "another host",
	} {
		_, err := fetch(t, source+path, 100)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: err = %v, want %q", path, err, want)
		}
	}
	if asked {
		t.Error("the stranger was asked all the same")
	}
}

func TestCheckRedirect(t *testing.T) {
	for _, c := range []struct {
		chain []string // the last is where the redirect leads
		good  bool
	}{
		{[]string{"https://a.example/", "https://a.example/x"}, true},
		{[]string{"https://a.example/", "https://A.example/x"}, true},
		{[]string{"http://localhost/", "https://localhost/"}, true},
		{[]string{"https://a.example/", "http://a.example/"}, false},
		{[]string{"http://localhost/", "https://localhost/", "http://localhost/"}, false},
		{[]string{"https://a.example/", "https://a.example:8443/"}, false},
		{[]string{"https://a.example/", "https://b.a.example/"}, false},
		{[]string{"https://a.example/1", "https://a.example/2", "https://a.example/3", "https://a.example/4"}, true},
		{[]string{"https://a.example/1", "https://a.example/2", "https://a.example/3", "https://a.example/4", "https://a.example/5"}, false},
	} {
		var reqs []*http.Request
		for _, u := range c.chain {
			reqs = append(reqs, httptest.NewRequest("GET", u, nil))
		}
		last := len(reqs) - 1
		if err := checkRedirect(reqs[last], reqs[:last]); (err == nil) != c.good {
			t.Errorf("%v: %v", c.chain, err)
		}
	}
}
