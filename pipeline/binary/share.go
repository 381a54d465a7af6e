package binary

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/service"
	"temper/pipeline/timing"
)

// A Share lets builds read what holds none of the repository's code, the standard library
// and the modules that go.sum vouches for, from a layer that no service's build writes.
// It is compiled there once, by a step that is told the names of those packages, and goes
// by the service's go.mod and go.sum for what they are. A release that shall not depend on
// it shares nothing.
type Share struct {
	// Program is the command that serves a cache to Go (package lane), which is given two
	// more arguments: the folder of the own layer, and that of the shared one or nothing.
	Program []string
	// Dir is the folder of the shared layers, one for each Go release and platform.
	Dir string
	// Services are built beside one another. Go is asked once, and not once for each, what
	// those of one module and platform share.
	Services []*service.Service

	listed sync.Map // by service and platform, []*Package
}

// firstShared is the first release of Go that asks a program for what is cached.
// https://go.dev/doc/go1.24#gocacheprog
const firstShared = "go1.24"

// shares tells whether a build shares anything. What is compiled by a profile is compiled
// for one main package, so it has no place there, but nor does it come there.
func (o Options) shares(t *Toolchain) bool {
	return o.Share != nil && version.Compare(t.Version, firstShared) >= 0
}

// layer is the folder of the shared layer for a platform.
func (s *Share) layer(p v1.Platform, t *Toolchain) string {
	return filepath.Join(s.Dir, t.Version, strings.ReplaceAll(p.String(), "/", "-"))
}

// program is what GOCACHEPROG is to be.
func (s *Share) program(folders ...string) (string, error) {
	var words []string
	for _, word := range slices.Concat(s.Program, folders) {
		quoted, err := quote(word)
		if err != nil {
			return "", err
		}
		words = append(words, quoted)
	}
	return strings.Join(words, " "), nil
}

// environment is that of every go command of a service and platform.
func (o Options) environment(svc *service.Service, p v1.Platform, t *Toolchain, c cacheDir) ([]string, error) {
	env := append(compiling(svc, p, t, c), "PWD="+svc.Dir)
	if !o.shares(t) {
		return env, nil
	}
	prog, err := o.Share.program(c.path("layer"), o.Share.layer(p, t))
	return append(env, "GOCACHEPROG="+prog), err
}

