package checkout

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A repo is a repository for a test, in a folder of its own.
type repo struct {
	t   *testing.T
	dir string
}

func newRepo(t *testing.T, args ...string) *repo {
	t.Helper()
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	r := &repo{t, filepath.Join(t.TempDir(), "repo")}
	if out, err := exec.Command("git", append(append([]string{"init", "-q"}, args...), r.dir)...).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v\n%s", err, out)
	}
	return r
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", r.dir, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repo) write(name, content string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repo) commit() string {
	r.t.Helper()
	r.git("add", "-A")
	r.git("commit", "-q", "-m", "a commit")
	return r.git("rev-parse", "HEAD")
}

// files are those of a tree with their contents; a link's is where it leads.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == ".git":
			return filepath.SkipDir
		case d.IsDir():
			return nil
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(path)
			all[name] = "-> " + to
			return err
		}
		raw, err := os.ReadFile(path)
		all[name] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func checkout(t *testing.T, from, commit string) *Tree {
	t.Helper()
	tree, err := Commit(context.Background(), from, commit, filepath.Join(t.TempDir(), "tree"))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// Whatever the repository and the machine are configured to do, the tree is the
// commit's, and nothing has run.
func TestCommitIsThatOfNoConfiguration(t *testing.T) {
	r := newRepo(t)
	ran := filepath.Join(t.TempDir(), "ran")
	r.write("main.go", "package main\n")
	r.write("a/b.txt", "one\ntwo\n")
	r.write("windows.bat", "echo\n")
	r.write("crlf.txt", "kept\r\n")
	r.write("secret.txt", "filtered\n")
	r.write("left.txt", "archives leave it out\n")
	r.write("ident.txt", "$Format:%H$\n")
	r.write(".gitattributes", "windows.bat text eol=crlf\nsecret.txt filter=evil\nleft.txt export-ignore\nident.txt export-subst\n")
	if err := os.Symlink("a/b.txt", filepath.Join(r.dir, "link")); err != nil {
		t.Fatal(err)
	}
	commit := r.commit()
	// What is not committed stays where it is.
	r.write("main.go", "package changed\n")
	r.write("untracked.go", "package untracked\n")

	evil := "touch " + ran + "; cat"
	for key, value := range map[string]string{
		"core.autocrlf": "true", "core.eol": "crlf", "filter.evil.smudge": evil, "filter.evil.clean": "cat", "filter.evil.process": evil, "core.fsmonitor": evil,
	} {
		r.git("config", key, value)
	}
	for _, hook := range []string{"post-checkout", "post-index-change", "reference-transaction", "pre-commit"} {
		r.write(".git/hooks/"+hook, "#!/bin/sh\n"+evil+"\n")
		if err := os.Chmod(filepath.Join(r.dir, ".git/hooks", hook), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// Another commit passes itself off as this one.
	r.write(".git/info/attributes", "* text eol=crlf\n")
	other := strings.TrimSpace(r.plumb("", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "commit-tree", "-m", "another", "4b825dc642cb6eb9a060e54bf8d69288fbee4904"))
	r.write(".git/refs/replace/"+commit, other+"\n")
	global := filepath.Join(t.TempDir(), "gitconfig")
	if err := os.WriteFile(global, []byte("[core]\n\tautocrlf = true\n[filter \"evil\"]\n\tsmudge = "+evil+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", global)
	t.Setenv("GIT_DIR", filepath.Join(t.TempDir(), "nowhere"))
	t.Setenv("GIT_WORK_TREE", t.TempDir())
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "core.autocrlf")
	t.Setenv("GIT_CONFIG_VALUE_0", "true")

	before := files(t, r.dir)
	tree := checkout(t, r.dir, commit)
	want := map[string]string{
		"main.go":        "package main\n",
		"a/b.txt":        "one\ntwo\n",
		"windows.bat":    "echo\r\n", // as the commit itself says
		"crlf.txt":       "kept\r\n",
		"secret.txt":     "filtered\n",
		"left.txt":       "archives leave it out\n",
		"ident.txt":      "$Format:%H$\n",
		"link":           "-> a/b.txt",
		".gitattributes": "windows.bat text eol=crlf\nsecret.txt filter=evil\nleft.txt export-ignore\nident.txt export-subst\n",
	}
	if diff := cmp.Diff(want, files(t, tree.Root)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	if tree.Dir != tree.Root || len(tree.Submodules) > 0 {
		t.Errorf("tree: %+v", tree)
	}
	if _, err := os.Stat(ran); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something of the repository has run (%v)", err)
	}
	if diff := cmp.Diff(before, files(t, r.dir)); diff != "" {
		t.Errorf("the repository has changed (-before +after):\n%s", diff)
	}
}

// plumb runs git with a standard input.
func (r *repo) plumb(in string, args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", r.dir, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
	cmd.Stdin = strings.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("git %v: %v", args, err)
	}
	return string(out)
}

func TestCommitFromAnywhereInARepository(t *testing.T) {
	r := newRepo(t)
	r.write("services/api/main.go", "package main\n")
	first := r.commit()
	r.write("services/web/main.go", "package main\n")
	second := r.commit()
	bare := filepath.Join(t.TempDir(), "bare.git")
	r.git("clone", "-q", "--bare", r.dir, bare)
	linked := filepath.Join(t.TempDir(), "linked")
	r.git("worktree", "add", "-q", "--detach", linked, first)
	borrowed := filepath.Join(t.TempDir(), "borrowed")
	r.git("clone", "-q", "--shared", r.dir, borrowed)
	for _, test := range []struct{ from, commit, dir string }{
		{r.dir, second, ""},
		{filepath.Join(r.dir, "services"), first, "services"},
		{filepath.Join(r.dir, "services", "web"), second, "services/web"},
		{filepath.Join(r.dir, ".git"), first, ""},
		{bare, first, ""},
		{linked, second, ""},
		{filepath.Join(linked, "services"), second, "services"},
		{borrowed, first, ""},
	} {
		tree := checkout(t, test.from, test.commit)
		rel, err := filepath.Rel(tree.Root, tree.Dir)
		if err != nil || filepath.ToSlash(rel) != filepath.Clean("./"+test.dir) {
			t.Errorf("%s: the folder is %s (%v), want %s", test.from, rel, err, test.dir)
		}
		want := map[string]string{"services/api/main.go": "package main\n"}
		if test.commit == second {
			want["services/web/main.go"] = "package main\n"
		}
		if diff := cmp.Diff(want, files(t, tree.Root)); diff != "" {
			t.Errorf("%s: tree (-want +got):\n%s", test.from, diff)
		}
	}
	// The folder is of a later commit.
	_, err := Commit(context.Background(), filepath.Join(r.dir, "services", "web"), first, filepath.Join(t.TempDir(), "tree"))
	if err == nil || !strings.Contains(err.Error(), "has no folder services/web") {
		t.Errorf("a folder that the commit does not have: %v", err)
	}
}

func TestCommitOfSHA256(t *testing.T) {
	r := newRepo(t, "--object-format=sha256")
	r.write("main.go", "package main\n")
	tree := checkout(t, r.dir, r.commit())
	if diff := cmp.Diff(map[string]string{"main.go": "package main\n"}, files(t, tree.Root)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

func TestCommitRefuses(t *testing.T) {
	r := newRepo(t)
	r.write("main.go", "package main\n")
	commit := r.commit()
	blob := r.git("rev-parse", "HEAD:main.go")
	shallow := filepath.Join(t.TempDir(), "shallow")
	r.write("main.go", "package main // again\n")
	r.commit()
	r.git("clone", "-q", "--depth=1", "file://"+r.dir, shallow)
	for _, test := range []struct {
		name, from, commit, want string
		missing                  bool
	}{
		{"a branch", r.dir, "master", "is not a full commit hash", false},
		{"an option", r.dir, "--upload-pack=id", "is not a full commit hash", false},
		{"a short hash", r.dir, commit[:12], "is not a full commit hash", false},
		{"no such commit", r.dir, strings.Repeat("1", 40), "the commit is not there", true},
		{"no such commit, in the other format", r.dir, strings.Repeat("1", 64), "the commit is not there", true},
		{"a file", r.dir, blob, "the commit is not there", true},
		{"a shallow clone", shallow, commit, "the commit is not there", true},
		{"no repository", t.TempDir(), commit, "git says: fatal: not a git repository", false},
		{"no folder", filepath.Join(r.dir, "nothing"), commit, "no such file", false},
		{"no folder but a file", filepath.Join(r.dir, "main.go"), commit, "is not a folder", false},
	} {
		into := filepath.Join(t.TempDir(), "tree")
		_, err := Commit(context.Background(), test.from, test.commit, into)
		if _, serr := os.Stat(into); !errors.Is(serr, fs.ErrNotExist) {
			t.Errorf("%s: a folder is left behind (%v)", test.name, serr)
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, ErrNoCommit) != test.missing {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

// Content that no commit holds is named.
func TestTreeTellsWhatIsElsewhere(t *testing.T) {
	inner := newRepo(t)
	inner.write("inner.go", "package inner\n")
	inner.commit()
	r := newRepo(t)
	r.write("main.go", "package main\n")
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
	r.write("web/logo.png", pointer)
	r.write("web/notes.txt", "about "+pointer)
	r.write("web/long.txt", pointer+strings.Repeat(" ", 2000))
	r.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner.dir, "third party/inner")
	tree := checkout(t, r.dir, r.commit())
	if diff := cmp.Diff([]string{"third party/inner"}, tree.Submodules); diff != "" {
		t.Errorf("submodules (-want +got):\n%s", diff)
	}
	found, err := tree.Elsewhere()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"web/logo.png"}, found); diff != "" {
		t.Errorf("files in Git LFS (-want +got):\n%s", diff)
	}
}
