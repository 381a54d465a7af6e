package service

import (
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"
)

// Inputs are the folders of the repository whose code may go into the service,
// and those of the modules that they belong to, sorted: its main package and what
// that imports, for every platform and build tag. A vendor folder is among them
// as a whole. What only a module from elsewhere imports, by a replace line, is not.
//
// It reads the imports itself, and is done long before Go has listed packages.
func (s *Service) Inputs() (packages, modules []string, err error) {
	local, err := s.localModules()
	if err != nil {
		return nil, nil, err
	}
	main := filepath.Join(s.Dir, filepath.FromSlash(s.Package))
	seen := map[string]bool{main: true}
	used := map[string]bool{s.Module: true}
	for queue := []string{main}; len(queue) > 0; queue = queue[1:] {
		imports, err := importsIn(queue[0])
		if err != nil {
			return nil, nil, err
		}
		for _, path := range imports {
			module, folder := local.find(path)
			if folder == "" || seen[folder] || !isFolder(folder) {
				continue
			}
			seen[folder], used[module] = true, true
			queue = append(queue, folder)
		}
	}
	for _, dir := range []string{s.Module, filepath.Dir(s.Workfile)} {
		if vendor := filepath.Join(dir, "vendor"); isFile(filepath.Join(vendor, "modules.txt")) && within(s.Root, vendor) {
			seen[vendor] = true
		}
	}
	return keysOf(seen), keysOf(used), nil
}

func keysOf(set map[string]bool) []string {
	var list []string
	for key := range set {
		list = append(list, key)
	}
	slices.Sort(list)
	return list
}

// localModules are folders of the repository by the paths of their modules.
type localModules map[string]string

// find returns the folders of an import's module and package, empty for what is
// not in the repository.
func (l localModules) find(path string) (module, folder string) {
	best := ""
	for name := range l {
		if (path == name || strings.HasPrefix(path, name+"/")) && len(name) > len(best) {
			best = name
		}
	}
	if best == "" {
		return "", ""
	}
	return l[best], filepath.Join(l[best], filepath.FromSlash(strings.TrimPrefix(path, best)))
}

// localModules are the service's own, those of its go.work, and those that a
// replace line of any of them leads to.
func (s *Service) localModules() (localModules, error) {
	local := make(localModules)
	add := func(from, path, folder string) {
		if folder = filepath.FromSlash(folder); !filepath.IsAbs(folder) {
			folder = filepath.Join(from, folder)
		}
		if within(s.Root, folder) {
			local[path] = folder
		}
	}
	replaced := func(from string, lines []*modfile.Replace) {
		for _, r := range lines {
			if r.New.Version == "" {
				add(from, r.Old.Path, r.New.Path)
			}
		}
	}
	mains := []string{s.Module}
	if s.Workfile != "" {
		work, err := openWorkspace(s.Workfile)
		if err != nil {
			return nil, err
		}
		replaced(filepath.Dir(s.Workfile), work.replaces)
		mains = append(mains, work.uses...)
	}
	for _, dir := range mains {
		file := filepath.Join(dir, "go.mod")
		raw, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		mod, err := modfile.Parse(file, raw, nil)
		if err != nil {
			return nil, err
		}
		replaced(dir, mod.Replace)
		if mod.Module != nil {
			add(dir, mod.Module.Mod.Path, dir)
		}
	}
	return local, nil
}

// importsIn are the imports of a folder's Go files, tests aside.
func importsIn(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(e.Name(), "_") { // Go passes over them
			continue
		}
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") || e.IsDir() {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(folder, e.Name()), nil, parser.ImportsOnly)
		if err != nil {
			return nil, err
		}
		for _, spec := range file.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err == nil {
				paths = append(paths, path)
			}
		}
	}
	return paths, nil
}
