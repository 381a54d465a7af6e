package image

import (
	"strconv"

	"temper/pipeline/evidence"
	"temper/pipeline/service"
)

// RootsVersion is the version of golang.org/x/crypto/x509roots/fallback, where
// the root certificates of the built-in base come from.
const RootsVersion = "v0.0.0-20261030153154-30a33513ff6d"

// Packages lists what is known to be in the base: for the built-in one all of
// it, with its version; for others nothing, they have SBOMs of their own.
func (b *Base) Packages() []evidence.Package {
	if b.Name != service.BuiltinBase {
		return nil
	}
	return []evidence.Package{
		{Name: "temper-builtin", Version: strconv.Itoa(BuiltinVersion)},
		{Name: "tzdata", Version: ZoneDataVersion, URL: "pkg:generic/tzdata@" + ZoneDataVersion},
		{Name: "golang.org/x/crypto/x509roots/fallback", Version: RootsVersion,
			URL: "pkg:golang/golang.org/x/crypto/x509roots/fallback@" + RootsVersion},
	}
}
