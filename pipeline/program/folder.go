package program

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"temper/checks/sources"
	"temper/pipeline/binary"
	"temper/pipeline/service"
)

// A BrokenError says, in Go's words, why a program is not looked at.
type BrokenError struct {
	// Folder is where it lies, and Tags are the build tags that its files were chosen by.
	Folder string
	Tags   []string
	// Said is one for each thing that is wrong, with its file and line.
	Said []string
}

func (e *BrokenError) Error() string {
	build := "GOOS=linux CGO_ENABLED=0 go build"
	if len(e.Tags) > 0 {
		build += " -tags=" + strings.Join(e.Tags, ",")
	}
	return fmt.Sprintf("the packages in %s do not compile, so nobody has looked at them:\n%s\nmend them until this is quiet: %s ./...",
		e.Folder, strings.Join(e.Said, "\n"), build)
}

// ErrNone tells that there is no package for an image in a folder.
var ErrNone = errors.New("no Go package for linux without cgo")

// Repository returns the programs of a repository's services: for each go.work, or
// module that none uses, and each choice of build tags, all packages of it.
func Repository(ctx context.Context, repo *service.Repository) ([]*sources.Program, error) {
	type folder struct{ dir, tags string }
	var folders []folder
	for _, svc := range repo.Services {
		dir := svc.Module
		if svc.Workfile != "" {
			dir = filepath.Dir(svc.Workfile)
		}
		if f := (folder{dir, strings.Join(svc.BuildTags, ",")}); !slices.Contains(folders, f) {
			folders = append(folders, f)
		}
	}
	var all []*sources.Program
	for _, f := range folders {
		p, err := Folder(ctx, repo.Dir, f.dir, strings.FieldsFunc(f.tags, func(r rune) bool { return r == ',' }))
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// Folder returns the program that all packages of the go.work or module in a folder
// make, with the files that build tags choose and without tests. Files are named relative
// to the root, which the folder is or lies in. Packages of the repository that need cgo,
// and those that need them, are left out as they are from an image; the program names
// them. Where nothing remains the error is [ErrNone].
func Folder(ctx context.Context, root, folder string, tags []string) (*sources.Program, error) {
	root, err := real(root)
	if err != nil {
		return nil, err
	}
	if folder, err = real(folder); err != nil {
		return nil, err
	}
	var all, with []*binary.Package
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		all, err = list(gctx, folder, false, append(binary.ListArguments(tags), "-e", "-pgo=off"))
		return err
	})
	g.Go(func() (err error) {
		with, err = listWithCgo(gctx, folder, tags)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	without := needCgo(root, all, with)
	all = slices.DeleteFunc(all, func(p *binary.Package) bool { return without[p.ImportPath] })
	if said := wrong(folder, all); len(said) > 0 {
		return nil, &BrokenError{folder, tags, said}
	}
	p, err := assemble(root, "amd64", all)
	if err != nil {
		return nil, err
	}
	if len(p.Packages) == 0 {
		return nil, fmt.Errorf("%s: %w", folder, ErrNone)
	}
	p.Without = slices.Sorted(maps.Keys(without))
	return p, nil
}

// real is a folder as Go names it.
func real(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

func list(ctx context.Context, folder string, cgo bool, args []string) ([]*binary.Package, error) {
	out, err := service.AboutPackages(ctx, folder, cgo, args...)
	if err != nil {
		return nil, fmt.Errorf("listing the packages in %s: %w", folder, err)
	}
	all, err := binary.ParsePackages(out)
	if err != nil {
		return nil, fmt.Errorf("listing the packages in %s: %w", folder, err)
	}
	return all, nil
}

// listWithCgo lists the packages that are there with cgo.
func listWithCgo(ctx context.Context, folder string, tags []string) ([]*binary.Package, error) {
	args := []string{"list", "-e", "-find", "-json=ImportPath,Dir,CgoFiles,Module"}
	if len(tags) > 0 {
		args = append(args, "-tags="+strings.Join(tags, ","))
	}
	return list(ctx, folder, true, args)
}

// needCgo returns the packages of the repository that are not there without cgo, or are
// not whole and do not compile, and those that import them.
func needCgo(root string, all, with []*binary.Package) map[string]bool {
	whole := make(map[string]bool)
	for _, p := range all {
		whole[p.ImportPath] = p.Error == nil
	}
	without := make(map[string]bool)
	for _, p := range with {
		if len(p.CgoFiles) > 0 && p.Own(root) && !whole[p.ImportPath] {
			without[p.ImportPath] = true
		}
	}
	for _, p := range all { // after what they import
		if slices.ContainsFunc(p.Direct(), func(path string) bool { return without[path] }) {
			without[p.ImportPath] = true
		}
	}
	return without
}

// wrong says what is, once and in the order of the packages.
func wrong(folder string, all []*binary.Package) []string {
	var said []string
	for _, p := range all {
		if p.Error == nil {
			continue
		}
		text := strings.TrimSpace(p.Error.Err)
		// Go puts the package before what its compiler says.
		if first, rest, ok := strings.Cut(text, "\n"); ok && strings.HasPrefix(first, "# ") {
			text = rest
		}
		if p.Error.Pos != "" && !strings.HasPrefix(text, p.Error.Pos) {
			text = p.Error.Pos + ": " + text
		}
		text = strings.ReplaceAll(text, folder+string(filepath.Separator), "")
		if !slices.Contains(said, text) {
			said = append(said, text)
		}
	}
	return said
}
