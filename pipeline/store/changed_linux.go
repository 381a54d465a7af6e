package store

import (
	"fmt"
	"io/fs"
	"syscall"
	"time"
)

// Changed is when a file last became what it is. Whoever writes a file can choose its
// time of modification, and not this one.
func Changed(info fs.FileInfo) time.Time {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(int64(stat.Ctim.Sec), int64(stat.Ctim.Nsec)) // 32 bits on some
	}
	return info.ModTime()
}

// Stamp is another one for each writing of a file, and each file: its number, its size, and
// when it last became what it is. Empty where that cannot be told.
func Stamp(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return ""
	}
	return fmt.Sprintf("%d:%d:%d:%d", stat.Dev, stat.Ino, info.Size(), Changed(info).UnixNano())
}
