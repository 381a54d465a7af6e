//go:build !linux

package store

import (
	"io/fs"
	"time"
)

// Changed is when a file was modified last.
func Changed(info fs.FileInfo) time.Time { return info.ModTime() }

// Stamp is empty, for whoever writes a file can choose its time.
func Stamp(fs.FileInfo) string { return "" }
