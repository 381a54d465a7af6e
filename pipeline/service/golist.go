package service

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"temper/checks/pattern"
)

// ask returns a service for every main package of the go.work or module in
// root.
func ask(ctx context.Context, root string) ([]*Service, error) {
	workfile, modules, err := modulesOf(root)
	if err != nil {
		return nil, err
	}
	var packages, with []listed
	g, both := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		packages, err = list(both, root, workfile, modules, "0")
		return err
	})
	g.Go(func() (err error) {
		if !mentionCgo(modules) {
			return nil
		}
		with, err = list(both, root, workfile, modules, "1")
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, cmp.Or(ctx.Err(), err)
	}
	if err := needCgo(root, packages, with); err != nil {
		return nil, err
	}
	var services []*Service
	for _, p := range packages {
		switch {
		case p.Name == "main" && len(p.GoFiles) > 0:
			s := newService(root)
			s.Dir = owner(upTo(root, p.Dir))
			s.Name, s.Package = fit(lastElement(p.ImportPath)), dotted(s.Dir, p.Dir)
			s.Path = defaultPath(s.Name)
			if err := s.place(); err != nil {
				return nil, err
			}
			services = append(services, s)
		case p.Name == "" && p.Error != nil:
			// A main package or not? Whoever cannot tell must not leave it out.
			return nil, fmt.Errorf("listing packages: %s: %s; mend it, or name the services in %s",
				p.Error.Pos, p.Error.Err, ConfigName)
		}
	}
	if len(services) == 0 {
		return nil, fmt.Errorf("no main package in %s; write one, or name the services in %s: services: [{name: orders, dir: src/orders}]",
			root, ConfigName)
	}
	return services, distinct(root, services)
}

// errFound ends a search.
var errFound = errors.New("found")

// mentionCgo tells whether a file of modules may import "C", so that Go has to be asked what
// there is with cgo. It looks wherever Go does for the packages of a module, and a little
// further.
func mentionCgo(modules []string) bool {
	for _, module := range modules {
		err := filepath.WalkDir(module, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			switch base := d.Name(); {
			case d.IsDir() && name != module && (base[0] == '.' || base[0] == '_' || base == "testdata" || base == "vendor"):
				return fs.SkipDir
			case d.IsDir() || !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go"):
				return nil
			}
			text, err := os.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a link that leads nowhere, as those of editors
			}
			if bytes.Contains(text, []byte(`"C"`)) || bytes.Contains(text, []byte("`C`")) {
				return errFound
			}
			return err
		})
		if err != nil { // it is found, or Go says what is wrong there, if that is of a package
			return true
		}
	}
	return false
}

// needCgo tells of main packages that are there with cgo only. Go would leave
// them out without a word, as it rightly does with those for another system.
func needCgo(root string, without, with []listed) error {
	for _, p := range with {
		there := slices.ContainsFunc(without, func(l listed) bool { return l.Dir == p.Dir && len(l.GoFiles) > 0 })
		if p.Name == "main" && len(p.CgoFiles) > 0 && !there {
			return fmt.Errorf("the main package in %s needs cgo (%s), and Temper compiles without: an image without a C library has no place for it; "+
				"look for a pure Go replacement, or name the other services in %s",
				slashed(root, p.Dir), strings.Join(p.CgoFiles, ", "), ConfigName)
		}
	}
	return nil
}

// modulesOf returns the folders of the modules that root's go.work uses, less
// those outside of root, or root's own module.
func modulesOf(root string) (workfile string, modules []string, err error) {
	if file := filepath.Join(root, "go.work"); isFile(file) {
		work, err := openWorkspace(file)
		if err != nil {
			return "", nil, err
		}
		for _, use := range work.uses {
			if within(root, use) {
				modules = append(modules, use)
			}
		}
		if len(modules) == 0 {
			return "", nil, fmt.Errorf("%s uses no module; type go work use -r . to have it use those below it", file)
		}
		return file, modules, nil
	}
	if isFile(filepath.Join(root, "go.mod")) {
		return "", []string{root}, nil
	}
	if module := owner(ancestors(root)); module != "" {
		return "", nil, moduleless(root, root)
	}
	return "", nil, nothing(root, fmt.Sprintf("%s names no services, and no go.work or go.mod lies beside it in %s", ConfigName, root))
}

// A listed package is what go list -json says of one.
type listed struct {
	Dir, ImportPath, Name string
	GoFiles, CgoFiles     []string
	Error                 *struct{ Pos, Err string }
}

