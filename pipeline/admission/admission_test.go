package admission

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/rogpeppe/go-internal/txtar"

	"temper/pipeline/policy"
	"temper/pipeline/release"
)

var update = flag.Bool("update", false, "write what Write returns into testdata/*.txtar")

// Every testdata/*.txtar is a release policy and what each engine is told of it,
// or why it cannot be. Beside it lie the files of testdata/keys.
func TestWrite(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	cases, err := filepath.Glob(filepath.Join(here, "testdata", "*.txtar"))
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(filepath.Join(here, "testdata", "keys"))); err != nil {
				t.Fatal(err)
			}
			t.Chdir(dir)
			source := archive.Files[0]
			if err := os.WriteFile(source.Name, source.Data, 0o644); err != nil {
				t.Fatal(err)
			}
			p, err := policy.Load(context.Background(), source.Name, policy.Known{
				Rules: []string{"entrypoint", "only-executable", "probe-host", "shell"}, Root: release.PublicGoodRoot,
			})
			if err != nil {
				t.Fatal(err)
			}
			var repositories []name.Repository
			for _, text := range strings.Fields(string(archive.Comment)) {
				repo, err := name.NewRepository(text)
				if err != nil {
					t.Fatal(err)
				}
				repositories = append(repositories, repo)
			}
			got := archive.Files[:1:1]
			for _, engine := range Engines {
				out := txtar.File{Name: string(engine) + ".yaml"}
				if out.Data, _, err = Write(engine, source.Name, p, repositories); err != nil {
					out = txtar.File{Name: string(engine) + ".err", Data: []byte(err.Error() + "\n")}
				}
				got = append(got, out)
			}
			if *update {
				archive.Files = got
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(archive)), string(txtar.Format(&txtar.Archive{Comment: archive.Comment, Files: got}))); diff != "" {
				t.Errorf("Write (-want +got):\n%s", diff)
			}
		})
	}
}

// What Kyverno would take for a variable or a wildcard of its own is none.
func TestLiteral(t *testing.T) {
	const text = "a {{ request.object }} $(x) `b`"
	if got := literal(text); strings.ContainsAny(strings.Trim(got, "`"), "{}$`") {
		t.Errorf("literal(%q) = %s", text, got)
	}
}

func TestWriteAboutNothing(t *testing.T) {
	if _, _, err := Write(Kyverno, "release.yaml", new(policy.Policy), nil); err == nil {
		t.Error("Write about no repository: no error")
	}
}
