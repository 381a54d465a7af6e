package inventory

import (
	"fmt"
	"strings"

	"temper/pipeline/evidence"
)

// parseDpkg reads paragraphs of dpkg's status: one in each of distroless's
// files, all of them in the status of Debian itself.
// https://www.debian.org/doc/debian-policy/ch-controlfields.html
func parseDpkg(raw []byte, release distribution) ([]evidence.Package, error) {
	var list []evidence.Package
	fields := make(map[string]string)
	end := func() error {
		defer clear(fields)
		if len(fields) == 0 {
			return nil
		}
		// "want flag status"; what is only configured is not installed.
		if status := strings.Fields(fields["status"]); len(status) == 3 && status[2] != "installed" {
			return nil
		}
		name, version := fields["package"], fields["version"]
		if name == "" || version == "" {
			return fmt.Errorf("a paragraph without Package or Version")
		}
		source, sourceVersion, _ := strings.Cut(fields["source"], " ")
		sourceVersion = strings.Trim(sourceVersion, "( )")
		upstream := ""
		if source != "" && (source != name || sourceVersion != "" && sourceVersion != version) {
			upstream = source
			if sourceVersion != "" {
				upstream += "@" + sourceVersion
			}
		}
		list = append(list, evidence.Package{
			Name: name, Version: version,
			URL:    release.purl("deb", "debian", name, version, fields["architecture"], upstream),
			Origin: strings.Replace(upstream, "@", " ", 1),
		})
		return nil
	}
	n := 0
	for line := range strings.Lines(string(raw)) {
		n++
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case line == "":
			if err := end(); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
		case line[0] == ' ', line[0] == '\t', line[0] == '#': // goes on with the last field, which is none of ours
		default:
			key, value, ok := strings.Cut(line, ":")
			if !ok {
				return nil, fmt.Errorf("line %d is no field", n)
			}
			fields[strings.ToLower(key)] = strings.TrimSpace(value)
		}
	}
	err := end()
	return list, err
}
