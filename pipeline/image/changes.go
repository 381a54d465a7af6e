package image

import (
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Changes are what differs between two bases for one platform. A side that is
// empty is one that does not have it.
type Changes struct {
	// Packages are those whose version differs, by name.
	Packages []Change `json:"packages"`
	// Config is what differs in the configuration: user, workdir, env NAME,
	// entrypoint, cmd.
	Config []Change `json:"config"`
	Files  struct {
		Added   int   `json:"added"`
		Removed int   `json:"removed"`
		Changed int   `json:"changed"`
		OldSize int64 `json:"oldSize"`
		NewSize int64 `json:"newSize"`
	} `json:"files"`
}

// A Change is one thing that differs.
type Change struct {
	Name string `json:"name"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// To returns what changes from one base's contents to another's.
func (c *Contents) To(now *Contents) *Changes {
	changes := &Changes{
		Packages: differ(c.versions(), now.versions()),
		Config:   differ(settings(c.Config), settings(now.Config)),
	}
	for p, old := range c.files {
		switch is, ok := now.files[p]; {
		case !ok:
			changes.Files.Removed++
		case is != old:
			changes.Files.Changed++
		}
	}
	for p := range now.files {
		if _, ok := c.files[p]; !ok {
			changes.Files.Added++
		}
	}
	changes.Files.OldSize, changes.Files.NewSize = c.Size, now.Size
	return changes
}

// None tells whether nothing differs.
func (c *Changes) None() bool {
	return len(c.Packages) == 0 && len(c.Config) == 0 && c.Files.Added+c.Files.Removed+c.Files.Changed == 0
}

// versions are those of packages by name; a name may have several.
func (c *Contents) versions() map[string]string {
	all := make(map[string][]string)
	for _, p := range c.Packages {
		all[p.Name] = append(all[p.Name], p.Version)
	}
	joined := make(map[string]string)
	for name, versions := range all {
		slices.Sort(versions)
		joined[name] = strings.Join(slices.Compact(versions), ", ")
	}
	return joined
}

// settings are what of a base's configuration reaches an image that stands on
// it, or says how it was meant to be run.
func settings(c v1.Config) map[string]string {
	all := map[string]string{"user": c.User, "workdir": c.WorkingDir}
	list := func(name string, words []string) {
		if len(words) > 0 {
			all[name] = fmt.Sprintf("%q", words)
		}
	}
	list("entrypoint", c.Entrypoint)
	list("cmd", c.Cmd)
	for _, v := range c.Env {
		name, value, _ := strings.Cut(v, "=")
		all["env "+name] = value
	}
	return all
}

// differ returns what two maps do not have in common, by name.
func differ(old, now map[string]string) []Change {
	changes := []Change{}
	for name, was := range old {
		if is := now[name]; is != was {
			changes = append(changes, Change{name, was, is})
		}
	}
	for name, is := range now {
		if _, ok := old[name]; !ok && is != "" {
			changes = append(changes, Change{name, "", is})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	return changes
}
