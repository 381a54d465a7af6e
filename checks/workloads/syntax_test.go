package workloads

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// What is no YAML is an error with the line of what is wrong, and not of what it
// is in the middle of.
func TestSyntaxErrors(t *testing.T) {
	head := "apiVersion: v1\nkind: Pod\n"
	deep := strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2)
	for name, c := range map[string]struct {
		text string
		line int
		said string
	}{
		"tab":             {head + "\tspec: {}\n", 3, "not YAML"},
		"indentation":     {head + "spec:\n  a: 1\n b: 2\n", 5, "not YAML"},
		"second document": {head + "---\n# comment\n" + head + "spec: [\na: 1\n", 8, "not YAML"},
		"unclosed quote":  {head + "metadata: {name: \"a}\nspec:\n  a: 1\n", 3, "not YAML"},
		"unclosed list":   {head + "spec:\n  a: [1, 2\n  b: 3\n", 4, "not YAML"},
		"no document":     {head + "...\n" + head, 3, "what follows the end"},
		"unknown anchor":  {head + "spec: *spec\n", 3, "unknown anchor"},
		"own alias":       {head + "spec: &a\n  b: *a\n", 4, "inside of itself"},
		"map as key":      {head + "spec: {{a: 1}: 2}\n", 3, "key that is no text"},
		"merge of text":   {head + "spec:\n  <<: a\n", 4, "merge"},
		"deep":            {head + "spec: " + deep, 3, "nested more than 200 deep"},
		"bomb": {head + "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", 3, "aliases that come to more than"},
		"large":     {head + "data: " + strings.Repeat("a", maxDocument), 1, "more than 3 MiB"},
		"not text":  {head + "data: \xff\n", 0, "not UTF-8"},
		"template":  {head + "metadata:\n  name: {{ .Values.name }}\n", 4, "a template"},
		"action":    {head + "metadata:\n  {{- if .Values.name }}\n  name: a\n  {{- end }}\n", 4, "a template"},
		"JSON":      {"{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Pod\",,\n}\n", 3, "not JSON"},
		"cut JSON":  {"{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": [\n", 3, "ends too early"},
		"deep JSON": {"{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"spec\":\n" + deep + "}", 2, "nested more than"},
		"stranger":  {head + "---\nreplicas: 1\n", 4, "without apiVersion and kind"},
		"text item": {"apiVersion: v1\nkind: List\nitems:\n  - a\n", 4, "want a mapping"},
	} {
		t.Run(name, func(t *testing.T) {
			var set Set
			_, err := set.Read("deploy.yaml", []byte(c.text))
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("error %v, want a SyntaxError", err)
			}
			if syntax.Line != c.line || !strings.Contains(syntax.Problem, c.said) {
				t.Errorf("line %d: %s; want line %d: %s", syntax.Line, syntax.Problem, c.line, c.said)
			}
			if want := fmt.Sprintf("deploy.yaml:%d: ", c.line); c.line > 0 && !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%q does not begin with %q", err, want)
			}
			if len(set.Objects) > 0 {
				t.Errorf("%d objects are there nevertheless", len(set.Objects))
			}
		})
	}
}

// What is no manifest is none: nothing is found, and nothing is wrong.
func TestNoManifest(t *testing.T) {
	for _, text := range []string{"", "---\n---\n", "# only words\n", "null\n", "replicas: 2\n", "[1, 2]\n", "{}", "version: '3'\nservices: {}\n"} {
		var set Set
		if n, err := set.Read("values.yaml", []byte(text)); n != 0 || err != nil {
			t.Errorf("%q: %d objects, %v", text, n, err)
		}
	}
}
