package binary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/mod/modfile"

	"temper/checks/memory"
	"temper/pipeline/service"
)

// A Toolchain is an exact Go release on this machine.
type Toolchain struct {
	// Version is the release, such as "go1.26.8".
	Version string
	// Root is its GOROOT.
	Root string
	// ModCache is the module cache that fetching fills and compiling reads.
	ModCache string
	// Chosen says who named the release: "--go", "temper.yaml", "go.mod", "go.work" or
	// "the Go at hand".
	Chosen string

	access []string       // NAME=VALUE of what Go says about reaching code
	facts  *memory.Folder // nil for none
}

// Go returns the path of the toolchain's go command.
func (t *Toolchain) Go() string {
	name := "go"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(t.Root, "bin", name)
}

// Select finds the toolchain that a service asks for, the same release on
// every machine: what --go or temper.yaml names, else the toolchain line of the go.work
// or go.mod, else their go line where it is newer than the Go at hand, else the
// Go at hand. Go fetches what is not there and verifies it.
func Select(ctx context.Context, repo *service.Repository, svc *service.Service) (*Toolchain, error) {
	return new(Toolchains).Select(ctx, repo, svc)
}

// Toolchains are those that were asked for what they are, once each.
type Toolchains struct {
	// Facts keeps the [Toolchain.Sum] of one that nobody has touched; nil to read it anew.
	Facts *memory.Folder

	mu    sync.Mutex
	known map[string]Toolchain
}

// Select is [Select], for one service after the other.
func (all *Toolchains) Select(ctx context.Context, repo *service.Repository, svc *service.Service) (*Toolchain, error) {
	want, chosen, err := named(repo, svc)
	if err != nil {
		return nil, err
	}
	if want == "" {
		t, err := all.ask(ctx, "local")
		if err != nil {
			return nil, err
		}
		line, file, err := goLine(svc)
		if err != nil {
			return nil, err
		}
		if version.Compare(line, t.Version) <= 0 {
			t.Chosen = "the Go at hand"
			return t, nil
		}
		want, chosen = line, file
	}
	t, err := all.ask(ctx, want)
	if err != nil {
		return nil, fmt.Errorf("service %s wants %s (says %s): %w", svc.Name, want, chosen, err)
	}
	if t.Version != want {
		return nil, fmt.Errorf("service %s wants %s (says %s), and Go answered with %s", svc.Name, want, chosen, t.Version)
	}
	t.Chosen = chosen
	return t, nil
}

// ask is what Go says under a choice of toolchain. Two services that want the same wait for
// one answer.
func (all *Toolchains) ask(ctx context.Context, toolchain string) (*Toolchain, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if known, ok := all.known[toolchain]; ok {
		return &known, nil
	}
	t, err := ask(ctx, toolchain)
	if err != nil {
		return nil, err
	}
	if all.known == nil {
		all.known = make(map[string]Toolchain)
	}
	t.facts = all.Facts
	all.known[toolchain] = *t
	return t, nil
}

// named returns the release that the repository names, empty if it names none.
func named(repo *service.Repository, svc *service.Service) (want, chosen string, err error) {
	if repo.Go != "" {
		return "go" + repo.Go, repo.GoFrom, nil
	}
	if svc.Workfile != "" {
		work, err := parseWork(svc.Workfile)
		if err != nil {
			return "", "", err
		}
		if work.Toolchain != nil && work.Toolchain.Name != "default" {
			return work.Toolchain.Name, "go.work", nil
		}
		return "", "", nil // in a workspace Go reads no other toolchain line
	}
	mod, err := parseMod(svc.Module)
	if err != nil {
		return "", "", err
	}
	if mod.Toolchain != nil && mod.Toolchain.Name != "default" {
		return mod.Toolchain.Name, "go.mod", nil
	}
	return "", "", nil
}

// goLine returns the least release that the service's go.work or go.mod takes.
func goLine(svc *service.Service) (line, file string, err error) {
	if svc.Workfile != "" {
		work, err := parseWork(svc.Workfile)
		if err != nil || work.Go == nil {
			return "", "", err
		}
		return "go" + work.Go.Version, "go.work", nil
	}
	mod, err := parseMod(svc.Module)
	if err != nil || mod.Go == nil {
		return "", "", err
	}
	return "go" + mod.Go.Version, "go.mod", nil
}

// ModulePath returns the path of the module that the service belongs to.
func ModulePath(svc *service.Service) (string, error) {
	mod, err := parseMod(svc.Module)
	if err != nil {
		return "", err
	}
	if mod.Module == nil {
		return "", fmt.Errorf("%s names no module; add one: module example.com/NAME", mod.Syntax.Name)
	}
	return mod.Module.Mod.Path, nil
}

func parseMod(dir string) (*modfile.File, error) {
	path := filepath.Join(dir, "go.mod")
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return modfile.Parse(path, raw, nil) // ParseLax passes over the toolchain line
}

func parseWork(path string) (*modfile.WorkFile, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return modfile.ParseWork(path, raw, nil)
}

var errNoGo = errors.New("no go command is on PATH; install Go from https://go.dev/dl")

// ask runs "go env" under a choice of toolchain. Outside of any module, so that
// nothing in the repository has a say.
func ask(ctx context.Context, toolchain string) (*Toolchain, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return nil, errNoGo
	}
	dir, err := os.MkdirTemp("", "temper-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, path, append([]string{"env", "-json", "GOVERSION", "GOROOT"}, access...)...)
	cmd.Dir = dir
	cmd.Env = fetching(toolchain, "GOWORK=off")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("asking Go for its settings: %w\n%s", err, service.NoRelease(strings.TrimSpace(said.String())))
	}
	var env map[string]string
	if err := json.Unmarshal(out.Bytes(), &env); err != nil {
		return nil, fmt.Errorf("reading go env: %w", err)
	}
	t := &Toolchain{Version: env["GOVERSION"], Root: env["GOROOT"], ModCache: env["GOMODCACHE"]}
	// A release built with an experiment says so after a space.
	if strings.Contains(t.Version, " ") || !version.IsValid(t.Version) {
		return nil, fmt.Errorf("the Go at %s is %q, which is no release; name one with go: in temper.yaml", t.Root, t.Version)
	}
	for _, name := range access {
		t.access = append(t.access, name+"="+env[name])
	}
	return t, nil
}
