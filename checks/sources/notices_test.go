package sources

import (
	"strings"
	"testing"

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
