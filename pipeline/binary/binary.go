// Package binary compiles services hermetically and knows an executable by
// looking at it.
//
// [Build] runs the Go command with an environment that it makes itself and a
// build cache that belongs to one service and platform alone. [Open] reads the
// executable that came out, whoever compiled it, and returns a [Binary] only
// if it is fit for an image.
package binary

import (
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks/executables"
)

// A Binary is a static, stripped, cgo-free Go executable for one platform.
type Binary struct {
	// Path is where it lies on this machine.
	Path string
	// Platform is what it runs on.
	Platform v1.Platform
	// Digest is the SHA-256 of its content.
	Digest v1.Hash
	// Size is in bytes.
	Size int64
	// Facts are what the file says of itself.
	Facts *executables.Facts
	// Inputs name all that went into it, by content; empty where that is not known.
	Inputs string
	// Why says what made [Build] compile: what has changed since the last build. It is
	// empty where nothing has, and that build's binary was taken.
	Why []string

	// held is its content, nil if that is not held.
	held  []byte
	began time.Time // when it was compiled, zero where it was not
	// known is what Go would say that it is made of, if that could be told before it was
	// compiled; nil where Go has to be asked.
	known func() *Imports
}

// Modules lists the paths of the modules that are linked in beside the main one,
// those of replaced modules as well; none where there is no build info.
func (b *Binary) Modules() []string { return executables.Modules(b.Facts) }
