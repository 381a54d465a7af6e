package binary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"temper/pipeline/service"
)

// A FetchError is what the Go command said when it did not get a module or a
// release.
type FetchError struct {
	// Dir is the folder that it was asked in.
	Dir string
	// Output is Go's own words.
	Output string
	// Replace is what go.work lacks where Go looks elsewhere for a module of the
	// workspace, empty if that is not what is wrong.
	Replace string
}

func (e *FetchError) Error() string {
	return fmt.Sprintf("fetching what %s requires:\n%s", e.Dir, e.Output)
}

// Fetch brings into the module cache what the modules in a folder and below it
// require, and the Go releases that compile them: the one that is named, or those
// of their go.work, go.mod and toolchain lines. It reads these files and no code,
// so a folder that holds nothing else will do. Where packages are named, by their
// folders relative to dir, they are the modules of those. Modules with a vendor
// folder, and those that Go itself passes over, need nothing.
func Fetch(ctx context.Context, dir, release string, packages ...string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	found, err := modulesIn(dir)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("no go.mod is in %s or below it", dir)
	}
	if len(packages) > 0 {
		found = found.of(dir, packages)
	}
	releases := []string{"go" + release}
	if release == "" {
		if releases, err = found.releases(ctx); err != nil {
			return err
		}
	}
	for _, r := range releases {
		if _, err := ask(ctx, r); err != nil {
			return err
		}
	}
	for _, m := range found {
		if m.vendored {
			continue
		}
		args := []string{"mod", "download"}
		if m.work != "" {
			// Of a workspace Go would also download its own modules, at the versions
			// that they require of each other.
			required, err := m.run(ctx, "list", "-m", "-f", requiredModule, "all")
			if err != nil {
				return err
			}
			if required == "" {
				continue
			}
			args = append(args, strings.Fields(required)...)
		}
		if _, err := m.run(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// requiredModule prints a module as go mod download takes it, unless it is one
// of ours.
const requiredModule = `{{if not .Main}}{{with .Replace}}{{if .Version}}{{.Path}}@{{.Version}}{{end}}{{else}}{{.Path}}@{{.Version}}{{end}}{{end}}`

// run returns what Go prints when it is asked in the module.
func (m found) run(ctx context.Context, args ...string) (string, error) {
	work := m.work
	if work == "" {
		work = "off"
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = m.dir
	cmd.Env = fetching("auto", "GOWORK="+work, "PWD="+m.dir)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	switch err := cmd.Run(); {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return "", errNoGo
	default:
		words := strings.TrimSpace(downloading().ReplaceAllString(said.String(), ""))
		if words == "" {
			words = err.Error()
		}
		return "", &FetchError{m.dir, words, m.lacks(words)}
	}
}

// lacks returns the replacement of a module of the workspace that Go, by its
// words, looks for elsewhere: it does so for what the others require at a
// version that nobody has published.
func (m found) lacks(words string) string {
	for path, folder := range m.uses {
		if _, after, ok := strings.Cut(words, path+"@"); ok {
			at, _, _ := strings.Cut(after, ":")
			return fmt.Sprintf("replace %s %s => %s", path, at, folder)
		}
	}
	return ""
}

// A found is a module, or the modules of a go.work, of which Go downloads those
// that all of them require.
type found struct {
	// dir is where Go is asked, and work the go.work that holds, if there is one.
	dir, work string
	// uses are the folders of the modules in the workspace, by their paths.
	uses     map[string]string
	vendored bool
	// line is the release that go.mod or go.work take at least, and toolchain the
	// one that they name, both as "go1.26.8" or empty.
	line, toolchain string
}

type foundModules []found

// modulesIn lists what there is below a folder, in the order of the names.
func modulesIn(root string) (foundModules, error) {
	var list foundModules
	used := make(map[string]bool) // folders of modules in a workspace
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != root && service.PassedOver(d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		dir := filepath.Dir(path)
		switch d.Name() {
		case "go.mod":
			list = append(list, found{dir: dir})
		case "go.work":
			list = append(list, found{dir: dir, work: path})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, m := range list {
		_, err := os.Stat(filepath.Join(m.dir, "vendor", "modules.txt"))
		list[i].vendored = err == nil
		if m.work != "" {
			work, err := parseWork(m.work)
			if err != nil {
				return nil, err
			}
			list[i].line, list[i].toolchain = lines(work.Go, work.Toolchain)
			list[i].uses = make(map[string]string)
			for _, use := range work.Use {
				folder := filepath.FromSlash(use.Path)
				if !filepath.IsAbs(folder) {
					folder = filepath.Join(m.dir, folder)
				}
				used[folder] = true
				mod, err := parseMod(folder)
				if err != nil {
					return nil, err
				}
				if mod.Module != nil {
					list[i].uses[mod.Module.Mod.Path] = use.Path
				}
			}
			continue
		}
		mod, err := parseMod(m.dir)
		if err != nil {
			return nil, err
		}
		list[i].line, list[i].toolchain = lines(mod.Go, mod.Toolchain)
	}
	return slices.DeleteFunc(list, func(m found) bool { return m.work == "" && used[m.dir] }), nil
}

// of are the modules to which packages belong, the closest above each, or the
// workspace of that.
func (list foundModules) of(root string, packages []string) foundModules {
	wanted := make(map[string]bool)
	for _, pkg := range packages {
		folder := filepath.Join(root, filepath.FromSlash(pkg))
		best := ""
		for _, m := range list {
			for _, dir := range m.folders() {
				if rel, err := filepath.Rel(dir, folder); err == nil && filepath.IsLocal(rel) && len(dir) > len(best) {
					best = dir
				}
			}
		}
		wanted[best] = true
	}
	return slices.DeleteFunc(list, func(m found) bool {
		return !slices.ContainsFunc(m.folders(), func(dir string) bool { return wanted[dir] })
	})
}

// folders are those of the modules.
func (m found) folders() []string {
	if m.work == "" {
		return []string{m.dir}
	}
	var all []string
	for _, folder := range m.uses {
		if folder = filepath.FromSlash(folder); !filepath.IsAbs(folder) {
			folder = filepath.Join(m.dir, folder)
		}
		all = append(all, folder)
	}
	return all
}

func lines(line *modfile.Go, toolchain *modfile.Toolchain) (string, string) {
	var least, named string
	if line != nil {
		least = "go" + line.Version
	}
	if toolchain != nil && toolchain.Name != "default" {
		named = toolchain.Name
	}
	return least, named
}

// releases are those that [Select] chooses for the modules and that are not the
// Go at hand.
func (list foundModules) releases(ctx context.Context) ([]string, error) {
	here, err := ask(ctx, "local")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range list {
		switch {
		case m.toolchain != "" && m.toolchain != here.Version:
			names = append(names, m.toolchain)
		case m.toolchain == "" && version.Compare(m.line, here.Version) > 0:
			names = append(names, m.line)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
