package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// services are the examples that keep the rules, by folder.
var services = []string{"api", "web", "worker"}

// platforms are those of temper.yaml's default.
var platforms = []string{"linux/amd64", "linux/arm64"}

// A bench has the sources, the modules and the compiled command.
type bench struct {
	root, goProxy, logs string

	tmp   string
	nonce string // in the names of caches, and in what has to be new
	calls int
	edits int
}

func (b *bench) path(name string) string { return filepath.Join(b.tmp, filepath.FromSlash(name)) }

// layDown copies the sources, for each module its own, and both modules, and
// makes all of it new to the engine: a comment in every go.mod has its modules
// fetched again, one in a module has that compiled again, and a cache volume
// with a new name is empty.
func (b *bench) layDown(ctx context.Context) error {
	for _, src := range []string{"temper-src", "plain-src"} {
		if err := b.copySources(ctx, b.path(src)); err != nil {
			return err
		}
	}
	for _, name := range []string{"go.mod", "go.sum", "dagger.json", "checks", "pipeline"} {
		if err := copyAll(filepath.Join(b.root, name), b.path("temper/"+name)); err != nil {
			return err
		}
	}
	if err := copyAll(filepath.Join(b.root, "tools/engine/plain"), b.path("plain")); err != nil {
		return err
	}
	for _, file := range []string{"temper/pipeline/module/main.go", "plain/main.go"} {
		if err := b.renew(b.path(file), "//"); err != nil {
			return err
		}
	}
	// The cache of temper's own compilation has no argument that names it.
	if err := b.rename(b.path("temper/pipeline/engine"), `"temper-self"`, `"temper-self-`+b.nonce+`"`); err != nil {
		return err
	}
	log.Print("compiling temper")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", b.path("temper-command"), "./pipeline/cmd/temper")
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling temper: %w\n%s", err, out)
	}
	return nil
}

func (b *bench) copySources(ctx context.Context, to string) error {
	if err := copyAll(filepath.Join(b.root, "examples", "temper.yaml"), filepath.Join(to, "temper.yaml")); err != nil {
		return err
	}
	for _, service := range services {
		if err := copyAll(filepath.Join(b.root, "examples", service), filepath.Join(to, service)); err != nil {
			return err
		}
		if err := b.renew(filepath.Join(to, service, "go.mod"), "//"); err != nil {
			return err
		}
	}
	out, err := exec.CommandContext(ctx, "git", "init", "-q", to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("git init: %w\n%s", err, out)
	}
	return nil
}

// renew adds a comment to a file, so that no cache knows it.
func (b *bench) renew(file, comment string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(raw, "\n"+comment+" "+b.nonce+"\n"...), 0o666)
}

// rename replaces a name in the Go files of a folder, in which it has to be.
func (b *bench) rename(dir, old, name string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	found := false
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !bytes.Contains(raw, []byte(old)) {
			continue
		}
		found = true
		if err := os.WriteFile(file, bytes.ReplaceAll(raw, []byte(old), []byte(name)), 0o666); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("no file of pipeline/engine holds %s, the name of a cache that has to be empty: correct it in tools/engine", old)
	}
	return nil
}

// edit changes what one service compiles to.
func (b *bench) edit() error {
	b.edits++
	code := fmt.Sprintf("package main\n\nimport \"log\"\n\nfunc init() { log.SetPrefix(\"%s, edit %d: \") }\n", b.nonce, b.edits)
	for _, src := range []string{"temper-src", "plain-src"} {
		if err := os.WriteFile(b.path(src+"/api/edited.go"), []byte(code), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// temper builds, checks and describes all services, with the compiled command.
func (b *bench) temper() []string {
	return b.check("--repository="+b.nonce, "--command="+b.path("temper-command"))
}

func (b *bench) check(flags ...string) []string {
	args := append([]string{"call", "-m", b.path("temper"), "--source=" + b.path("temper-src")}, flags...)
	return append(b.withProxy(args), "check")
}

// plain builds all services.
func (b *bench) plain() []string {
	return b.withProxy([]string{"call", "-m", b.path("plain"), "build", "--source=" + b.path("plain-src"),
		"--services=" + strings.Join(services, ","), "--platforms=" + strings.Join(platforms, ","), "--caches=" + b.nonce})
}

func (b *bench) withProxy(args []string) []string {
	if b.goProxy == "" {
		return args
	}
	return append(args, "--go-proxy="+b.goProxy)
}

// call runs dagger and says how long it took.
func (b *bench) call(ctx context.Context, args []string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, "dagger", append([]string{"--progress=plain"}, args...)...)
	cmd.Dir = b.path("temper-src")
	cmd.Env = append(os.Environ(), "DAGGER_NO_NAG=1")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	if err != nil {
		return 0, fmt.Errorf("dagger %s: %w\n%s", strings.Join(args, " "), err, said.Bytes())
	}
	b.calls++
	if b.logs != "" {
		err = os.WriteFile(filepath.Join(b.logs, fmt.Sprintf("%03d.log", b.calls)), said.Bytes(), 0o666)
	}
	return took, err
}

// copyAll copies a file, or a folder with all that is in it.
func copyAll(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o666)
}
