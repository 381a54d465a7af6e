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
	list, err := os.ReadFile("testdata/mutations.txt")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^(?:([0-9]) )?([a-z-]+) \| (.*) \| (.*)$`)
	seen := make(map[string]bool)
	ways := 0
	for text := range strings.Lines(string(list)) {
		text = strings.TrimSuffix(text, "\n")
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		m := line.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("not a mutation: %s", text)
		}
		rule, was, is := m[2], strings.ReplaceAll(m[3], `\n`, "\n"), strings.ReplaceAll(m[4], `\n`, "\n")
		number, _ := strconv.Atoi(m[1])
		spoilt, ok := replaceNth(string(good), was, is, max(number, 1))
		if !ok {
			t.Errorf("%s: it is not there", text)
			continue
		}
		ways++
		seen[rule] = true
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
		if !slices.ContainsFunc(found, func(f checks.Finding) bool { return f.Rule == rule }) {
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
