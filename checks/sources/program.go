package sources

import (
	"fmt"
	"io"
	"strings"
)

// A Program is Go code that is looked at together: the packages of a repository, and
// those of its dependencies that the rules want to know about.
type Program struct {
	// Packages come after those that they import.
	Packages []*Package
	// Export opens what the compiler wrote about a package, by its path.
	Export func(path string) (io.ReadCloser, error)
	// ID names what Export opens by its content, empty where that is not known. Nil
	// stands for a program that nothing is remembered of.
	ID func(path string) string
	// Without are the paths of packages of the repository that are not looked at, since
	// they are there with cgo only and so in no image.
	Without []string
	// Arch is the GOARCH that the program is for.
	Arch string
}

// A Package is one package of a program.
type Package struct {
	// Path is its import path, and Go the language version of its module, such as
	// "1.26"; empty for the newest. Module is the path of the module.
	Path, Go, Module string
	Files            []File
	// Imports holds the paths of the packages that an import means where that is not
	// what it says, as in a vendored program.
	Imports map[string]string
	// Direct are the paths of all packages that it imports.
	Direct []string
	// Own tells that it is of the repository. Of the others only what the rules need to
	// know is worked out.
	Own bool
	// Fresh tells that Export does not open it, for it has just changed. Those that import
	// it are fresh as well, and take its types from its files.
	Fresh bool
}

// A File is one Go file as the compiler sees it.
type File struct {
	// Name is what findings call it: its path in the repository, with slashes.
	Name    string
	Content []byte
}

// A TypeError says what keeps a package from being looked at.
type TypeError struct {
	Package string
	Errors  []error
}

func (e *TypeError) Error() string {
	const most = 10
	var b strings.Builder
	fmt.Fprintf(&b, "package %s does not type-check, so nobody has looked at it:", e.Package)
	for i, err := range e.Errors {
		if i == most {
			fmt.Fprintf(&b, "\n%d more", len(e.Errors)-most)
			break
		}
		fmt.Fprintf(&b, "\n%v", err)
	}
	return b.String()
}
