package service

import (
	"errors"
	"fmt"
	"go/build"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"go.yaml.in/yaml/v3"
)

// packageFolder finds one package relative to dir.
func packageFolder(root, dir, text string) (string, error) {
	if strings.Contains(text, "...") {
		return "", fmt.Errorf("%q is a pattern; write the folder of one package, such as ./cmd/orders", text)
	}
	return insideFolder(root, dir, text)
}

// source makes sure that the service is a main package of a module, and finds
// the module. It reads package clauses and no more: what else is wrong with the
// code is for the compiler to say.
func (d *decoder) source(at *yaml.Node, s *Service, r *Repository) {
	folder := filepath.Join(s.Dir, filepath.FromSlash(s.Package))
	if !d.outline {
		if err := mainPackage(folder, slashed(s.Root, folder), s.BuildTags, r.firstPlatform()); err != nil {
			d.Wrong(at, "%v", err)
			return
		}
	}
	if err := s.place(); err != nil {
		d.Wrong(at, "%v", err)
	}
}

// mainPackage says whether the Go files of folder make a main package.
func mainPackage(folder, called string, tags []string, p v1.Platform) error {
	context := build.Default
	context.GOOS, context.GOARCH, context.CgoEnabled = p.OS, p.Architecture, false
	context.BuildTags = tags
	found, err := context.ImportDir(folder, 0)
	if none := (*build.NoGoError)(nil); errors.As(err, &none) {
		return fmt.Errorf("%s has no Go files for %s without cgo; write the folder of a main package", called, p)
	}
	if found != nil && found.Name != "" && found.Name != "main" {
		return fmt.Errorf("%s is package %s, not main; write the folder of a main package", called, found.Name)
	}
	return nil
}
