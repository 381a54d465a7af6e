//go:build unix

package temper_test

import "syscall"

// narrowUmask makes new files private until the function it returns is called.
func narrowUmask() (restore func()) {
	old := syscall.Umask(0o077)
	return func() { syscall.Umask(old) }
}
