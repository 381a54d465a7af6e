package workloads

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"temper/checks"
)

// seeds are what manifests look like, good ones and others.
func seeds(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if filepath.Ext(file) != ".txtar" {
			f.Add(data)
		}
		for _, one := range txtar.Parse(data).Files {
			f.Add(one.Data)
		}
	}
	for _, text := range []string{
		"a: &a {b: 1}\nc: {<<: *a, d: 2}\n", "a: [y, yes, On, 'no', 0x1F, 0o17, 017, 1_000, 1e3, .5, ~, 2020-01-01, !!str 1, .inf, +12, 1:30, 0b11]",
		"\ufeffapiVersion: v1\nkind: Pod\n", "--- # a\na: 1\n--- {b: 2}\n...\n", "{\"a\": 1}{\"b\": \"\\ud83d\\ude00\"}", "? [a]\n: b\n", "{a: b, c}", "- - - a\n  -\n",
		"apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, image: b}]}}]\n",
	} {
		f.Add([]byte(text))
	}
}

// Whatever a file holds, reading it ends, with objects or an error, and every
// finding is in the file.
func FuzzRead(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var set Set
		n, err := set.Read("fuzz.yaml", data)
		if err != nil {
			return
		}
		if n != len(set.Objects) {
			t.Fatalf("%d objects, of which %d are there", n, len(set.Objects))
		}
		reports, err := set.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r")) + 1
		for _, f := range findings(reports) {
			if f.Line < 1 || f.Line > lines || f.Column < 1 || f.Rule == "" || f.Severity == "" || f.Message == "" {
				t.Errorf("%+v in a file of %d lines", f, lines)
			}
		}
		var again Set
		if _, err := again.Judge(t.Context(), "fuzz.yaml", data); err != nil {
			t.Fatal(err)
		}
		more, err := again.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(reports, more, cmp.AllowUnexported(checks.Report{})); diff != "" {
			t.Errorf("one at a time it is something else:\n%s", diff)
		}
	})
}

// all are the documents of a file together.
func all(file string, data []byte) ([]*document, error) {
	var docs []*document
	for d, err := range documents(file, data) {
		if err != nil {
			return nil, err
		}
		docs = append(docs, d)
	}
	return docs, nil
}

// A document is to the rules what it is to kubectl.
func FuzzLikeKubectl(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, err := all("fuzz.yaml", data)
		if err != nil || len(docs) != 1 || len(split(data)) != 1 || len(docs[0].twice) > 0 {
			return
		}
		raw, err := yaml.YAMLToJSON(data)
		if err != nil {
			return // stricter than here
		}
		var got, want any
		if err := json.Unmarshal(docs[0].root.json(), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("as kubectl reads it (-want +got):\n%s", diff)
		}
	})
}

// What the decoder of the API server does not take has a fault; what it takes has
// none, and becomes the same.
func FuzzLikeServer(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, err := all("fuzz.yaml", data)
		if err != nil {
			return
		}
		for _, d := range docs {
			if d.root.kind != mapping {
				continue
			}
			value := func() runtime.Object { return typed(d.root.text("apiVersion"), d.root.text("kind")) }
			if value() == nil {
				continue
			}
			got, want := value(), value()
			strict, err := kjson.UnmarshalStrict(d.root.json(), want)
			faults := d.root.decode(got, false)
			if refused := err != nil || len(strict) > 0; refused != (len(faults) > 0) {
				t.Errorf("the decoder says %v, %v; faults: %v", err, strict, faults)
			} else if !refused && !reflect.DeepEqual(want, got) {
				t.Errorf("the decoder makes %+v of it, want no %+v", want, got)
			}
			for _, f := range faults {
				if f.at == nil && f.position == (position{}) {
					t.Errorf("nobody knows where: %s", f.said)
				}
			}
		}
	})
}
