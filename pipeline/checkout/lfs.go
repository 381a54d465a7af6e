package checkout

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// What stands in a commit for a file in Git LFS.
// https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md#the-pointer
const (
	pointerStart = "version https://git-lfs.github.com/spec/"
	pointerSize  = 1024 // they are smaller
)

// Elsewhere lists the files of the tree whose content is in Git LFS, relative
// to its root, with slashes.
func (t *Tree) Elsewhere() ([]string, error) {
	var found []string
	root, err := os.OpenRoot(t.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path == ".git":
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil || info.Size() >= pointerSize || info.Size() < int64(len(pointerStart)) {
			return err
		}
		f, err := root.Open(filepath.FromSlash(path))
		if err != nil {
			return err
		}
		defer f.Close()
		start := make([]byte, len(pointerStart))
		if _, err := io.ReadFull(f, start); err != nil {
			return err
		}
		if strings.HasPrefix(string(start), pointerStart) {
			found = append(found, path)
		}
		return nil
	})
	return found, err
}