// fill compiles into the shared layer what the service wants of it, if that has not been
// done for the same modules, packages and platform. Whoever may only read the layer
// compiles what it lacks for the service alone.
func (o Options) fill(ctx context.Context, svc *service.Service, p v1.Platform, t *Toolchain, c cacheDir) error {
	if !o.shares(t) {
		return nil
	}
	dir := o.Share.layer(p, t)
	done := filepath.Join(dir, "filled")
	err := os.MkdirAll(done, 0o700)
	if readOnly(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("making the shared build cache: %w", err)
	}
	modules, err := chosen(svc, p, t)
	if err != nil {
		return err
	}
	mark := func(svc *service.Service) string { return filepath.Join(done, wants(svc, modules)) }
	filled := func(svc *service.Service) bool {
		_, err := os.Stat(mark(svc))
		return err == nil
	}
	if filled(svc) {
		return nil
	}
	defer timing.Start(ctx, "share")()
	unlock, err := lock(ctx, filepath.Join(dir, "lock"))
	if readOnly(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("locking the shared build cache: %w", err)
	}
	defer unlock()
	if filled(svc) { // by one beside, meanwhile
		return nil
	}
	group := slices.DeleteFunc(o.Share.beside(svc, p, t, modules), filled)
	all, err := o.common(ctx, group, p, t, c)
	if err == nil && len(all) == 0 && len(group) > 1 { // one of them may be broken
		group = []*service.Service{svc}
		all, err = o.common(ctx, group, p, t, c)
	}
	packages := foreign(svc.Root, all)
	if err != nil || len(packages) == 0 {
		return err
	}
	o.Share.note(group, p, all)
	compiled := filling(filepath.Join(done, modules))
	if packages, err = compiled.without(packages); err != nil {
		return err
	}
	if len(packages) > 0 {
		if ok, err := o.compile(ctx, svc, p, t, c, packages); !ok {
			return err
		}
		if err := compiled.add(packages); err != nil {
			return err
		}
	}
	for _, one := range group {
		if err := os.WriteFile(mark(one), nil, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// readOnly tells the error of who may read what lies there, and not write.
func readOnly(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)
}

// beside are the service and those that are built with it and choose the same modules of
// the same folder, so that Go can be asked about all of them at once.
func (s *Share) beside(svc *service.Service, p v1.Platform, t *Toolchain, modules string) []*service.Service {
	group := []*service.Service{svc}
	for _, other := range s.Services {
		if other.Name == svc.Name || other.Module != svc.Module || other.Workfile != svc.Workfile {
			continue
		}
		if name, err := chosen(other, p, t); err == nil && name == modules {
			group = append(group, other)
		}
	}
	return group
}

// compile compiles packages into the shared layer, on all cores, for who comes next waits
// for them. It tells whether that could be done: what does not compile the service's own
// build says, if it wants that.
func (o Options) compile(ctx context.Context, svc *service.Service, p v1.Platform, t *Toolchain, c cacheDir, packages []string) (bool, error) {
	prog, err := o.Share.program(o.Share.layer(p, t))
	if err != nil {
		return false, err
	}
	env := append(compiling(svc, p, t, c), "GOCACHEPROG="+prog)
	if _, err := run(ctx, svc, t, env, append(goBuild(svc, "-pgo=off"), packages...)); err != nil {
		return false, ctx.Err()
	}
	return true, nil
}

// A filling is the file that names the packages which were compiled into the shared layer
// for one choice of modules, a line each. Whoever has the layer's lock may use it.
type filling string

// without returns which of the packages it does not name.
func (f filling) without(packages []string) ([]string, error) {
	content, err := os.ReadFile(string(f))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	there := make(map[string]bool)
	for line := range strings.Lines(string(content)) {
		there[strings.TrimSuffix(line, "\n")] = true
	}
	return slices.DeleteFunc(packages, func(path string) bool { return there[path] }), nil
}

// add notes that packages were compiled. If that is cut short, the last of them may be
// another's name, and then a service compiles that for itself.
func (f filling) add(packages []string) error {
	file, err := os.OpenFile(string(f), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(strings.Join(packages, "\n") + "\n")
	return errors.Join(err, file.Close())
}

// wants names what a service wants of the shared layer: by the choice of its modules, and
// not by its code. What it imports besides it compiles for itself.
func wants(svc *service.Service, modules string) string {
	rel, err := filepath.Rel(svc.Root, svc.Dir)
	if err != nil {
		rel = svc.Dir
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %q %q\n", modules, rel, svc.Package))
	return hex.EncodeToString(sum[:])
}

// chosen names a choice of modules, and for what they are compiled: by the files that
// choose. Two services of which it is the same mean the same by a package's path.
func chosen(svc *service.Service, p v1.Platform, t *Toolchain) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q\n", t.Version, svc.BuildTags)
	for _, kv := range target(svc, p) {
		if !strings.HasPrefix(kv, "GOWORK=") {
			fmt.Fprintf(sum, "%q\n", kv)
		}
	}
	files := []string{filepath.Join(svc.Module, "go.mod"), filepath.Join(svc.Module, "go.sum")}
	if svc.Workfile != "" {
		files = append(files, svc.Workfile, svc.Workfile+".sum")
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		fmt.Fprintf(sum, "%x\n", sha256.Sum256(content))
	}
	return "m" + hex.EncodeToString(sum.Sum(nil)), nil
}

// common lists the packages of the binaries of services, none if Go cannot. The services
// choose the same modules; the cache is the first one's.
func (o Options) common(ctx context.Context, group []*service.Service, p v1.Platform, t *Toolchain, c cacheDir) ([]*Package, error) {
	svc := group[0]
	env, err := o.environment(svc, p, t, c)
	if err != nil {
		return nil, err
	}
	// With a profile Go would list each package once more for the service that has it.
	args := append([]string{"list", "-deps", "-pgo=off"}, listed(svc.BuildTags)...)
	for _, one := range group {
		args = append(args, mainDir(one))
	}
	all, err := list(ctx, svc, t, env, args)
	if err != nil {
		return nil, ctx.Err() // the build says what is wrong
	}
	return all, nil
}

// foreign are the paths of the packages that hold none of the code below root, and import
// none that do: whoever compiles a package compiles what it imports. Each of the packages
// comes after those that it imports.
func foreign(root string, all []*Package) []string {
	var paths []string
	theirs := map[string]bool{"unsafe": true}
	for _, p := range all {
		if p.ImportPath == "unsafe" || !p.elsewhere(root) || slices.ContainsFunc(p.Direct(), func(path string) bool { return !theirs[path] }) {
			continue
		}
		theirs[p.ImportPath] = true
		paths = append(paths, p.ImportPath)
	}
	return paths
}

// elsewhere tells whether a package is of the standard library or of a module that go.sum
// vouches for. What is vendored is of the repository: nobody holds it against go.sum.
func (p *Package) elsewhere(root string) bool {
	if p.Standard {
		return true
	}
	m := p.Module
	if m == nil || m.Main || m.Version == "" || m.Replace != nil && m.Replace.Version == "" {
		return false
	}
	rel, err := filepath.Rel(root, p.Dir)
	return err != nil || !filepath.IsLocal(rel)
}
