package main

import (
	"testing"

	"temper/checks/sources"
)

// Garbage is collected less often where one package is most of a large program: what it has
// is none until the end.
func TestMostIsOne(t *testing.T) {
	program := func(sizes ...int) *sources.Program {
		p := new(sources.Program)
		for _, n := range sizes {
			p.Packages = append(p.Packages, &sources.Package{Files: []sources.File{
				{Content: make([]byte, n/2)}, {Content: make([]byte, n-n/2)},
			}})
		}
		return p
	}
	const large = 1 << 20
	for name, tc := range map[string]struct {
		programs []*sources.Program
		want     bool
	}{
		"one large package":          {[]*sources.Program{program(3 * large)}, true},
		"beside small ones":          {[]*sources.Program{program(large/10, 3*large, large)}, true},
		"one that is small":          {[]*sources.Program{program(large / 2)}, false},
		"many of a size":             {[]*sources.Program{program(3*large, 3*large, 3*large)}, false},
		"half of several programs":   {[]*sources.Program{program(3 * large), program(3 * large)}, false},
		"most of what others are in": {[]*sources.Program{program(3 * large), program(large)}, true},
		"nothing":                    {nil, false},
	} {
		if got := mostIsOne(tc.programs); got != tc.want {
			t.Errorf("%s: one package is most of it: %v, want %v", name, got, tc.want)
		}
	}
}
