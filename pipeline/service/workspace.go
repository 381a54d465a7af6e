package service

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"
)

// A workspace is a go.work.
type workspace struct {
	file string
	// uses are the folders of its modules, free of symbolic links.
	uses []string
	// replaces are its replace lines.
	replaces []*modfile.Replace
}

func openWorkspace(file string) (*workspace, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading go.work: %w", err)
	}
	parsed, err := modfile.ParseWork(file, data, nil)
	if err != nil {
		return nil, fmt.Errorf("reading go.work: %w", err)
	}
	w := &workspace{file: file, replaces: parsed.Replace}
	for _, use := range parsed.Use {
		folder := filepath.FromSlash(use.Path)
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(filepath.Dir(file), folder)
		}
		if found, err := filepath.EvalSymlinks(folder); err == nil {
			folder = found
		}
		w.uses = append(w.uses, folder)
	}
	return w, nil
}

// reaches says whether w uses the module that dir belongs to, or, where dir
// belongs to none, one below it.
func (w *workspace) reaches(dir string, up []string) bool {
	if module := owner(up); module != "" {
		return slices.Contains(w.uses, module)
	}
	return slices.ContainsFunc(w.uses, func(use string) bool { return within(dir, use) })
}

// place finds the module and the go.work of a service whose Root, Dir and
// Package are known.
func (s *Service) place() error {
	folder := filepath.Join(s.Dir, filepath.FromSlash(s.Package))
	if s.Module = owner(upTo(s.Root, folder)); s.Module == "" {
		return moduleless(s.Root, folder)
	}
	for _, above := range upTo(s.Root, s.Module) {
		file := filepath.Join(above, "go.work")
		if !isFile(file) {
			continue
		}
		work, err := openWorkspace(file)
		if err != nil {
			return err
		}
		if slices.Contains(work.uses, s.Module) {
			s.Workfile = file
			return nil
		}
	}
	if owner(upTo(s.Root, s.Dir)) != s.Module {
		return fmt.Errorf("package %s belongs to the module in %s; write dir: %s, and package relative to it",
			s.Package, slashed(s.Root, s.Module), slashed(s.Root, s.Module))
	}
	return nil
}

// moduleless is the error for a folder of the repository without a go.mod.
func moduleless(root, folder string) error {
	if module := owner(ancestors(root)); module != "" {
		return fmt.Errorf("go.mod is in %s, above %s; move %s there", module, ConfigName, ConfigName)
	}
	name, change := slashed(root, folder), ""
	if name != "." {
		change = "cd " + name + " && "
	}
	return fmt.Errorf("%s belongs to no module; make it one: %sgo mod init example.com/%s",
		name, change, fit(filepath.Base(folder)))
}
