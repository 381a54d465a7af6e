package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"temper/pipeline/binary"
	"temper/pipeline/license"
	"temper/pipeline/service"
)

// inputs lists what of the repository goes into a service, as temper services
// --inputs has it. Where Go cannot tell, that is all of it: whoever builds will
// hear the reason.
func inputs(ctx context.Context, repo *service.Repository, svc *service.Service, t *binary.Toolchain) ([]string, error) {
	holders := []string{svc.Root, svc.Module}
	var paths []string
	add := func(path string) {
		if rel, err := filepath.Rel(svc.Root, path); err == nil && filepath.IsLocal(rel) {
			paths = append(paths, filepath.ToSlash(rel))
		}
	}
	for _, platform := range repo.Platforms {
		deps, err := binary.Deps(ctx, svc, platform, t, binary.Options{})
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return []string{"."}, nil
		}
		packages, modules := deps.Folders(svc.Root)
		for _, folder := range packages {
			add(folder)
		}
		holders = append(holders, modules...)
	}
	for _, f := range svc.Files {
		add(f.From)
	}
	for _, folder := range holders {
		for _, name := range license.Named(folder) {
			add(filepath.Join(folder, name))
		}
	}
	return outermost(paths), nil
}

// outermost sorts paths and leaves out those below another.
func outermost(paths []string) []string {
	slices.Sort(paths)
	var kept []string
	for _, path := range slices.Compact(paths) {
		if !slices.ContainsFunc(kept, func(k string) bool { return k == "." || path == k || strings.HasPrefix(path, k+"/") }) {
			kept = append(kept, path)
		}
	}
	return kept
}
