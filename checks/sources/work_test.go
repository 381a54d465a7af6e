package sources

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/txtar"

	"temper/checks/sources/flow"
	"temper/checks/sources/handlers"
)

// Rules whose answers depend on what was asked before, for they need an analyzer that
// remembers it, are in one lane with all others that need the same.
func TestLanes(t *testing.T) {
	rules := []*Code{fileWrites, hostPaths}
	for _, rule := range append(rules, CodeRules...) {
		lane := laneOf(rule.Analyzer)
		for _, a := range []*analysis.Analyzer{servers, handlers.Analyzer, served} {
			if needs(rule.Analyzer, a) && lane != flow.Analyzer {
				t.Errorf("%s needs %s, and is in another lane", rule.Name, a.Name)
			}
		}
		if needs(rule.Analyzer, clients) && lane != clients {
			t.Errorf("%s needs %s, and is in another lane", rule.Name, clients.Name)
		}
	}
}

// What is found, and in which order, does not depend on how many processors there are.
func TestSameOnAllProcessors(t *testing.T) {
	var b strings.Builder
	for i := range 4 {
		fmt.Fprintf(&b, `-- p%d/p.go --
package p%[1]d

import (
	"io"
	"net/http"
	"os/exec"
)

func Serve(next http.Handler) error {
	exec.Command("sh", "-c", "true").Run()
	return http.ListenAndServe(":80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.ReadAll(r.Body)
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
		if r.URL.Host != "example.com" {
			http.Redirect(w, r, r.FormValue("next"), http.StatusFound)
		}
		next.ServeHTTP(w, r)
	}))
}

func Ask(url, token string) (*http.Response, error) {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", token)
	return http.DefaultClient.Do(req)
}
`, i)
	}
	files := txtar.Parse([]byte(b.String())).Files
	looked := func() string {
		found, err := Analyze(t.Context(), CodeRules, nil, programOf(t, files))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) < 20 {
			t.Fatalf("%d diagnostics, want several for each package: %v", len(found), found)
		}
		text, err := json.MarshalIndent(found, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want := looked()
	for range 3 {
		runtime.GOMAXPROCS(8)
		if diff := cmp.Diff(want, looked()); diff != "" {
			t.Fatalf("found (-by one processor +by eight):\n%s", diff)
		}
	}
}
