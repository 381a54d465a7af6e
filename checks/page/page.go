// Package page writes reports as one page of HTML, for those who would rather
// look than read.
//
// A [Page] is a plain value: the reports, and what is known of the images that
// they are about. [Write] turns it into a file that is complete in itself: it
// loads nothing and may load nothing, for its Content-Security-Policy allows
// nothing but its own style and script, by their hashes. Without the script it
// shows the same. The same value gives the same bytes.
//
// What an image says of itself is written as text whatever it is, with what
// does not print escaped and what is very long cut. There is an end to the
// page as well: what is small is folded into "others" and counted, and the more
// services there are, the more is folded.
package page

import "temper/checks"

// A Page is what there is to show.
type Page struct {
	// Version is Temper's own.
	Version string
	// Strict tells that warnings fail.
	Strict bool
	// Rules are all that Temper knows, in the order to show them in. Those of
	// them that a report does not name have not looked at its subject.
	Rules []checks.Rule
	// Services are in the order to show them in.
	Services []Service
}

// A Service is one subject that was judged.
type Service struct {
	// Report is what the rules found, with waivers and baseline applied.
	Report *checks.Report
	// Platforms are the images of the subject.
	Platforms []Platform
	// Provenance is nil where nothing tells it.
	Provenance *Provenance
}

// A Platform is one image.
type Platform struct {
	// Name is os/arch.
	Name string
	// Digest is that of the image's manifest.
	Digest string
	// User, Workdir, Command and Ports are those of the configuration.
	User, Workdir  string
	Command, Ports []string
	// Layers are in the order of the image, the lowest first.
	Layers []Layer
	// Binary is what the image starts, nil where that is not known.
	Binary *Binary
}

// A Layer is what one layer adds.
type Layer struct {
	Files []File
}

// A File is content that a layer holds.
type File struct {
	// Path is absolute.
	Path string
	// Size is in bytes, uncompressed.
	Size int64
	// Hidden tells that a layer above deletes or replaces it: no container sees
	// it, and whoever pulls the image has it.
	Hidden bool
}

// A Binary is an executable and what its bytes are.
type Binary struct {
	// Path is where it stands in the image.
	Path string
	// Size is in bytes.
	Size int64
	// Go is the release that compiled it, empty where the binary does not say.
	Go string
	// Modules are those whose code is linked in, in any order.
	Modules []Module
	// Parts are what is no Go code.
	Parts []Part
	// Unknown says why nobody knows what the bytes are, empty if they are known.
	Unknown string
}

// A Kind says whose code a module is.
type Kind int

const (
	// Dependency is code that the service requires.
	Dependency Kind = iota
	// Own is the service's own.
	Own
	// Library is the standard library.
	Library
	// Nameless is code of no module that the binary names.
	Nameless
)

// A Module is one that is linked in.
type Module struct {
	Kind Kind
	// Path is the module's, or what to call it.
	Path string
	// Version is empty where the binary gives none.
	Version string
	// Replaced says what was compiled in its place, empty if it was itself.
	Replaced string
	// Bytes are those of its machine code.
	Bytes int64
	// Packages are its packages, by import path.
	Packages []Part
}

// A Part is a named number of bytes.
type Part struct {
	Name  string
	Bytes int64
}

// A Provenance says where an image came from.
type Provenance struct {
	// Claimed says on whose word, empty for the very command that writes the
	// page.
	Claimed string
	// Source is the repository's address, Commit its commit, each empty where
	// nobody knows; Dirty tells that what was compiled differed from it.
	Source, Commit string
	Dirty          bool
	// Go is the release that compiled, and Chosen what named it.
	Go, Chosen string
	// Base and BaseDigest name the image that it stands on.
	Base, BaseDigest string
	// Builder is who vouches for it.
	Builder string
	// Modules is how many modules went into it.
	Modules int
}
