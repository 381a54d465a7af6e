//go:build !linux

package binary

import (
	"io/fs"
	"time"
)

// changed is when a file was modified last.
func changed(info fs.FileInfo) time.Time { return info.ModTime() }

// stamp is empty, for whoever writes a file can choose its time.
func stamp(fs.FileInfo) string { return "" }
