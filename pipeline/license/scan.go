package license

import (
	"regexp"
	"slices"
	"sync"

	"github.com/google/licensecheck"
)

// least is how much of a file has to be licence, in percent of its words: what
// pkg.go.dev asks for. https://pkg.go.dev/license-policy
const least = 75

// usual are the licences of nearly all modules, with their variants. To compile
// the patterns of all that there are takes a second, of these a fiftieth of it;
// those with an advertising clause take most of it.
var usual = sync.OnceValues(func() (*licensecheck.Scanner, error) {
	family := regexp.MustCompile(`^(0BSD|Apache-2|BSD-[123]-Clause|BSL-|CC0-|ISC|MIT|MPL-2|Unlicense|X11|Zlib)`)
	return licensecheck.NewScanner(slices.DeleteFunc(licensecheck.BuiltinLicenses(), func(l licensecheck.License) bool {
		return l.LRE == "" || !family.MatchString(l.ID)
	}))
})

// enough is how much of a file the usual licences have to cover, so that nobody
// looks for others.
const enough = 85

func scan(text []byte) []string {
	if s, err := usual(); err == nil {
		if c := s.Scan(text); c.Percent >= enough {
			return identifiers(c)
		}
	}
	c := licensecheck.Scan(text)
	if c.Percent < least {
		return nil
	}
	return identifiers(c)
}

// identifiers are those of the matches, none if SPDX does not know one of them.
func identifiers(c licensecheck.Coverage) []string {
	var ids []string
	for _, m := range c.Match {
		switch {
		case m.IsURL:
			continue
		case identifier(m.ID) == "":
			return nil
		}
		ids = append(ids, identifier(m.ID))
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
