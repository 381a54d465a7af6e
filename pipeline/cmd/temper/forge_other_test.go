//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

// forge has nothing to alter: elsewhere every binary is read.
func forge(*testscript.TestScript, bool, []string) {}
