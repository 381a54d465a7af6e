package manifest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// Every testdata/resolve/*.txtar holds manifests, in the file before, in which
// each image that is ours: shop/..., gets a digest, and what With makes of it, in
// after or error. What else names one of ours is listed in other.
func TestWith(t *testing.T) {
	cases, err := filepath.Glob("testdata/resolve/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if archive.Files[0].Name != "before" {
				t.Fatalf("%s begins with %s, want before", file, archive.Files[0].Name)
			}
			got := append(archive.Files[:1:1], resolved(archive.Files[0].Data)...)
			if *update {
				archive.Files = got
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(archive.Files, got); diff != "" {
				t.Errorf("With (-want +got):\n%s", diff)
			}
		})
	}
}

func resolved(before []byte) []txtar.File {
	failed := func(err error) []txtar.File {
		return []txtar.File{{Name: "error", Data: []byte(err.Error() + "\n")}}
	}
	m, err := Read("deploy.yaml", before)
	if err != nil {
		return failed(err)
	}
	ours := func(text string) bool { return strings.HasPrefix(text, "shop/") }
	texts := make(map[*Image]string)
	for _, i := range m.Images {
		if ours(i.Text) {
			texts[i] = i.Text + "@sha256:0"
		}
	}
	after, err := m.With(texts)
	if err != nil {
		return failed(err)
	}
	files := []txtar.File{{Name: "after", Data: after}}
	var other strings.Builder
	for _, i := range m.Other {
		if ours(i.Text) {
			other.WriteString(i.Text + "\n")
		}
	}
	if other.Len() > 0 {
		files = append(files, txtar.File{Name: "other", Data: []byte(other.String())})
	}
	return files
}

// Line ends and marks that txtar does not carry.
func TestWithKeepsEveryByte(t *testing.T) {
	const pod = "kind: Pod\r\nspec:\r\n  containers:\r\n  - image: shop/orders:v1 # ö\r\n    name: \"é\"\r\n"
	for name, before := range map[string]string{
		"carriage returns": pod, "byte order mark": "\ufeff" + pod, "no line end": strings.TrimSuffix(pod, "\r\n"),
		"JSON with tabs": "{\n\t\"spec\": {\"containers\": [\n\t\t{\"name\": \"ä\", \"image\": \"shop/orders:v1\"}]}}",
	} {
		t.Run(name, func(t *testing.T) {
			want := []txtar.File{{Name: "after", Data: []byte(strings.Replace(before, "orders:v1", "orders:v1@sha256:0", 1))}}
			if diff := cmp.Diff(want, resolved([]byte(before))); diff != "" {
				t.Errorf("With (-want +got):\n%s", diff)
			}
		})
	}
}
