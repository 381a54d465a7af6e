package main

import (
	"path/filepath"
	"slices"
	"strings"

	"temper/pipeline/license"
	"temper/pipeline/service"
)

// inputs lists what of the repository goes into a service, as temper services
// --inputs has it. Where that cannot be told, it is all of it: whoever builds will
// hear the reason.
func inputs(svc *service.Service) []string {
	packages, modules, err := svc.Inputs()
	if err != nil {
		return []string{"."}
	}
	var paths []string
	for _, folder := range packages {
		paths = append(paths, relative(svc.Root, folder))
	}
	for _, f := range svc.Files {
		paths = append(paths, relative(svc.Root, f.From))
	}
	for _, path := range svc.Manifests { // the build looks at them
		paths = append(paths, relative(svc.Root, path))
	}
	for _, folder := range append(modules, svc.Root) {
		for _, name := range license.Named(folder) {
			paths = append(paths, relative(svc.Root, filepath.Join(folder, name)))
		}
	}
	return outermost(paths)
}

// outermost sorts paths and leaves out those below another.
func outermost(paths []string) []string {
	slices.Sort(paths)
	var kept []string
	for _, path := range slices.Compact(paths) {
		if !slices.ContainsFunc(kept, func(k string) bool { return k == "." || strings.HasPrefix(path, k+"/") }) {
			kept = append(kept, path)
		}
	}
	return kept
}
