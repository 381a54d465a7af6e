// Package executables reads what an executable says of itself, from its ELF
// headers and its Go build info, and holds the rules about it.
package executables

import "runtime/debug"

// Facts are what an ELF executable says of itself.
type Facts struct {
	// Arch is the Go name of the machine, such as "amd64"; empty where the
	// machine is none that Go compiles for.
	Arch string
	// Interpreter is the path in PT_INTERP, empty for a static executable.
	Interpreter string
	// Dynamic tells whether there is a dynamic section or segment.
	Dynamic bool
	// Symbols and DWARF tell whether a symbol table and debugging sections are
	// there.
	Symbols, DWARF bool
	// Go is the build info that the Go linker wrote, nil where there is none.
	Go *debug.BuildInfo
}

// Setting returns a build setting such as "CGO_ENABLED", empty where the
// executable does not tell.
func (f *Facts) Setting(key string) string {
	if f.Go == nil {
		return ""
	}
	for _, s := range f.Go.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
