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

	"golang.org/x/mod/modfile"

	"temper/checks"
)

// A Module is the module that a service's main package belongs to.
type Module struct {
	// File is what people know its go.mod by: its path in the repository.
	File string
	Mod  *modfile.File
	// Linked are the paths of the modules in the service's binary.
	Linked []string
}

// Rules are the rules about a module.
var Rules = []*checks.Check[*Module]{debugRequirement}

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

// Open reads the go.mod at path, which findings will call file.
func Open(path, file string, linked []string) (*Module, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	mod, err := modfile.Parse(file, raw, nil)
	if err != nil {
		return nil, fmt.Errorf("reading go.mod: %w", err)
	}
	return &Module{file, mod, linked}, nil
}
