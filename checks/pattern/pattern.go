// Package pattern holds regular expressions back until somebody asks for them.
//
// Temper has about a hundred, and a command needs a few: to compile all of them
// would be a third of the time that it takes to check a manifest.
package pattern

import (
	"regexp"
	"sync"
)

// New returns what compiles an expression when it is called first. It panics
// then if the expression is malformed; the tests compile every one in the
// program.
func New(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
