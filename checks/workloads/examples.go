package workloads

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"sync"

	"golang.org/x/tools/txtar"

	"temper/checks"
)

// packed are the cases of the tests that explain shows, an example that is wrong fails
// one: RULE/pass and RULE/fail. TestPacked makes it of testdata, and compares.
//
//go:embed examples.txtar.gz
var packed []byte

func withExamples(r checks.Rule) checks.Rule {
	r.Good, r.Bad = examples()[r.Name+"/pass"], examples()[r.Name+"/fail"]
	return r
}

// examples are the manifests of the cases, by their names. There are none if what is
// packed cannot be read, which a test does not let pass.
var examples = sync.OnceValue(func() map[string]string {
	all := make(map[string]string)
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return all
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		return all
	}
	for _, f := range txtar.Parse(text).Files {
		all[f.Name] = string(f.Data)
	}
	return all
})
