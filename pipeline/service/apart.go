package service

import (
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// apart makes sure that no file of the image is written twice, or is the
// folder of another.
func (d *decoder) apart(workdir *yaml.Node, files []*yaml.Node, s *Service) {
	if workdir != nil && below(s.Path, s.Workdir) {
		d.Wrong(workdir, "workdir %s is no folder: the binary stands at %s", s.Workdir, s.Path)
	}
	for i, f := range s.Files {
		single := isFile(f.From)
		switch {
		case below(s.Path, f.To):
			d.Wrong(files[i], "to %s is taken: the binary stands at %s", f.To, s.Path)
		case single && below(f.To, s.Path):
			d.Wrong(files[i], "to %s is a file, and the binary stands at %s below it", f.To, s.Path)
		case single && workdir != nil && below(f.To, s.Workdir):
			d.Wrong(files[i], "to %s is a file, and workdir %s wants a folder", f.To, s.Workdir)
		case !single && below(f.To, s.Path) && present(f, s.Path):
			d.Wrong(files[i], "%s has a file where the binary stands, %s", slashed(s.Root, f.From), s.Path)
		}
		for _, other := range s.Files[:i] {
			switch {
			case other.To == f.To:
				d.Wrong(files[i], "to %s stands twice", f.To)
			case single && below(f.To, other.To), below(other.To, f.To) && isFile(other.From):
				d.Wrong(files[i], "to %s and to %s do not go together: the upper is a file", f.To, other.To)
			}
		}
	}
}

// present says whether the folder f holds what would stand at p.
func present(f Files, p string) bool {
	rel := strings.TrimPrefix(strings.TrimPrefix(p, f.To), "/")
	_, err := os.Lstat(filepath.Join(f.From, filepath.FromSlash(rel)))
	return err == nil
}
