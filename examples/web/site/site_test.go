package site

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

var discard = slog.New(slog.DiscardHandler)

func open(t *testing.T, deliver func(context.Context, Message) error) *Site {
	t.Helper()
	s, err := Open(os.DirFS("../assets"), discard, deliver)
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) }
	return s
}

func get(s *Site, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func post(s *Site, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/contact?text=from+the+query", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func TestOpenRefusesBrokenAssets(t *testing.T) {
	for name, c := range map[string]struct {
		file, content string // "" takes the file away
		want          string
	}{
		"a page that is not there":   {"templates/time.html", "", "time.html"},
		"a field that is not there":  {"templates/home.html", `{{define "main"}}{{.Nobody}}{{end}}`, "home"},
		"a file that is not there":   {"templates/home.html", `{{define "main"}}{{static "no.css"}}{{end}}`, "no.css"},
		"a file of no place here":    {"static/entry.sh", "#!/bin/sh\n", "entry.sh"},
		"no static files whatsoever": {"static", "", "static"},
	} {
		t.Run(name, func(t *testing.T) {
			assets := fstest.MapFS{}
			fs.WalkDir(os.DirFS("../assets"), ".", func(p string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				content, err := os.ReadFile("../assets/" + p)
				assets[p] = &fstest.MapFile{Data: content}
				return err
			})
			if c.content != "" {
				assets[c.file] = &fstest.MapFile{Data: []byte(c.content)}
			} else {
				for p := range assets {
					if p == c.file || strings.HasPrefix(p, c.file+"/") {
						delete(assets, p)
					}
				}
			}
			_, err := Open(assets, discard, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v, want one about %s", err, c.want)
			}
		})
	}
}

// What the Content-Security-Policy would keep from working must not be there.
func TestPagesHaveNothingInline(t *testing.T) {
	s := open(t, nil)
	inline := regexp.MustCompile(`(?i)<script|<style|\sstyle=|\son[a-z]+=|javascript:`)
	for _, path := range []string{"/", "/time", "/contact", thanksPath} {
		w := get(s, path)
		if w.Code != http.StatusOK {
			t.Errorf("%s: status %d", path, w.Code)
		}
		if found := inline.FindString(w.Body.String()); found != "" {
			t.Errorf("%s has %q inline", path, found)
		}
	}
}

func TestClock(t *testing.T) {
	s := open(t, nil)
	for _, c := range []struct {
		query  string
		status int
		text   string
	}{
		{"", 200, "Wednesday 12:00 (UTC, UTC&#43;00:00)"},
		{"?zone=Europe/Berlin", 200, "Wednesday 14:00 (CEST, UTC&#43;02:00)"},
		{"?zone=Asia/Kolkata", 200, "Wednesday 17:30 (IST, UTC&#43;05:30)"},
		{"?zone=Pacific/Auckland", 200, "Thursday 00:00 (NZST, UTC&#43;12:00)"},
		{"?zone=Europe/Paris", 400, "do not know"}, // a zone, but not one of ours
		{"?zone=Local", 400, "do not know"},
		{"?zone=../../../etc/passwd", 400, "do not know"},
	} {
		w := get(s, "/time"+c.query)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.text) {
			t.Errorf("%s: status %d, want %d with %q in\n%s", c.query, w.Code, c.status, c.text, w.Body)
		}
	}
}

func TestStatic(t *testing.T) {
	s := open(t, nil)
	versioned, err := s.staticURL("style.css")
	if err != nil {
		t.Fatal(err)
	}
	if home := get(s, "/").Body.String(); !strings.Contains(home, versioned) {
		t.Errorf("the home page does not name %s:\n%s", versioned, home)
	}

	w := get(s, versioned)
	if got := w.Header().Get("Content-Type"); got != "text/css; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	if got := w.Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("Cache-Control of a versioned file: %q", got)
	}
	for _, path := range []string{"/static/style.css", "/static/style.css?v=0"} {
		if got := get(s, path).Header().Get("Cache-Control"); strings.Contains(got, "immutable") {
			t.Errorf("%s: Cache-Control %q, but the next version is there too", path, got)
		}
	}
	if got := get(s, "/static/style.css", "If-None-Match", w.Header().Get("ETag")); got.Code != http.StatusNotModified {
		t.Errorf("unchanged: status %d, want 304", got.Code)
	}
	for _, path := range []string{"/static/", "/static/nothing.css", "/static/..%2ftemplates%2fhome.html"} {
		if got := get(s, path); got.Code != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, got.Code)
		}
	}
}

func TestContact(t *testing.T) {
	var got []Message
	s := open(t, func(_ context.Context, m Message) error { got = append(got, m); return nil })
	w := post(s, url.Values{"name": {" Ada "}, "email": {"ada@example.com"}, "text": {"Hello"}, "next": {"https://evil.example/"}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != thanksPath {
		t.Errorf("status %d to %q, want 303 to %s", w.Code, w.Header().Get("Location"), thanksPath)
	}
	if want := (Message{"Ada", "ada@example.com", "Hello"}); len(got) != 1 || got[0] != want {
		t.Errorf("delivered %v, want %v", got, want)
	}
}

func TestContactTakesTheLargestMessage(t *testing.T) {
	s := open(t, func(context.Context, Message) error { return nil })
	w := post(s, url.Values{"name": {strings.Repeat("𝔸", 100)}, "email": {"ada@example.com"}, "text": {strings.Repeat("𝔸", 2000)}})
	if w.Code != http.StatusSeeOther {
		t.Errorf("status %d, want 303", w.Code)
	}
}

func TestContactRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		form url.Values
		want int
	}{
		"nothing":          {url.Values{}, 422},
		"text by the URL":  {url.Values{"name": {"Ada"}, "email": {"ada@example.com"}}, 422},
		"a header":         {url.Values{"name": {"Ada\r\nBcc: all@example.com"}, "email": {"ada@example.com"}, "text": {"Hello"}}, 422},
		"a named address":  {url.Values{"name": {"Ada"}, "email": {"Ada <ada@example.com>"}, "text": {"Hello"}}, 422},
		"two addresses":    {url.Values{"name": {"Ada"}, "email": {"ada@example.com, b@example.com"}, "text": {"Hello"}}, 422},
		"a long story":     {url.Values{"name": {"Ada"}, "email": {"ada@example.com"}, "text": {strings.Repeat("a", 2001)}}, 422},
		"a very long one":  {url.Values{"text": {strings.Repeat("a", maxForm)}}, 413},
		"a broken machine": {url.Values{"name": {"Ada"}, "email": {"ada@example.com"}, "text": {"Hello"}}, 500},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, func(context.Context, Message) error { return errors.New("no mail server") })
			if w := post(s, c.form); w.Code != c.want {
				t.Errorf("status %d, want %d: %s", w.Code, c.want, w.Body)
			}
		})
	}
}

func TestContactEscapes(t *testing.T) {
	w := post(open(t, nil), url.Values{"name": {`"><script>alert(1)</script>`}})
	if strings.Contains(w.Body.String(), "<script") {
		t.Errorf("a visitor's markup is in the page:\n%s", w.Body)
	}
}
