package workloads

import (
	"embed"
	"strings"

	"golang.org/x/tools/txtar"
)

// cases are those of the tests: an example that is wrong fails one.
//
//go:embed testdata/*/pass.txtar testdata/*/fail.txtar
var cases embed.FS

// example returns the manifests of a case.
func example(rule, name string) string {
	data, err := cases.ReadFile("testdata/" + rule + "/" + name + ".txtar")
	if err != nil {
		return "" // which a test does not let pass
	}
	var all []string
	for _, f := range txtar.Parse(data).Files {
		if f.Name != "want" {
			all = append(all, string(f.Data))
		}
	}
	return strings.Join(all, "---\n")
}
