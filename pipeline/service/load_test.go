package service

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what Load says into testdata/*.txtar")

// Every testdata/*.txtar is a tree of files and, in want.json or want.err, what
// Load makes of it. Lines of its comment may say more:
//
//	dir PATH          load from here, not from the repository's folder
//	git PATH          put .git here, not in the repository's folder
//	link PATH TARGET  make a symbolic link
//	remove PATH       after all files are written
//	rules NAME...     the rules that a waiver may name
//
// The repository stands in REPO; outside of it there is REPO/../outside with a
// file and a main package.
func TestLoad(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			root, dir := lay(t, archive)
			want, got := expected(archive), result(t, root, dir, rulesOf(archive))
			if *update {
				archive.Files = append(inputs(archive), *got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want.Name+"\n"+string(want.Data), got.Name+"\n"+string(got.Data)); diff != "" {
				t.Errorf("Load (-want +got):\n%s", diff)
			}
		})
	}
}

// lay writes the tree and returns the repository and the folder to load from.
func lay(t *testing.T, archive *txtar.Archive) (root, dir string) {
	t.Helper()
	temp, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root = filepath.Join(temp, "repo")
	write(t, filepath.Join(temp, "outside", "main.go"), "package main\n\nfunc main() {}\n")
	write(t, filepath.Join(temp, "outside", "oci-layout"), "{}")
	for _, f := range inputs(archive) {
		write(t, filepath.Join(root, f.Name), string(f.Data))
	}
	dir, git := root, root
	for line := range strings.Lines(string(archive.Comment)) {
		switch words := strings.Fields(line); {
		case len(words) == 2 && words[0] == "dir":
			dir = filepath.Join(root, words[1])
		case len(words) == 2 && words[0] == "git":
			git = filepath.Join(root, words[1])
		case len(words) == 2 && words[0] == "remove":
			if err := os.RemoveAll(filepath.Join(root, words[1])); err != nil {
				t.Fatal(err)
			}
		case len(words) == 3 && words[0] == "link":
			if err := os.Symlink(words[2], filepath.Join(root, words[1])); err != nil {
				t.Skip("no symbolic links here:", err)
			}
		}
	}
	write(t, filepath.Join(git, ".git", "HEAD"), "")
	return root, dir
}

// rulesOf returns those that the comment names.
func rulesOf(archive *txtar.Archive) []string {
	for line := range strings.Lines(string(archive.Comment)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "rules" {
			return words[1:]
		}
	}
	return nil
}

// repository is an empty one, which ends the search for another.
func repository(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, ".git", "HEAD"), "")
	return root
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

// inputs are the files of the tree.
func inputs(archive *txtar.Archive) []txtar.File {
	var files []txtar.File
	for _, f := range archive.Files {
		if !strings.HasPrefix(f.Name, "want.") {
			files = append(files, f)
		}
	}
	return files
}

// expected is the one file that is no input.
func expected(archive *txtar.Archive) *txtar.File {
	for i, f := range archive.Files {
		if strings.HasPrefix(f.Name, "want.") {
			return &archive.Files[i]
		}
	}
	return &txtar.File{Name: "nothing; run go test -update"}
}

// result is what Load says, as the file that the case should have.
func result(t *testing.T, root, dir string, rules []string) *txtar.File {
	t.Helper()
	repo, err := Load(t.Context(), dir, rules...)
	if err != nil {
		return &txtar.File{Name: "want.err", Data: []byte(strings.ReplaceAll(err.Error(), root, "REPO") + "\n")}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(spare(t, repo)); err != nil {
		t.Fatal(err)
	}
	return &txtar.File{Name: "want.json", Data: bytes.ReplaceAll(out.Bytes(), []byte(root), []byte("REPO"))}
}

// onlyPort tells whether nothing is said of a probe but by the service's port.
func onlyPort(s *Service, p Probe) bool {
	p.Port = s.Probe.Port
	return len(s.Ports) == 1 && s.Ports[0] == p.Port && reflect.DeepEqual(s.Probe, p)
}

// spare is a repository as JSON has it, without what is empty, what is by
// default, and what is the same in every case.
func spare(t *testing.T, repo *Repository) any {
	t.Helper()
	data, err := json.Marshal(repo)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	prune := func(m map[string]any, defaults map[string]string) {
		for key, v := range m {
			if v == nil || v == "" || v == defaults[key] {
				delete(m, key)
			}
		}
	}
	prune(all, map[string]string{"Base": BuiltinBase, "Created": "0001-01-01T00:00:00Z"})
	var platforms []string
	for _, p := range repo.Platforms {
		platforms = append(platforms, p.String())
	}
	if all["Platforms"] = strings.Join(platforms, " "); all["Platforms"] == "linux/amd64 linux/arm64" {
		delete(all, "Platforms")
	}
	services, _ := all["Services"].([]any)
	for i, s := range services {
		s := s.(map[string]any)
		if s["Root"] != repo.Dir {
			t.Errorf("root of %v is %v, want %s", s["Name"], s["Root"], repo.Dir)
		}
		// What the line says is seen here, so that the cases need not count.
		if line := repo.Services[i].Line; line > 0 && !strings.Contains(lineOf(t, repo.Config, line), ":") {
			t.Errorf("%v is declared in line %d, which says %q", s["Name"], line, lineOf(t, repo.Config, line))
		}
		delete(s, "Line")
		if p := defaultProbe(); reflect.DeepEqual(repo.Services[i].Probe, p) || onlyPort(repo.Services[i], p) {
			delete(s, "Probe")
		}
		prune(s, map[string]string{"Root": repo.Dir, "User": DefaultUser, "Path": defaultPath(repo.Services[i].Name)})
	}
	return all
}

func lineOf(t *testing.T, file string, n int) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	if n > len(lines) {
		t.Fatalf("%s has no line %d", file, n)
	}
	return lines[n-1]
}

// A service of temper.yaml tells where it is declared, and one that was found
// is declared nowhere.
func TestLine(t *testing.T) {
	root := repository(t)
	write(t, filepath.Join(root, "go.mod"), "module example.com/shop\n\ngo 1.26\n")
	write(t, filepath.Join(root, "main.go"), "package main\n\nfunc main() {}\n")
	found, err := Load(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if line := found.Services[0].Line; line != 0 {
		t.Errorf("a service that was found is declared in line %d", line)
	}
	write(t, filepath.Join(root, ConfigName), "base: builtin\nservices:\n  # the first\n  - name: shop\n")
	declared, err := Load(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if line := declared.Services[0].Line; line != 4 {
		t.Errorf("the service is declared in line %d, want 4", line)
	}
}
