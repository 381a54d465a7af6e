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
// https://github.com/package-url/purl-spec/blob/main/purl-specification.rst
func (d distribution) purl(kind, usual, name, version, arch, upstream string) string {
	url := "pkg:" + kind + "/" + escape(strings.ToLower(cmp.Or(d.id, usual))) + "/" + escape(name) + "@" + escape(version)
	distro := ""
	if d.id != "" {
		distro = strings.TrimSuffix(d.id+"-"+d.version, "-")
	}
	mark := "?"
	for _, q := range [][2]string{{"arch", arch}, {"distro", distro}, {"upstream", upstream}} {
		if q[1] != "" {
			url += mark + q[0] + "=" + escape(q[1])
			mark = "&"
		}
	}
	return url
}

// escape writes what is no letter, no digit and none of the few others as
// percent and two digits.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(".-_~:", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
