package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode"

	"temper/checks/pattern"
)

// inside returns the absolute path, free of symbolic links, of what text names
// relative to the folder from. It exists and does not leave root.
func inside(root, from, text string) (string, error) {
	if err := relative(text); err != nil {
		return "", err
	}
	joined := filepath.Join(from, filepath.FromSlash(text))
	if !within(root, joined) {
		return "", fmt.Errorf("%q leaves the repository", text)
	}
	found, err := filepath.EvalSymlinks(joined)
	if errors.Is(err, fs.ErrNotExist) {
		return "", absent(slashed(root, joined))
	}
	if err != nil {
		return "", fmt.Errorf("looking at %q: %w", text, err)
	}
	if !within(root, found) {
		return "", fmt.Errorf("%q leads outside the repository through a symbolic link", text)
	}
	return found, nil
}

// absent is a path of a repository in which it is not.
type absent string

func (a absent) Error() string { return fmt.Sprintf("there is no %s in the repository", string(a)) }

// insideFolder is inside for what must be a folder.
func insideFolder(root, from, text string) (string, error) {
	found, err := inside(root, from, text)
	if err == nil && !isFolder(found) {
		err = fmt.Errorf("%q is not a folder", text)
	}
	return found, err
}

// insideFile is inside for what must be a file, relative to root.
func insideFile(root, text string) (string, error) {
	found, err := inside(root, root, text)
	if err == nil && !isFile(found) {
		err = fmt.Errorf("%q is not a file", text)
	}
	return found, err
}

var drive = pattern.New(`^[A-Za-z]:`)

// relative says whether text is a relative path with slashes, as it reads on
// every system.
func relative(text string) error {
	switch {
	case text == "":
		return errors.New(`an empty path; write "." for this folder`)
	case strings.Contains(text, `\`):
		return fmt.Errorf("%q has a backslash; write paths with slashes", text)
	case path.IsAbs(text), drive().MatchString(text):
		return fmt.Errorf("%q is absolute; write a path inside the repository", text)
	case strings.ContainsFunc(text, unicode.IsControl):
		return fmt.Errorf("%q has a control character", text)
	}
	return nil
}

// parseImagePath takes an absolute, clean path with slashes.
func parseImagePath(text string) (string, error) {
	switch {
	case strings.Contains(text, `\`), drive().MatchString(text):
		return "", fmt.Errorf("%q is not a path of Linux; write it with slashes, from / on", text)
	case !path.IsAbs(text):
		return "", fmt.Errorf("%q is not absolute; write %q", text, path.Join("/", text))
	case path.Clean(text) != text:
		return "", fmt.Errorf("%q is not clean; write %q", text, path.Clean(text))
	case strings.ContainsFunc(text, unicode.IsControl):
		return "", fmt.Errorf("%q has a control character", text)
	}
	return text, nil
}

// parseBinaryPath is parseImagePath for what is not a folder.
func parseBinaryPath(text string) (string, error) {
	if text == "/" {
		return "", errors.New(`"/" is a folder; write the path of the binary, such as /usr/local/bin/orders`)
	}
	return parseImagePath(text)
}

// below says whether the image path p is folder or lies below it.
func below(folder, p string) bool {
	return p == folder || folder == "/" || strings.HasPrefix(p, folder+"/")
}

// within says whether path is folder or lies below it.
func within(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(rel)
}

// slashed is path as people write it in temper.yaml, relative to root.
func slashed(root, path string) string {
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(rel)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
