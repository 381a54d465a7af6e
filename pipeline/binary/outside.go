package binary

import (
	"os"
	"path/filepath"
	"slices"

	"temper/pipeline/service"
)

// Outside lists the folders and files outside of the repository from which code
// goes into the service: those that a replace line or go.work names, and those to
// which links among its sources lead. No commit of the repository says what is in
// them.
func Outside(svc *service.Service, bins ...*Binary) ([]string, error) {
	var found []string
	add := func(from, path string) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(from, filepath.FromSlash(path))
		}
		if !inside(svc.Root, path) && !slices.Contains(found, path) {
			found = append(found, path)
		}
	}
	if svc.Workfile != "" {
		work, err := parseWork(svc.Workfile)
		if err != nil {
			return nil, err
		}
		for _, use := range work.Use {
			add(filepath.Dir(svc.Workfile), use.Path)
		}
	}
	for _, bin := range bins {
		if bin.Facts.Go == nil {
			continue
		}
		for _, m := range bin.Facts.Go.Deps {
			if m.Replace != nil && (m.Replace.Version == "" || m.Replace.Version == "(devel)") {
				from := svc.Module
				if svc.Workfile != "" {
					from = filepath.Dir(svc.Workfile)
				}
				add(from, m.Replace.Path)
			}
		}
	}
	linked, err := linkedFrom(svc)
	if err != nil {
		return nil, err
	}
	for _, path := range linked {
		add("", path)
	}
	return found, nil
}

// linkedFrom lists where the links lead that Go follows to the service's code:
// folders of packages, and files in them. One that leads nowhere holds no code.
func linkedFrom(svc *service.Service) ([]string, error) {
	root, err := filepath.EvalSymlinks(svc.Root)
	if err != nil {
		return nil, err
	}
	packages, modules, err := svc.Inputs()
	if err != nil {
		// Go has compiled it, and passes over what cannot be read here; whoever
		// cannot tell does not vouch.
		return []string{err.Error()}, nil
	}
	var led []string
	follow := func(path string) {
		if at, err := filepath.EvalSymlinks(path); err == nil && !inside(root, at) {
			led = append(led, at)
		}
	}
	for _, folder := range slices.Concat(packages, modules) {
		follow(folder)
		entries, err := os.ReadDir(folder)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.Type()&os.ModeSymlink != 0 {
				if path := filepath.Join(folder, e.Name()); !isFolder(path) {
					follow(path)
				}
			}
		}
	}
	return led, nil
}

// isFolder tells whether a path leads to a folder: one that is a package is among
// a service's inputs by itself.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func inside(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && filepath.IsLocal(rel)
}
