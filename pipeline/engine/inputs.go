package engine

import (
	"context"
	"path"
	"slices"
	"strings"

	"dagger.io/dagger"
)

// moduleFiles are the files that say which modules there are, for all services
// of a repository.
var moduleFiles = []string{"**/go.mod", "**/go.sum", "**/go.work", "**/go.work.sum", "**/vendor/modules.txt"}

// licenceFiles are those of the repository that licences may stand in.
var licenceFiles = []string{"*[Ll][Ii][Cc][Ee][Nn][CcSs]*", "[Cc][Oo][Pp][Yy][Ii][Nn][Gg]*"}

// plan lists the services with what goes into each. Where each has modules of its own,
// temper.yaml and the files of modules say that: it is asked for when one of these has
// changed, and not at every change of the code.
func (p *Pipeline) plan(ctx context.Context) ([]Service, error) {
	c, err := p.building(ctx, p.outline(nil, nil))
	if err != nil {
		return nil, err
	}
	said, err := p.list(ctx, c, "--outline")
	switch {
	case err == nil:
	case said == spoken{}: // the engine's words, and not temper's
		return nil, err
	default: // it wants to see the code
		return p.Services(ctx)
	}
	list, err := listed(said)
	if err != nil {
		return nil, err
	}
	for i := range list {
		svc := &list[i]
		svc.Inputs = slices.Concat(svc.Modules, svc.Files, svc.Manifests)
		together := slices.ContainsFunc(list[:i], func(other Service) bool {
			return overlap(svc.Modules, other.Modules)
		})
		if len(svc.Modules) == 0 || !plain(svc.Inputs) || together {
			return p.Services(ctx)
		}
	}
	return list, nil
}

// overlap tells whether a folder of one is that of the other, or below it.
func overlap(one, other []string) bool {
	return slices.ContainsFunc(one, func(a string) bool {
		return slices.ContainsFunc(other, func(b string) bool {
			return strings.HasPrefix(a+"/", b+"/") || strings.HasPrefix(b+"/", a+"/")
		})
	})
}

// narrowed is the part of the sources that goes into one service, so that a
// change to another leaves the steps of this one as they were.
func (p *Pipeline) narrowed(svc *Service, all []Service) *dagger.Directory {
	if !plain(svc.Inputs) {
		return p.source
	}
	inputs := svc.Inputs
	if len(svc.Modules) > 0 { // of which nobody has said what they are called
		inputs = slices.Concat(inputs, licenceFiles)
	}
	return p.outline(all, inputs)
}

// outline is temper.yaml and some of the sources. What temper.yaml names of the
// others is there by its name alone, for temper wants to find it.
//
// It is filtered and not copied: to an engine what is filtered of a directory is
// known by its content, and what is copied from one by where it comes from. The names
// come in one step, which says nothing of the sources: the engine makes it once.
func (p *Pipeline) outline(all []Service, inputs []string) *dagger.Directory {
	source := p.source.Filter(dagger.DirectoryFilterOpts{
		Include: slices.Concat(moduleFiles, []string{"temper.yaml"}, inputs),
	})
	there := func(name string) bool {
		return slices.ContainsFunc(inputs, func(in string) bool { return in == name || strings.HasPrefix(name, in+"/") })
	}
	names, some := p.client.Directory(), false
	for _, svc := range all {
		if !there(svc.Main) {
			names, some = names.WithNewFile(path.Join(svc.Main, "main.go"), "package main\n"), true
		}
		for _, name := range slices.Concat(svc.Files, svc.Manifests) {
			if !there(name) {
				names, some = names.WithNewDirectory(name), true
			}
		}
	}
	if !some {
		return source
	}
	return source.WithDirectory(".", names)
}

// plain tells whether all of the paths can stand in a list of patterns, and any
// of the sources is left out by it.
func plain(paths []string) bool {
	return len(paths) > 0 && !slices.ContainsFunc(paths, func(p string) bool {
		return p == "." || strings.HasPrefix(p, "!") || strings.ContainsAny(p, `*?[]\`)
	})
}
