package evidence

import "strings"

// PURL returns a package URL. The name may have a namespace before it, with
// slashes; qualifiers are pairs in the order of their keys, and those without a
// value are left out.
// https://github.com/package-url/purl-spec/blob/main/purl-specification.rst
func PURL(kind, name, version string, qualifiers ...[2]string) string {
	url := "pkg:" + kind + "/" + escape(name, "/")
	if version != "" {
		url += "@" + escape(version, ":")
	}
	mark := "?"
	for _, q := range qualifiers {
		if q[1] != "" {
			url += mark + q[0] + "=" + escape(q[1], ":")
			mark = "&"
		}
	}
	return url
}

// escape writes what is no letter, no digit and none of the few others as
// percent and two digits.
func escape(s, also string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(".-_~"+also, c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
