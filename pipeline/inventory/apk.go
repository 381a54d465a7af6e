package inventory

import (
	"fmt"
	"strings"

	"temper/pipeline/evidence"
	"temper/pipeline/license"
)

// parseAPK reads the database of apk: paragraphs of lines "K:value", where the
// key is one letter and its case matters.
// https://wiki.alpinelinux.org/wiki/Apk_spec
func parseAPK(raw []byte, release distribution) ([]evidence.Package, error) {
	var list []evidence.Package
	fields := make(map[byte]string)
	end := func() error {
		defer clear(fields)
		if len(fields) == 0 {
			return nil
		}
		name, version := fields['P'], fields['V']
		if name == "" || version == "" {
			return fmt.Errorf("a paragraph without P or V")
		}
		origin := fields['o']
		if origin == name {
			origin = ""
		}
		list = append(list, evidence.Package{
			Name: name, Version: version,
			URL:     release.purl("apk", "alpine", name, version, fields['A'], origin),
			License: license.Expression(fields['L']),
			Origin:  origin,
		})
		return nil
	}
	n := 0
	for line := range strings.Lines(string(raw)) {
		n++
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "":
			if err := end(); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
		case len(line) < 2 || line[1] != ':':
			return nil, fmt.Errorf("line %d is no field", n)
		case strings.IndexByte("PVALo", line[0]) >= 0:
			fields[line[0]] = line[2:]
		}
	}
	err := end()
	return list, err
}
