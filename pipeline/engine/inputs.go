package engine

import (
	"path"
	"slices"
	"strings"

	"dagger.io/dagger"
)

// moduleFiles are the files that say which modules there are, for all services
// of a repository.
var moduleFiles = []string{"**/go.mod", "**/go.sum", "**/go.work", "**/go.work.sum", "**/vendor/modules.txt"}

// narrowed is the part of the sources that goes into one service, so that a
// change to another leaves the steps of this one as they were.
func (p *Pipeline) narrowed(svc *Service, all []Service) *dagger.Directory {
	if !plain(svc.Inputs) {
		return p.source
	}
	return p.outline(all, svc.Inputs)
}

// outline is temper.yaml and some of the sources. What temper.yaml names of the
// others is there by its name alone, for temper wants to find it.
//
// It is filtered and not copied: to an engine what is filtered of a directory is
// known by its content, and what is copied from one by where it comes from.
func (p *Pipeline) outline(all []Service, inputs []string) *dagger.Directory {
	source := p.source.Filter(dagger.DirectoryFilterOpts{
		Include: slices.Concat(moduleFiles, []string{"temper.yaml"}, inputs),
	})
	there := func(name string) bool {
		return slices.ContainsFunc(inputs, func(in string) bool { return in == name || strings.HasPrefix(name, in+"/") })
	}
	for _, svc := range all {
		if !there(svc.Main) {
			source = source.WithNewFile(path.Join(svc.Main, "main.go"), "package main\n")
		}
		for _, name := range slices.Concat(svc.Files, svc.Manifests) {
			if !there(name) {
				source = source.WithNewDirectory(name)
			}
		}
	}
	return source
}

// plain tells whether all of the paths can stand in a list of patterns, and any
// of the sources is left out by it.
func plain(paths []string) bool {
	return len(paths) > 0 && !slices.ContainsFunc(paths, func(p string) bool {
		return p == "." || strings.HasPrefix(p, "!") || strings.ContainsAny(p, `*?[]\`)
	})
}
