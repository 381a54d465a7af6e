package workloads

import (
	"embed"
	"strings"

	"golang.org/x/tools/txtar"

	"temper/checks"
)

// cases are those of the tests: an example that is wrong fails one.
//
//go:embed testdata/*/pass.txtar testdata/*/fail.txtar
var cases embed.FS

func withExamples(r checks.Rule) checks.Rule {
	r.Good, r.Bad = example(r.Name, "pass"), example(r.Name, "fail")
	return r
}

// example returns the manifests of a case.
func example(rule, name string) string {
	data, err := cases.ReadFile("testdata/" + rule + "/" + name + ".txtar")
	if err != nil {
		return "" // which a test does not let pass
	}
	var all []string
	for _, f := range txtar.Parse(data).Files {
		if f.Name != "want" && f.Name != "image.json" {
			all = append(all, string(f.Data))
		}
	}
	return strings.Join(all, "---\n")
}
