package workloads

import (
	"bytes"
	"compress/gzip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// What explain shows is what the cases hold; -update packs it.
func TestPacked(t *testing.T) {
	want := make(map[string]string)
	var archive txtar.Archive
	for _, r := range slices.Concat(AllRules(), AllImageRules()) {
		for _, name := range []string{r.Name + "/pass", r.Name + "/fail"} {
			of, err := txtar.ParseFile("testdata/" + name + ".txtar")
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, f := range of.Files {
				if f.Name != "want" && f.Name != "image.json" {
					all = append(all, string(f.Data))
				}
			}
			want[name] = strings.Join(all, "---\n")
			archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(want[name])})
		}
	}
	if !*update {
		if diff := cmp.Diff(want, examples()); diff != "" {
			t.Errorf("examples (-want +packed), which go test -run TestPacked -update packs anew:\n%s", diff)
		}
		return
	}
	var b bytes.Buffer
	to, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := to.Write(txtar.Format(&archive)); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("examples.txtar.gz", b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}
