package binary

import (
	"io/fs"
	"syscall"
	"time"
)

// changed is when a file last became what it is. Whoever writes a file can choose its
// time of modification, and not this one.
func changed(info fs.FileInfo) time.Time {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(int64(stat.Ctim.Sec), int64(stat.Ctim.Nsec)) // 32 bits on some
	}
	return info.ModTime()
}
