package binary

import (
	"fmt"
	"path/filepath"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
)

// VerifySources holds the modules that were compiled into the binaries, as they
// lie in the module cache, against the sums in their build info, which are
// go.sum's. Go does so when it unpacks a module, and never again: whatever has
// changed the cache since then is found here. Modules without a sum come from
// folders of the repository.
func VerifySources(t *Toolchain, bins ...*Binary) error {
	seen := make(map[module.Version]string)
	for _, b := range bins {
		if b.Facts.Go == nil {
			continue
		}
		for _, m := range b.Facts.Go.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			if m.Sum == "" {
				continue
			}
			one := module.Version{Path: m.Path, Version: m.Version}
			if seen[one] == m.Sum {
				continue
			}
			if err := verifySource(t.ModCache, one, m.Sum); err != nil {
				return err
			}
			seen[one] = m.Sum
		}
	}
	return nil
}

func verifySource(cache string, m module.Version, want string) error {
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return err
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return err
	}
	got, err := dirhash.HashDir(filepath.Join(cache, filepath.FromSlash(path)+"@"+version), m.String(), dirhash.Hash1)
	if err != nil {
		return fmt.Errorf("reading the sources of %s: %w", m, err)
	}
	if got != want {
		return fmt.Errorf("the module cache holds %s with the sum %s, and go.sum wants %s; it was changed after it was fetched: go clean -modcache", m, got, want)
	}
	return nil
}
