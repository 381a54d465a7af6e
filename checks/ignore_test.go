package checks

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the source accepts is let through, shows with its reason wherever reports are
// shown, and has no end. What it accepts in vain is told.
func TestIgnored(t *testing.T) {
	r, err := Run(t.Context(), Subject{Name: "n"}, "", "main.go", []*Check[string]{{
		Rule: Rule{Name: "odd", Severity: Error, Doc: "it is odd"},
		Run: func(file string, p *Pass) error {
			p.Reportf("example.com/n.main", "it is even")
			p.At(file, 4, 2)
			p.Ignored("main.go:3", "it was born even")
			p.Unused("main.go:9", "for no reason")
			return nil
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK() || !r.Passes(true) || r.Count(Error) != 0 {
		t.Errorf("what is ignored counts: %+v", r)
	}
	want := []Waiver{{Rule: "odd", Subject: "n", Reason: "it was born even", Source: "main.go:3"}}
	if diff := cmp.Diff(want, r.Waivers()); diff != "" {
		t.Errorf("waivers (-want +got):\n%s", diff)
	}
	if want[0].Expired(moment(t, "2999-01-01T00:00:00Z")) {
		t.Error("what the source accepts has expired")
	}
	if notices := []Notice{{IgnoreUnused, "odd", "main.go:9", "what is ignored here is not found; remove the comment: for no reason"}}; !cmp.Equal(notices, r.Notices) {
		t.Errorf("notices %v, want %v", r.Notices, notices)
	}
	r = r.LeaveOut("example.com/n/c", "it needs cgo")
	nowhere := func(Subject) Origin { return Origin{} }
	var text, github, sarif bytes.Buffer
	if err := WriteText(&text, r); err != nil {
		t.Fatal(err)
	}
	if err := WriteGitHub(&github, r, nowhere); err != nil {
		t.Fatal(err)
	}
	if err := WriteSARIF(&sarif, "v", []Rule{{Name: "odd", Severity: Error, Doc: "it is odd"}}, []*Report{r}, nowhere); err != nil {
		t.Fatal(err)
	}
	for form, said := range map[string]string{"text": text.String(), "github": github.String(), "SARIF": sarif.String()} {
		for _, want := range []string{"ignored by main.go:3: it was born even", "left-out", "example.com/n/c", "it needs cgo"} {
			if !strings.Contains(said, want) {
				t.Errorf("%s does not say %q:\n%s", form, want, said)
			}
		}
	}
	if !strings.Contains(sarif.String(), `"kind": "inSource"`) {
		t.Errorf("SARIF does not say that the source suppresses it:\n%s", &sarif)
	}
}
