//go:build !linux

package main

// userNamespaces tells that there are none.
func userNamespaces() bool { return false }

// unpluggable tells that no process can be started without a network.
func unpluggable() bool { return false }

// unplug is never called.
func unplug() {}
