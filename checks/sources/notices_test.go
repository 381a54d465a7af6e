package sources

import (
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// What is not decided says who may know: the running server where a probe asks it, and
// nobody but a reader otherwise.
func TestWhoMayKnow(t *testing.T) {
	p := programOf(t, txtar.Parse([]byte(`
-- main.go --
package main

import (
	"crypto/tls"
	"net/http"
)

type Settings struct {
	Insecure bool
	Handler  http.Handler
}

func (s *Settings) Run() {
	_ = &tls.Config{InsecureSkipVerify: s.Insecure}
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
		"tls-verify":  "no probe can tell: look at who decides it",
	} {
		said := ""
		for _, n := range r.Notices {
			if n.Rule == rule {
				said = n.Message
			}
		}
		if !strings.HasSuffix(said, want) {
			t.Errorf("the notice of %s is %q, want one that ends in %q", rule, said, want)
		}
	}
}
