package service

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"temper/pipeline/strict"
)

// An Outline is what a temper.yaml tells without the sources that it speaks of.
type Outline struct {
	// Go is the release that it asks for, such as "1.26.8"; empty if it asks for
	// none.
	Go string
	// Folders are those of the main packages, relative to temper.yaml, with
	// slashes; none if it names no services.
	Folders []string
}

// ReadOutline reads the outline of a temper.yaml, which is empty if there is no
// such file. What else stands there is not looked at.
func ReadOutline(file string) (Outline, error) {
	var o Outline
	data, err := strict.Read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return o, err
	}
	d := decoding()
	if root := d.Parse(data); root != nil {
		unread := func(*yaml.Node) {}
		d.Mapping(root, ConfigName, "go: 1.26.8", strict.Keys{
			"base": unread, "platforms": unread, "created": unread, "release": unread, "waive": unread,
			"go": func(v *yaml.Node) { o.Go = strict.Value(&d.Decoder, v, "go", parseRelease) },
			"services": func(v *yaml.Node) {
				for _, item := range v.Content {
					o.Folders = append(o.Folders, folderIn(strict.Resolve(item)))
				}
			},
		})
	}
	return o, d.Err()
}

// folderIn returns the folder of a service's main package, and nothing of what is
// wrong there.
func folderIn(item *yaml.Node) string {
	var dir, pkg string
	for i := 0; item.Kind == yaml.MappingNode && i+1 < len(item.Content); i += 2 {
		switch item.Content[i].Value {
		case "dir":
			dir = strict.Resolve(item.Content[i+1]).Value
		case "package":
			pkg = strict.Resolve(item.Content[i+1]).Value
		}
	}
	return path.Join(dir, pkg)
}

// LoadOutline is [Load] for a folder that holds temper.yaml and the go.work and go.mod
// files of a repository, and perhaps nothing else: whatever else temper.yaml names is
// taken to be there, and it has to name the services.
func LoadOutline(dir string, rules ...string) (*Repository, error) {
	dir, err := realFolder(dir)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, ConfigName)
	if !isFile(file) {
		return nil, fmt.Errorf("there is no %s in %s", ConfigName, dir)
	}
	repo := &Repository{Dir: dir, Config: file, Base: BuiltinBase, Platforms: defaultPlatforms(), outline: true}
	if err := repo.configure(rules); err != nil {
		return nil, err
	}
	if len(repo.Services) == 0 {
		return nil, fmt.Errorf("%s names no services: which there are the sources alone say", ConfigName)
	}
	slices.SortFunc(repo.Services, func(a, b *Service) int { return cmp.Compare(a.Name, b.Name) })
	return repo, nil
}

// outlined takes a path that is not there, and that text names relative to a folder, to
// be there if only the outline is.
func (d *decoder) outlined(from, text string) func(found string, err error) (string, error) {
	return func(found string, err error) (string, error) {
		var missing absent
		if d.outline && errors.As(err, &missing) {
			return filepath.Join(from, filepath.FromSlash(text)), nil
		}
		return found, err
	}
}

// LocalModules are the folders of the repository, sorted, of all modules whose code may
// go into the service: its own, those of its go.work, and those that a replace line of
// any of them leads to. A vendor folder of the go.work is among them.
func (s *Service) LocalModules() ([]string, error) {
	local, err := s.localModules()
	if err != nil {
		return nil, err
	}
	all := map[string]bool{s.Module: true}
	for _, folder := range local {
		all[folder] = true
	}
	if s.Workfile != "" {
		all[filepath.Join(filepath.Dir(s.Workfile), "vendor")] = true
	}
	return keysOf(all), nil
}
