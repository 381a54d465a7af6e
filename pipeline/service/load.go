package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Load finds the repository that dir belongs to and says what there is to
// build.
//
// The repository is the nearest folder, from dir upwards, that holds
// temper.yaml; else the nearest with a go.work that uses the module of dir;
// else the nearest with a go.mod. The search ends at the folder that contains
// .git. Where dir lies below the repository's folder, only the services whose
// main package lies in dir or below it are returned, and there is at least one.
//
// Load compiles nothing. It runs the Go command only where temper.yaml names no
// services, and needs the network only if Go cannot list packages without it.
// Its error names every mistake in temper.yaml, one on each line.
//
// The rules are the names of those that a waiver may name, which whoever checks
// knows; without any, every name will do.
func Load(ctx context.Context, dir string, rules ...string) (*Repository, error) {
	dir, err := realFolder(dir)
	if err != nil {
		return nil, err
	}
	root, err := find(dir)
	if err != nil {
		return nil, err
	}
	repo := &Repository{Dir: root, Base: BuiltinBase, Platforms: defaultPlatforms()}
	if err := misnamed(root); err != nil {
		return nil, err
	}
	if file := filepath.Join(root, ConfigName); isFile(file) {
		repo.Config = file
		if err := repo.configure(rules); err != nil {
			return nil, err
		}
	}
	if len(repo.Services) == 0 {
		if repo.Services, err = ask(ctx, root); err != nil {
			return nil, err
		}
		if err := repo.knowSubjects(); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(repo.Services, func(a, b *Service) int { return cmp.Compare(a.Name, b.Name) })
	return repo, repo.narrow(dir)
}

// knowSubjects holds the waivers against services that temper.yaml does not
// name.
func (r *Repository) knowSubjects() error {
	var names []string
	for _, s := range r.Services {
		names = append(names, s.Name)
	}
	d := decoding()
	d.subjects = r.subjects
	d.known(names)
	return d.Err()
}

// find returns the repository's folder.
func find(dir string) (string, error) {
	up := ancestors(dir)
	for _, folder := range up {
		if isFile(filepath.Join(folder, ConfigName)) {
			return folder, nil
		}
	}
	for _, folder := range up {
		if !isFile(filepath.Join(folder, "go.work")) {
			continue
		}
		work, err := openWorkspace(filepath.Join(folder, "go.work"))
		if err != nil {
			return "", err
		}
		if dir == folder || work.reaches(dir, up) {
			return folder, nil
		}
	}
	for _, folder := range up {
		if isFile(filepath.Join(folder, "go.mod")) {
			return folder, nil
		}
	}
	return "", nothing(dir, fmt.Sprintf("no %s, go.work or go.mod in %s or above it", ConfigName, dir))
}

// nothing is the error for a folder without Go code that we know of: it looks
// below the folder and at the files in it, to say what to type next.
func nothing(dir, wrong string) error {
	var paste strings.Builder
	taken := map[string]bool{}
	for _, module := range modulesBelow(dir) {
		name := fit(filepath.Base(module))
		if taken[name] {
			name = fit(slashed(dir, module))
		}
		taken[name] = true
		fmt.Fprintf(&paste, "\n  - {name: %s, dir: %s}", name, slashed(dir, module))
	}
	if paste.Len() > 0 {
		return fmt.Errorf("%s; name the services below it in %s:\nservices:%s", wrong, ConfigName, &paste)
	}
	made := "go mod init example.com/" + fit(filepath.Base(dir))
	if sources, _ := filepath.Glob(filepath.Join(dir, "*.go")); len(sources) > 0 {
		return fmt.Errorf("%s; make a module of its Go files: %s", wrong, made)
	}
	return fmt.Errorf("%s; go to the folder of a Go module, or make one: %s", wrong, made)
}

// modulesBelow returns the folders below dir that hold a go.mod: a few, found
// in the first few thousand folders.
func modulesBelow(dir string) []string {
	const most, folders = 20, 5000
	var found []string
	looked := 0
	filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // it is only a hint
		case !entry.IsDir():
			if entry.Name() == "go.mod" {
				found = append(found, filepath.Dir(path))
			}
		case path == dir:
		case PassedOver(entry.Name()):
			return filepath.SkipDir
		default:
			looked++
		}
		if looked > folders || len(found) == most {
			return filepath.SkipAll
		}
		return nil
	})
	return found
}

// PassedOver tells of a folder, by its name, that Go looks for no packages in it,
// or that it is one of JavaScript's, which are large.
func PassedOver(name string) bool {
	return slices.Contains([]string{"vendor", "testdata", "node_modules"}, name) || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// narrow keeps the services whose main package lies in dir or below it.
func (r *Repository) narrow(dir string) error {
	if dir == r.Dir {
		return nil
	}
	var kept []*Service
	var all []string
	for _, s := range r.Services {
		folder := filepath.Join(s.Dir, filepath.FromSlash(s.Package))
		if within(dir, folder) {
			kept = append(kept, s)
		}
		all = append(all, fmt.Sprintf("%s (%s)", s.Name, slashed(r.Dir, folder)))
	}
	if len(kept) == 0 {
		return fmt.Errorf("no service lies in %s; in %s there are: %s",
			slashed(r.Dir, dir), r.Dir, strings.Join(all, ", "))
	}
	r.Services = kept
	return nil
}

// realFolder returns the absolute path of a folder, free of symbolic links.
func realFolder(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("looking for services: %w", err)
	}
	folder, err := filepath.EvalSymlinks(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no folder %s", abs)
	}
	if err != nil {
		return "", fmt.Errorf("looking for services: %w", err)
	}
	if !isFolder(folder) {
		return "", fmt.Errorf("%s is not a folder", abs)
	}
	return folder, nil
}

// misnamed tells of a configuration that would be passed over without a word.
func misnamed(root string) error {
	if info, err := os.Stat(filepath.Join(root, ConfigName)); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s in %s is not a file", ConfigName, root)
	} else if err == nil {
		return nil
	}
	for _, name := range []string{"temper.yml", ".temper.yaml", ".temper.yml"} {
		if isFile(filepath.Join(root, name)) {
			return fmt.Errorf("%s in %s is not read; rename it: mv %s %s", name, root, name, ConfigName)
		}
	}
	return nil
}
