// Package sources holds the rules about the source that a service is made of.
//
// [Rules] are about a go.mod. [CodeRules] are about Go code: each has an analyzer of
// golang.org/x/tools/go/analysis, and [Check] runs them over a [Program], the packages of
// a repository with what the compiler left about those that they import. Facts carry what
// a function does, such as to serve without a timeout, to the packages that call it.
package sources

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"

	"temper/checks"
)

// A Module is the module that a service's main package belongs to.
type Module struct {
	// File is what people know its go.mod by: its path in the repository.
	File string
	Mod  *modfile.File
	// Dir is the folder that its go.mod is in, and Root that of the repository, empty
	// where that is not known.
	Dir, Root string
	// Linked are the paths of the modules in the service's binary.
	Linked []string
	// CPULimit is the CPU limit that a manifest of the service sets, such as "500m";
	// empty where there is none, or no manifest is at hand.
	CPULimit string
}

// Rules are the rules about a module.
var Rules = []*checks.Check[*Module]{
	debugRequirement,
	goDirective,
	replaceOutside,
}

// AllRules describes every rule about sources.
func AllRules() []checks.Rule {
	var rules []checks.Rule
	for _, c := range Rules {
		rules = append(rules, c.Rule)
	}
	for _, c := range CodeRules {
		rules = append(rules, c.Rule)
	}
	return rules
}

// Open reads the go.mod at path, which findings will call file. The root is the folder of
// the repository, empty where that is not known.
func Open(path, root, file string, linked []string) (*Module, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	mod, err := modfile.Parse(file, raw, nil)
	if err != nil {
		return nil, fmt.Errorf("reading go.mod: %w", err)
	}
	return &Module{File: file, Mod: mod, Dir: filepath.Dir(path), Root: root, Linked: linked}, nil
}
