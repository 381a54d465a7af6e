// Package checkout puts a commit into a folder of its own, to build it again.
//
// [Commit] writes what git would on a machine where nobody has configured
// anything. The repository that the commit is taken from lends its objects and
// nothing else: its configuration, hooks, filters and replaced objects are not
// read, nothing in it is run, and neither it nor its working tree is written to.
// What .gitattributes of the commit itself say of line endings is followed, for
// they are part of what was committed; the filters that they name are not run.
//
// Two kinds of content are not in a commit: submodules and files in Git LFS.
// [Tree] tells which there are, and leaves to the caller whether they matter.
package checkout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"temper/checks/pattern"
)

// ErrNoCommit means that the repository does not have the commit, as a shallow
// clone does not have old ones.
var ErrNoCommit = errors.New("the commit is not there")

// A Tree is a commit in a folder.
type Tree struct {
	// Root is the folder that holds all of it, and Dir the one in it that stands
	// where the folder stood that Commit was told of.
	Root, Dir string
	// Submodules are the folders that the commit leaves to other repositories,
	// relative to Root, with slashes. They are empty.
	Submodules []string
}

// hash is a full one of git's, in SHA-1 or SHA-256.
var hash = pattern.New(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// Commit puts a commit into a folder, which is made. It is taken from the
// repository that holds the folder from: its root, a folder below, a linked
// worktree or a bare repository. After an error the folder is gone again.
func Commit(ctx context.Context, from, commit, into string) (_ *Tree, err error) {
	if !hash().MatchString(commit) {
		return nil, fmt.Errorf("%q is not a full commit hash", commit)
	}
	objects, prefix, err := locate(ctx, from)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(into, 0o700); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(into)
		}
	}()
	g := &git{dir: into}
	if err := g.borrow(ctx, objects, len(commit)); err != nil {
		return nil, fmt.Errorf("making a repository beside %s: %w", from, err)
	}
	if kind, err := g.run(ctx, "cat-file", "-t", commit); err != nil || strings.TrimSpace(kind) != "commit" {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%s in %s: %w", commit, from, ErrNoCommit)
	}
	if _, err := g.run(ctx, "checkout", "--quiet", "--force", "--detach", commit); err != nil {
		return nil, fmt.Errorf("checking out %s of %s: %w", commit, from, err)
	}
	t := &Tree{Root: into, Dir: filepath.Join(into, filepath.FromSlash(prefix))}
	if t.Submodules, err = g.submodules(ctx, commit); err != nil {
		return nil, fmt.Errorf("listing %s of %s: %w", commit, from, err)
	}
	if info, err := os.Stat(t.Dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("commit %s has no folder %s", commit, prefix)
	}
	return t, nil
}

// locate asks git for the objects of the repository that holds a folder, and
// for the folder's place in it.
func locate(ctx context.Context, from string) (objects, prefix string, err error) {
	ask := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "git", append([]string{"-C", from, "-c", "core.fsmonitor=false", "-c", "core.hooksPath=" + os.DevNull, "rev-parse"}, args...)...)
		// The machine's configuration says whose repositories git may read at all.
		cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") && !strings.HasPrefix(v, "GIT_CONFIG_") })
		out, err := output(cmd)
		return strings.TrimSuffix(out, "\n"), err
	}
	if info, err := os.Stat(from); err != nil {
		return "", "", err
	} else if !info.IsDir() {
		return "", "", fmt.Errorf("%s is not a folder", from)
	}
	if objects, err = ask("--git-path", "objects"); err != nil {
		return "", "", fmt.Errorf("looking for the git repository of %s: %w", from, err)
	}
	if !filepath.IsAbs(objects) {
		objects = filepath.Join(from, objects)
	}
	if objects, err = filepath.Abs(objects); err != nil {
		return "", "", err
	}
	if inside, err := ask("--is-inside-work-tree"); err != nil || inside != "true" {
		return objects, "", err // a bare repository has one place only
	}
	prefix, err = ask("--show-prefix")
	return objects, strings.TrimSuffix(prefix, "/"), err
}

// A git runs in a repository of ours.
type git struct{ dir string }

// borrow makes the repository, with the objects of another at hand.
func (g *git) borrow(ctx context.Context, objects string, hash int) error {
	if strings.ContainsAny(objects, "\r\n") {
		return fmt.Errorf("git cannot be told of a path with a line break, %q", objects)
	}
	format := "sha1"
	if hash == 64 {
		format = "sha256"
	}
	// Without the template there are no hooks and no attributes.
	if _, err := g.run(ctx, "init", "--quiet", "--template=", "--object-format="+format); err != nil {
		return err
	}
	info := filepath.Join(g.dir, ".git", "objects", "info")
	if err := os.MkdirAll(info, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(info, "alternates"), []byte(filepath.ToSlash(objects)+"\n"), 0o600)
}

// run runs git without the machine's configuration, and returns what it says.
func (g *git) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{
		"-c", "core.autocrlf=false", "-c", "core.eol=lf", "-c", "core.attributesFile=" + os.DevNull,
		"-c", "core.hooksPath=" + os.DevNull, "-c", "core.fsmonitor=false",
	}, args...)...)
	cmd.Dir = g.dir
	home := filepath.Join(g.dir, ".git") // there is no .gitconfig in it, for a git that does not know GIT_CONFIG_GLOBAL
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_CONFIG_HOME=" + home, "LC_ALL=C",
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_SYSTEM=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_ATTR_NOSYSTEM=1",
		"GIT_CEILING_DIRECTORIES=" + filepath.Dir(g.dir), "GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0",
	}
	for _, name := range []string{"SystemRoot", "TMPDIR", "TMP", "TEMP"} {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return output(cmd)
}

// submodules lists the folders of a commit that are other repositories.
func (g *git) submodules(ctx context.Context, commit string) ([]string, error) {
	list, err := g.run(ctx, "ls-tree", "-r", "-z", "--full-tree", commit)
	if err != nil {
		return nil, err
	}
	var found []string
	for one := range strings.SplitSeq(list, "\x00") {
		if what, path, ok := strings.Cut(one, "\t"); ok && strings.HasPrefix(what, "160000 ") {
			found = append(found, path)
		}
	}
	return found, nil
}

// output runs a command; its error is in git's words.
func output(cmd *exec.Cmd) (string, error) {
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("no git command is on PATH")
	}
	if words := strings.TrimSpace(said.String()); err != nil && words != "" {
		err = fmt.Errorf("git says: %s", words)
	}
	return out.String(), err
}
