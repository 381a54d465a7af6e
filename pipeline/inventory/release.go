package inventory

import (
	"cmp"
	"strings"

	"temper/pipeline/evidence"
)

// A distribution is what an os-release says.
// https://www.freedesktop.org/software/systemd/man/latest/os-release.html
type distribution struct{ id, version string }

// parseRelease takes what it knows and passes over the rest: the file is for
// shells, and there is no wrong one.
func parseRelease(raw []byte) distribution {
	var d distribution
	for line := range strings.Lines(string(raw)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			d.id = value
		case "VERSION_ID":
			d.version = value
		}
	}
	return d
}

func (d distribution) pkg() evidence.Package {
	return evidence.Package{Name: cmp.Or(d.id, "linux"), Version: d.version, System: true} // the default that os-release itself has
}

// purl returns the package URL of a package of the distribution. The kind's
// usual distribution stands in where no os-release names one.
func (d distribution) purl(kind, usual, name, version, arch, upstream string) string {
	distro := ""
	if d.id != "" {
		distro = strings.TrimSuffix(d.id+"-"+d.version, "-")
	}
	of := strings.ReplaceAll(strings.ToLower(cmp.Or(d.id, usual)), "/", "-")
	return evidence.PURL(kind, of+"/"+name, version, [2]string{"arch", arch}, [2]string{"distro", distro}, [2]string{"upstream", upstream})
}
