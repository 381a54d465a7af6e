package workloads

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"temper/checks"
)

// What is said of objects that were let go of is what is said of them as a whole.
func TestJudgeLikeRead(t *testing.T) {
	cases := make(map[string][]txtar.File)
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cases[file] = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" || f.Name == "image.json" })
	}
	more, err := filepath.Glob("../../examples/*/deploy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(more, "testdata/good/deployment.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cases[file] = []txtar.File{{Name: file, Data: data}}
	}
	good := string(cases["testdata/good/deployment.yaml"][0].Data)
	for i, m := range mutations(t) {
		spoilt, ok := replaceNth(good, m.was, m.is, m.number)
		if !ok {
			t.Fatalf("%s: it is not there", m.text)
		}
		cases[fmt.Sprint("mutation ", i)] = []txtar.File{{Name: "deployment.yaml", Data: []byte(spoilt)}}
	}
	gone, whole := 0, 0
	for name, files := range cases {
		var read, judged Set
		for _, f := range files {
			n, err := read.Read(f.Name, f.Data)
			m, err2 := judged.Judge(t.Context(), f.Name, f.Data)
			if n != m || fmt.Sprint(err) != fmt.Sprint(err2) {
				t.Errorf("%s: %d objects, %v; and judged %d, %v", name, n, err, m, err2)
			}
		}
		want, err := read.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := judged.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(checks.Report{})); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
		if want, got := CPULimit(read.Objects...), CPULimit(judged.Objects...); got != want {
			t.Errorf("%s: CPU limit %q, want %q", name, got, want)
		}
		for _, o := range judged.Objects {
			if o.judged != nil {
				gone++
			} else {
				whole++
			}
		}
	}
	if gone < 500 || whole == 0 || whole > gone/10 {
		t.Errorf("%d objects were let go of, and %d not", gone, whole)
	}
}

// A file that is refused leaves nothing behind, and no error in the others.
func TestJudgeRefuses(t *testing.T) {
	var set Set
	good := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {b: c}\n"
	for text, want := range map[string]string{
		good + "---\na: [\n":     "not YAML",
		good + "---\na: b\n":     "a document without apiVersion and kind",
		good + "---\n{{ .A }}\n": "a template",
	} {
		n, err := set.Judge(t.Context(), "a.yaml", []byte(text))
		if syntax := (*SyntaxError)(nil); n != 0 || !errors.As(err, &syntax) || !strings.Contains(syntax.Problem, want) {
			t.Errorf("%d objects and error %v, want none and one that says %q", n, err, want)
		}
		if len(set.Objects) > 0 || set.configMap("", "a") != nil {
			t.Errorf("%d objects are there nevertheless", len(set.Objects))
		}
	}
	if n, err := set.Judge(t.Context(), "a.yaml", []byte(good)); n != 1 || err != nil || set.configMap("", "a") == nil {
		t.Errorf("%d objects, %v", n, err)
	}
	if _, err := set.CheckAgainst(t.Context(), func(string) *Image { return nil }); err == nil {
		t.Error("what was let go of is held against images")
	}
}

// Of a thousand manifests no more than one is there at a time, beside what the
// others ask for.
func TestThousandManifests(t *testing.T) {
	text := thousand(t)
	held := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := held()
	var set Set
	if n, err := set.Judge(t.Context(), "many.yaml", text); n != 5000 || err != nil {
		t.Fatalf("%d objects, %v", n, err)
	}
	judged := (held() - before) / 1000
	reports, err := set.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := (held() - before) / 1000
	t.Logf("%d bytes are held for each manifest, %d with its reports", judged, all)
	if judged > 9_000 || all > 10_000 {
		t.Errorf("a manifest takes %d bytes, and %d with its reports; want 9,000 and 10,000 at most", judged, all)
	}
	runtime.KeepAlive(set.Objects)
	runtime.KeepAlive(reports)
}

// thousand is a file of a thousand good manifests, each in its namespace.
func thousand(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/good/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for i := range 1000 {
		all.WriteString("---\n")
		all.Write(bytes.ReplaceAll(data, []byte("namespace: shop"), fmt.Appendf(nil, "namespace: shop%d", i)))
	}
	return all.Bytes()
}
