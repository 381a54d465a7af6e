package service

import (
	"os"
	"path/filepath"
)

// ancestors returns dir and the folders above it, up to the one that contains
// .git, which is a folder in a clone and a file in a worktree.
func ancestors(dir string) []string {
	up := []string{dir}
	for {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return up
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return up
		}
		dir = parent
		up = append(up, dir)
	}
}

// owner returns the first of the folders that holds a go.mod, or nothing.
func owner(up []string) string {
	for _, folder := range up {
		if isFile(filepath.Join(folder, "go.mod")) {
			return folder
		}
	}
	return ""
}

// upTo returns the folders from dir up to root, both inclusive.
func upTo(root, dir string) []string {
	up := []string{dir}
	for dir != root && filepath.Dir(dir) != dir {
		dir = filepath.Dir(dir)
		up = append(up, dir)
	}
	return up
}