// list asks Go for the packages of modules. With -find, Go resolves no imports
// and hardly ever needs other modules (it does for a go.mod from before Go
// 1.17, which does not name them all).
func list(ctx context.Context, root, workfile string, modules []string, cgo string) ([]listed, error) {
	args := []string{"list", "-e", "-find", "-json=Dir,ImportPath,Name,GoFiles,CgoFiles,Error"}
	out, err := about(ctx, root, workfile, modules, cgo, args)
	if err != nil {
		return nil, fmt.Errorf("listing packages: %w", err)
	}
	var all []listed
	for stream := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := stream.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("listing packages: %w", err)
		}
		all = append(all, p)
	}
}

// AboutPackages runs a go command about all packages of the go.work or module in a
// folder, with the user's Go and as they are compiled for an image, and returns what it
// prints. With cgo, those count as well that need a C compiler.
func AboutPackages(ctx context.Context, folder string, cgo bool, args ...string) ([]byte, error) {
	workfile, modules, err := modulesOf(folder)
	if err != nil {
		return nil, err
	}
	enabled := "0"
	if cgo {
		enabled = "1"
	}
	return about(ctx, folder, workfile, modules, enabled, args)
}

// about adds the packages of modules to the arguments of a go command. The network is
// tried second.
func about(ctx context.Context, root, workfile string, modules []string, cgo string, args []string) ([]byte, error) {
	for _, module := range modules {
		args = append(args, "./"+path.Join(slashed(root, module), "..."))
	}
	env := append(environment(root, workfile), "CGO_ENABLED="+cgo)
	out, err := run(ctx, root, append(env, "GOPROXY=off"), args)
	if ctx.Err() == nil && (err != nil || bytes.Contains(out, []byte("GOPROXY=off"))) {
		out, err = run(ctx, root, env, args)
	}
	return out, err
}

// environment is the user's own, for access to modules and toolchains, with
// fixed values for what decides which files are part of a package.
func environment(root, workfile string) []string {
	if workfile == "" {
		workfile = "off"
	}
	// A space sets GOFLAGS to no flags; an empty value would leave it to the
	// file of go env -w.
	return append(os.Environ(), "PWD="+root, "GO111MODULE=on", "GOFLAGS= ", "GOWORK="+workfile,
		"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOEXPERIMENT=none", "GOFIPS140=off", "GOROOT=", "GOTOOLCHAIN=auto")
}

// run returns the standard output of Go.
func run(ctx context.Context, dir string, env, args []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
		if said := bytes.TrimSpace(exit.Stderr); len(said) > 0 {
			return nil, errors.New(NoRelease(string(said)))
		}
	}
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("there is no go command on the PATH; install Go from https://go.dev/dl")
	}
	return out, err
}

// noRelease matches what Go says of a release that it cannot get.
var noRelease = pattern.New(`(?m)^go: (?:invalid GOTOOLCHAIN "|download |go\S* requires go >= )(?:go)?([0-9][^" :]*)`)

// NoRelease adds to what Go says what to type where no release is the one that a go.mod or
// go.work asks for, or none that can be had from here.
func NoRelease(said string) string {
	m := noRelease().FindStringSubmatch(said)
	if m == nil {
		return said
	}
	return fmt.Sprintf("%s\nthere is no Go %s, or none to be had from here: ask for one that there is, go mod edit -go=VERSION -toolchain=none (go work edit, for a go.work); go version says which is at hand",
		said, m[1])
}

// major is what Go calls a version element of an import path:
// https://pkg.go.dev/cmd/go#hdr-Compile_packages_and_dependencies
var major = pattern.New(`^v([2-9]|[1-9][0-9]+)$`)

// lastElement is how Go names the executable of a package.
func lastElement(importPath string) string {
	dir, last := path.Split(importPath)
	if dir != "" && major().MatchString(last) {
		return path.Base(dir)
	}
	return last
}

// distinct makes sure that every name stands for one package.
func distinct(root string, services []*Service) error {
	folders := map[string][]string{}
	for _, s := range services {
		folders[s.Name] = append(folders[s.Name], slashed(root, filepath.Join(s.Dir, filepath.FromSlash(s.Package))))
	}
	var twice, paste strings.Builder
	for _, s := range services {
		name, same := s.Name, folders[s.Name]
		if len(same) > 1 {
			folder := slashed(root, filepath.Join(s.Dir, filepath.FromSlash(s.Package)))
			if folder == same[0] {
				fmt.Fprintf(&twice, "%d main packages have the name %s: %s\n", len(same), s.Name, strings.Join(same, ", "))
			}
			if folder != "." {
				name = fit(folder)
			}
		}
		fmt.Fprintf(&paste, "\n  - {name: %s, dir: %s, package: %s}", name, slashed(root, s.Dir), s.Package)
	}
	if twice.Len() == 0 {
		return nil
	}
	return fmt.Errorf("%sname the services in %s:\nservices:%s", &twice, ConfigName, &paste)
}
