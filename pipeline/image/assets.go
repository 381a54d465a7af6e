package image

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"unicode/utf8"

	"temper/pipeline/service"
)

// assets returns the static files of a service. What they are on disk beside
// their names and their content does not matter: a file is read-only and never
// executable, everything belongs to root.
//
// A symbolic link stays one, if it leads to something below the folder that is
// copied; no link is followed out of the folder, nor out of the repository.
// What git and Temper keep for themselves, .git and .temper, is left out.
func assets(svc *service.Service) ([]entry, error) {
	if len(svc.Files) == 0 {
		return nil, nil
	}
	repository, err := os.OpenRoot(svc.Root)
	if err != nil {
		return nil, err
	}
	defer repository.Close()
	var entries []entry
	for _, f := range svc.Files {
		found, err := gather(repository, f)
		if err != nil {
			return nil, fmt.Errorf("files of %s: %w", svc.Name, err)
		}
		entries = append(entries, found...)
	}
	return entries, nil
}

// gather returns one file, or a folder and all below it.
func gather(repository *os.Root, f service.Files) ([]entry, error) {
	from, err := filepath.Rel(repository.Name(), f.From)
	if err != nil || !filepath.IsLocal(from) {
		return nil, fmt.Errorf("%s is outside of the repository %s", f.From, repository.Name())
	}
	info, err := repository.Stat(from)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.From, bare(err))
	}
	if !info.IsDir() {
		e, err := asset(repository, from, f.To, info)
		return []entry{e}, err
	}
	folder, err := repository.OpenRoot(from)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.From, bare(err))
	}
	defer folder.Close()
	var entries []entry
	err = fs.WalkDir(folder.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", f.From, err)
		}
		switch d.Name() {
		case ".git", ".temper":
			// The history, and the images that were built before: no files of the
			// service, and other ones at every build.
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil // a submodule's or a worktree's, with a path of this machine
		}
		info, err := d.Info()
		if err != nil {
			return fmt.Errorf("%s: %w", f.From, err)
		}
		var e entry
		to, at := path.Join(f.To, name), filepath.Join(from, filepath.FromSlash(name))
		if d.Type()&fs.ModeSymlink != 0 {
			e, err = link(folder, name, at, to)
		} else {
			e, err = asset(repository, at, to, info)
		}
		entries = append(entries, e)
		return err
	})
	return entries, err
}

// asset returns the entry of a file or a folder, whose place is relative to
// the repository.
func asset(repository *os.Root, at, to string, info fs.FileInfo) (entry, error) {
	e := entry{path: to, from: "asset " + filepath.ToSlash(at)}
	if !utf8.ValidString(to) {
		return e, fmt.Errorf("%q is not UTF-8; no image can hold that name", to)
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		e.kind, e.mode = tar.TypeDir, dirMode
	case mode.IsRegular():
		e.kind, e.mode, e.size = tar.TypeReg, fileMode, info.Size()
		root := repository.Name()
		e.open = func() (io.ReadCloser, error) { return os.OpenInRoot(root, at) }
	default:
		return e, fmt.Errorf("%s is a special file (%s); only files, folders and links can be copied", at, mode.Type())
	}
	return e, nil
}

// link returns the entry of a symbolic link in a folder.
func link(folder *os.Root, name, at, to string) (entry, error) {
	target, err := folder.Readlink(name)
	if err != nil {
		return entry{}, fmt.Errorf("%s: %w", at, bare(err))
	}
	if filepath.IsAbs(target) || path.IsAbs(target) {
		return entry{}, fmt.Errorf("%s leads to %s, a path of this machine; make the link relative", at, target)
	}
	if _, err := folder.Stat(name); err != nil { // follows, but not out of the folder
		return entry{}, fmt.Errorf("%s leads to %s, which is not in the folder that is copied: %w", at, target, bare(err))
	}
	return entry{path: to, kind: tar.TypeSymlink, mode: linkMode, link: filepath.ToSlash(target), from: "asset " + filepath.ToSlash(at)}, nil
}
