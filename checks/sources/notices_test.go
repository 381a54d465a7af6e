package sources

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// What is not decided says who may know: the running server where a probe asks it, and
// nobody but a reader otherwise, whom one notice tells of all that is in a folder.
func TestWhoMayKnow(t *testing.T) {
	p := programOf(t, txtar.Parse([]byte(`
-- main.go --
package main

import (
	"crypto/tls"
	"net/http"
)

type Settings struct {
	Insecure, Secure bool
	Handler          http.Handler
}

func (s *Settings) Run() {
	_ = &tls.Config{InsecureSkipVerify: s.Insecure}
	_ = &tls.Config{InsecureSkipVerify: !s.Secure}
	http.ListenAndServe(":8080", s.Handler)
}

func main() { new(Settings).Run() }
`)).Files)
	r, err := Check(t.Context(), "case", CodeRules, nil, p)
	if err != nil {
		t.Fatal(err)
	}
	for rule, want := range map[string]string{
		"server-host": "temper probe asks the running server",
		"tls-verify":  "InsecureSkipVerify is s.Insecure, which the source does not tell; no probe can tell: look at who decides it, and at main.go:15:38",
	} {
		var said []string
		for _, n := range r.Notices {
			if n.Rule == rule {
				said = append(said, n.Message)
			}
		}
		if len(said) != 1 || !strings.HasSuffix(said[0], want) {
			t.Errorf("the notices of %s are %q, want one that ends in %q", rule, said, want)
		}
	}
}

// Advice about packages that no main package imports is a notice, for no image holds them;
// what is an error is one wherever it stands. Where there is no main package all is for
// others to import.
func TestUnreached(t *testing.T) {
	const library = `
-- client/client.go --
package client

import "net/http"

var shared = &http.Client{Timeout: 5e9}

func Get(url string) (*http.Response, error) { return shared.Get(url) }

func Post(url string) (*http.Response, error) { return http.DefaultClient.Post(url, "", nil) }

func Serve(h http.Handler) error { return http.ListenAndServe(":8080", h) }
-- store/store.go --
package store

import "net/http"

var Client = &http.Client{}
`
	const service = `
-- main.go --
package main

import _ "example.com/case/store"

func main() {}
`
	for _, c := range []struct {
		files    string
		findings []string
		notices  []string
	}{
		{library, []string{"client/client.go:5", "client/client.go:9", "client/client.go:11", "store/store.go:5"}, nil},
		{library + service, []string{"client/client.go:11", "store/store.go:5"}, []string{
			"client/client.go:5:15: this client follows redirects to anywhere: it has no CheckRedirect; no main package imports it; look here, and at client/client.go:9:56",
		}},
	} {
		rules := []*Code{clientRedirects, headerTimeout}
		r, err := Check(t.Context(), "case", rules, nil, programOf(t, txtar.Parse([]byte(c.files)).Files))
		if err != nil {
			t.Fatal(err)
		}
		var findings, notices []string
		for _, f := range r.Findings {
			findings = append(findings, fmt.Sprintf("%s:%d", f.File, f.Line))
		}
		for _, n := range r.Notices {
			notices = append(notices, n.Place+": "+n.Message)
		}
		slices.Sort(findings)
		slices.Sort(c.findings)
		if diff := cmp.Diff(c.findings, findings); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(c.notices, notices); diff != "" {
			t.Errorf("notices (-want +got):\n%s", diff)
		}
	}
}
