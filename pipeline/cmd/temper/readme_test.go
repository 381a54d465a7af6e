package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// block returns what stands in the README under <!-- temper COMMAND -->.
func block(t *testing.T, command string) string {
	t.Helper()
	raw, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(raw), "<!-- temper "+command+" -->\n```\n")
	text, _, closed := strings.Cut(after, "```\n")
	if !found || !closed {
		t.Fatalf("the README has no block for temper %s", command)
	}
	return text
}

func TestReadmeListsTheVerbs(t *testing.T) {
	var want strings.Builder
	for _, c := range newRoot(&person{}).Commands() {
		if c.Name() != "completion" && c.Name() != "help" && !c.Hidden {
			fmt.Fprintf(&want, "%-10s  %s\n", c.Name(), c.Short)
		}
	}
	if diff := cmp.Diff(want.String(), block(t, "help")); diff != "" {
		t.Errorf("verbs in the README (-want +got):\n%s", diff)
	}
}

// A verb is the same beside the others and alone.
func TestVerbsAlone(t *testing.T) {
	for _, c := range newRoot(&person{}).Commands() {
		alone := newRoot(&person{}, c.Name(), "--help").Commands()
		if len(alone) != 1 || alone[0].Use != c.Use || alone[0].UsageString() != c.UsageString() {
			t.Errorf("temper %s is another alone: %v", c.Name(), alone)
		}
	}
}

func TestReadmeListsTheRules(t *testing.T) {
	var out bytes.Buffer
	if code := run([]string{"explain"}, &person{out: &out, err: os.Stderr}); code != exitDone {
		t.Fatalf("temper explain: exit code %d", code)
	}
	if diff := cmp.Diff(out.String(), block(t, "explain")); diff != "" {
		t.Errorf("rules in the README (-want +got):\n%s", diff)
	}
}

// Every flag that the documentation writes after a verb is one of that verb's.
func TestDocumentedFlagsExist(t *testing.T) {
	root := newRoot(&person{})
	line := regexp.MustCompile(`temper (base update|base|build|check|explain|export|keygen|manifest|probe|promote|release|sbom|services|verify|registry)\b([^\n]*)`)
	flag := regexp.MustCompile(`(?:^|\s)--?([a-zA-Z][a-z-]*)`)
	seen := 0
	for _, file := range []string{"../../../README.md", "../../../CONTRIBUTING.md", "../../../examples/README.md", "../../../Makefile"} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range line.FindAllStringSubmatch(string(raw), -1) {
			c, _, err := root.Find(strings.Fields(m[1]))
			if err != nil {
				t.Fatal(err)
			}
			words, _, _ := strings.Cut(m[2], "`")
			words, _, _ = strings.Cut(words, " -- ")
			words, _, _ = strings.Cut(words, ";")
			words, _, _ = strings.Cut(words, " | ") // another command's
			for _, f := range flag.FindAllStringSubmatch(words, -1) {
				seen++
				if c.Flags().Lookup(f[1]) == nil && (len(f[1]) > 1 || c.Flags().ShorthandLookup(f[1]) == nil) {
					t.Errorf("%s writes temper %s with -%s, which it does not have", file, m[1], f[1])
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d flags were found", seen)
	}
}

// The tables of JSON fields in the README are those that verify writes.
func TestReadmeListsTheFields(t *testing.T) {
	raw, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile("`([a-zA-Z]+)(?:\\[\\])?`")
	for table, of := range map[string]any{"answers[]": answer{}, "release": releaseFacts{}, "rebuild": rebuilt{}} {
		_, after, found := strings.Cut(string(raw), "| field of `"+table+"` | |\n|---|---|\n")
		if !found {
			t.Fatalf("the README has no table of the fields of %s", table)
		}
		rows, _, _ := strings.Cut(after, "\n\n")
		var has, want []string
		for row := range strings.SplitSeq(rows, "\n") {
			names, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
			for _, m := range quoted.FindAllStringSubmatch(names, -1) {
				has = append(has, m[1])
			}
		}
		for _, field := range reflect.VisibleFields(reflect.TypeOf(of)) {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
				want = append(want, name)
			}
		}
		slices.Sort(has)
		slices.Sort(want)
		if diff := cmp.Diff(want, has); diff != "" {
			t.Errorf("fields of %s in the README (-want +got):\n%s", table, diff)
		}
	}
}

// full is a disk with no space left.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// A result that reached nobody is no success.
func TestUnwrittenResultFails(t *testing.T) {
	for _, args := range [][]string{{"explain"}, {"explain", "--json"}, {"help"}} {
		var said bytes.Buffer
		if code := run(args, &person{out: full{}, err: &said}); code != exitCould || !strings.Contains(said.String(), "no space left") {
			t.Errorf("temper %s into a full disk: exit code %d\n%s", strings.Join(args, " "), code, &said)
		}
	}
}
