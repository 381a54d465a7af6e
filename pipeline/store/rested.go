package store

import (
	"io/fs"
	"time"
)

// Grace is how long a file must have rested for its [Stamp] to tell it from what will be
// written to it: a clock of a file system is as coarse as this.
const Grace = 100 * time.Millisecond

// Rested is the stamp of a file that nobody has written to lately, else empty.
func Rested(info fs.FileInfo) string {
	if time.Since(Changed(info)) < Grace {
		return ""
	}
	return Stamp(info)
}
