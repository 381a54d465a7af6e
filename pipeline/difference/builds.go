package difference

import (
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
)

// builds compares what two executables say of how they were built. The first
// difference that is noted explains the most.
func (c *comparison) builds(at Difference, a, b *program) {
	tell := func(what, released, rebuilt, cause string) {
		d := at
		d.What, d.Released, d.Rebuilt, d.Cause = what, released, rebuilt, cause
		c.add(d)
	}
	if a.info == nil || b.info == nil {
		has := func(p *program) string {
			if p.info == nil {
				return ""
			}
			return p.info.GoVersion + " " + p.info.Path
		}
		tell("build info", has(a), has(b), "only one of the two carries Go build info: the other was not built by go build")
		return
	}
	one, other := a.info, b.info
	tell("Go", one.GoVersion, other.GoVersion, fmt.Sprintf("another Go release: %s there, %s here", one.GoVersion, other.GoVersion))
	tell("main package", one.Path, other.Path, fmt.Sprintf("another program: %s there, %s here", one.Path, other.Path))
	was, is := modules(one), modules(other)
	for _, path := range union(was, is) {
		there, here := was[path], is[path]
		tell("module "+path, there.String(), here.String(), ofModule(path, there, here))
	}
	then, now := settings(one), settings(other)
	for _, key := range union(then, now) {
		tell("build setting "+key, then[key], now[key], fmt.Sprintf("another %s: %s there, %s here", key, orNone(then[key]), orNone(now[key])))
	}
}

// A linked module is what was compiled where a module was required.
type linked struct{ version, sum, replaced string }

func (m linked) String() string {
	text := m.version
	if m.sum != "" {
		text += " " + m.sum
	}
	if m.replaced != "" {
		text += " replaced by " + m.replaced
	}
	return text
}

// modules are those of a build info by path, the main module among them.
func modules(info *debug.BuildInfo) map[string]linked {
	all := make(map[string]linked)
	add := func(m *debug.Module) {
		one := linked{version: m.Version, sum: m.Sum}
		if r := m.Replace; r != nil {
			one.replaced = r.Path
			if r.Version != "" {
				one.replaced += "@" + r.Version
			}
			if r.Sum != "" {
				one.replaced += " " + r.Sum
			}
		}
		all[m.Path] = one
	}
	if info.Main.Path != "" {
		add(&info.Main)
	}
	for _, m := range info.Deps {
		add(m)
	}
	return all
}

// ofModule says in words what differs of a module.
func ofModule(path string, there, here linked) string {
	switch {
	case there == linked{}:
		return path + " is linked in here only: another commit, or build tags"
	case here == linked{}:
		return path + " is linked in there only: another commit, or build tags"
	case there.version != here.version:
		return fmt.Sprintf("another version of %s: %s there, %s here", path, orNone(there.version), orNone(here.version))
	case there.replaced != here.replaced:
		return fmt.Sprintf("%s is replaced by %s there, and by %s here", path, orNone(there.replaced), orNone(here.replaced))
	}
	return fmt.Sprintf("%s %s has other content there than here, or one of the two is vendored", path, here.version)
}

func settings(info *debug.BuildInfo) map[string]string {
	all := make(map[string]string)
	for _, s := range info.Settings {
		all[s.Key] = s.Value
	}
	return all
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// union is the names of two maps, sorted.
func union[V any](a, b map[string]V) []string {
	all := make(map[string]bool)
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return slices.Sorted(maps.Keys(all))
}
