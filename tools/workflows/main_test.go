package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

const workflow = "../../examples/ci/github.yaml"

func TestExample(t *testing.T) {
	raw, err := os.ReadFile(workflow)
	if err != nil {
		t.Fatal(err)
	}
	if err := lint(workflow, raw); err != nil {
		t.Error(err)
	}
	for what, change := range map[string][2]string{
		"a key that is none":        {"runs-on:", "run-on:"},
		"a permission that is none": {"security-events:", "security-event:"},
		"a step that is not there":  {"steps.temper.outputs", "steps.tempre.outputs"},
		"a context that is none":    {"${{ secrets.COSIGN_KEY }}", "${{ secret.COSIGN_KEY }}"},
	} {
		broken := strings.ReplaceAll(string(raw), change[0], change[1])
		if err := lint(workflow, []byte(broken)); broken == string(raw) || err == nil {
			t.Errorf("actionlint takes %s", what)
		}
	}
}

// Actions are pinned by commit, and a comment says which version that is.
func TestActionsArePinned(t *testing.T) {
	raw, err := os.ReadFile(workflow)
	if err != nil {
		t.Fatal(err)
	}
	pinned := regexp.MustCompile(`uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\n`)
	uses, pins := strings.Count(string(raw), "uses:"), len(pinned.FindAll(raw, -1))
	if uses == 0 || uses != pins {
		t.Errorf("%d of %d actions are pinned by commit, with their version", pins, uses)
	}
}
