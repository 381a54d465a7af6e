package main

import "strings"

// explained says why Temper does not name what another does, empty where there
// is no reason. Ours are those of temper build ("built") and of temper sbom.
func explained(ours map[string]*said, own, who, what, name string) string {
	switch {
	case who == "ko" && (what == modules || what == sums):
		for mine := range ours[own].named[what] {
			if mine != name && strings.EqualFold(mine, name) {
				return "ko writes module paths in lower case; Temper and syft as Go and its vulnerability database have them"
			}
		}
	case what == files && own == "built" && ours["sbom"].named[what][name]:
		return "the base is not Temper's: the build names its packages, and temper sbom its files"
	case what == licences && own == "sbom" && ours["built"].named[what][name]:
		return "an image tells no licences of what Go compiled; the build has seen the sources"
	}
	return ""
}
