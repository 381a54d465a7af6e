package workloads

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"temper/checks"
)

// A good manifest is spoilt in one place, and the rule that is about it finds it.
// Whatever is found has a place, and says what to type.
func TestMutations(t *testing.T) {
	good, err := os.ReadFile("testdata/good/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	ways := 0
	for _, m := range mutations(t) {
		text := m.text
		spoilt, ok := replaceNth(string(good), m.was, m.is, m.number)
		if !ok {
			t.Errorf("%s: it is not there", text)
			continue
		}
		ways++
		seen[m.rule] = true
		var set Set
		if _, err := set.Read("deployment.yaml", []byte(spoilt)); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		reports, err := set.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found := findings(reports)
		if !slices.ContainsFunc(found, func(f checks.Finding) bool { return f.Rule == m.rule }) {
			t.Errorf("%s: not found; found were %v", text, found)
		}
		for _, f := range found {
			if f.Line == 0 || f.Column == 0 || f.File != "deployment.yaml" || f.Fix == "" && f.Rule != "manifest" && f.Rule != "quantity" {
				t.Errorf("%s: a finding without a place or a fix: %+v", text, f)
			}
		}
	}
	if ways < 100 {
		t.Errorf("%d ways, want 100 at least", ways)
	}
	for _, r := range AllRules() {
		if !seen[r.Name] {
			t.Errorf("no mutation is for %s", r.Name)
		}
	}
	t.Logf("%d ways", ways)
}

// A mutation puts one text in the place of the n-th of another, which a rule finds.
type mutation struct {
	text          string
	number        int
	rule, was, is string
}

// mutations are the ways to spoil the good deployment.
func mutations(t *testing.T) []mutation {
	t.Helper()
	list, err := os.ReadFile("testdata/mutations.txt")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^(?:([0-9]) )?([a-z-]+) \| (.*) \| (.*)$`)
	var all []mutation
	for text := range strings.Lines(string(list)) {
		text = strings.TrimSuffix(text, "\n")
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		m := line.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("not a mutation: %s", text)
		}
		number, _ := strconv.Atoi(m[1]) // none is 0
		all = append(all, mutation{text, max(number, 1), m[2], strings.ReplaceAll(m[3], `\n`, "\n"), strings.ReplaceAll(m[4], `\n`, "\n")})
	}
	return all
}

func replaceNth(text, was, is string, n int) (string, bool) {
	at := 0
	for ; n > 0; n-- {
		i := strings.Index(text[at:], was)
		if i < 0 {
			return "", false
		}
		if n > 1 {
			i += len(was)
		}
		at += i
	}
	return text[:at] + is + text[at+len(was):], true
}
