package temper_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"temper/checks"
	"temper/checks/probes"
	"temper/pipeline/sandbox"
)

// The examples keep what their temper.yaml promises, and careless breaks every
// rule about a service like it. It takes as long as the longest promise.
func TestExamplesKeepWhatTheyPromise(t *testing.T) {
	if err := sandbox.Able(); err != nil {
		t.Skipf("%v: run the tests with sudo to have this one", err)
	}
	command, err := temper()
	if err != nil {
		t.Fatal(err)
	}
	for _, layout := range builtHere(t).layouts {
		t.Run(layout[strings.LastIndex(layout, "-")+1:], func(t *testing.T) {
			dir := "examples"
			careless := strings.HasSuffix(layout, "careless")
			if careless {
				dir = "examples/careless"
			}
			var said bytes.Buffer
			cmd := exec.Command(command, "probe", "-C", dir, "--json", layout)
			cmd.Stderr = &said
			out, err := cmd.Output()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			var answer struct{ Reports []*checks.Report }
			if err := json.Unmarshal(out, &answer); err != nil || len(answer.Reports) == 0 {
				t.Fatalf("%v\n%s", err, said.String())
			}
			for _, r := range answer.Reports {
				var broken []string
				for _, f := range r.Findings {
					if !slices.Contains(broken, f.Rule) {
						broken = append(broken, f.Rule)
					}
				}
				var want []string
				if careless {
					for _, rule := range probes.AllRules() {
						if rule.Name != "probe-reflection" { // it speaks no gRPC
							want = append(want, rule.Name)
						}
					}
				}
				slices.Sort(want)
				slices.Sort(broken)
				if !slices.Equal(broken, want) {
					t.Errorf("%s breaks %v, want %v\n%s", r.Subject.Name, broken, want, said.String())
				}
			}
		})
	}
}
