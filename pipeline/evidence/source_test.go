package evidence

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSource(t *testing.T) {
	commit := strings.Repeat("a", 40)
	for text, want := range map[string]Source{
		"https://example.com/shop@" + commit:                {URI: "https://example.com/shop", Commit: commit},
		"git+https://example.com/shop@" + commit:            {URI: "https://example.com/shop", Commit: commit},
		"https://user:token@example.com/shop@" + commit:     {URI: "https://example.com/shop", Commit: commit},
		"git@example.com:team/shop.git@" + commit:           {URI: "ssh://example.com/team/shop.git", Commit: commit},
		"https://example.com/shop@" + commit + "-dirty":     {URI: "https://example.com/shop", Commit: commit, Dirty: true},
		"/home/me/shop@" + strings.Repeat("b", 64):          {Commit: strings.Repeat("b", 64)},
		"file:///home/me/shop@" + commit:                    {Commit: commit},
		"ext::sh -c id@" + commit:                           {Commit: commit},
		"https://example.com/shop?token=secret#x@" + commit: {URI: "https://example.com/shop", Commit: commit},
	} {
		got, err := ParseSource(text)
		if err != nil {
			t.Errorf("ParseSource(%q): %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseSource(%q) (-want +got):\n%s", text, diff)
		}
	}
	for _, text := range []string{"", "shop", "https://example.com/shop@main", "https://example.com/shop@" + commit[1:], "x@" + strings.ToUpper(commit)} {
		if got, err := ParseSource(text); err == nil {
			t.Errorf("ParseSource(%q) = %+v, want an error", text, got)
		}
	}
}

func TestGitSource(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	is := func(when, at string, want Source) {
		t.Helper()
		if diff := cmp.Diff(want, GitSource(context.Background(), filepath.Join(dir, at))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	is("without a repository", "", Source{})
	git("init", "-q")
	is("without a commit", "", Source{})
	write("a/main.go", "package main\n")
	write("b/main.go", "package main\n")
	git("add", "-A")
	git("commit", "-qm", "one")
	commit := git("rev-parse", "HEAD")
	is("at a commit", "", Source{Commit: commit})
	git("remote", "add", "origin", "https://me:token@example.com/shop.git")
	is("with a remote", "a", Source{URI: "https://example.com/shop.git", Commit: commit})
	t.Setenv("GIT_DIR", "/nowhere")
	is("with GIT_DIR elsewhere", "a", Source{URI: "https://example.com/shop.git", Commit: commit})
	os.Unsetenv("GIT_DIR")
	write("b/more.go", "package main\n")
	is("with a change elsewhere", "a", Source{URI: "https://example.com/shop.git", Commit: commit})
	is("with a file that git does not know", "b", Source{URI: "https://example.com/shop.git", Commit: commit, Dirty: true})
	write(".git/info/exclude", "more.go\nnotes\n")
	is("with a source that git ignores", "b", Source{URI: "https://example.com/shop.git", Commit: commit, Dirty: true})
	if err := os.Rename(filepath.Join(dir, "b/more.go"), filepath.Join(dir, "b/notes")); err != nil {
		t.Fatal(err)
	}
	is("with another file that git ignores", "b", Source{URI: "https://example.com/shop.git", Commit: commit})
	write("a/main.go", "package main // changed\n")
	git("update-index", "--assume-unchanged", "a/main.go")
	is("with a change that git was told to overlook", "a", Source{URI: "https://example.com/shop.git", Commit: commit, Dirty: true})
}
