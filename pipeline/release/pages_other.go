//go:build !linux

package release

// largePages is for systems where memory in large pages has to be asked for.
func largePages() {}
