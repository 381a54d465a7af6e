//go:build !linux

package main

// userNamespaces tells that there are none.
func userNamespaces() bool { return false }
