package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// kinds are what is compared.
var kinds = []string{modules, sums, toolchains, packages, licences, systems, files}

const (
	modules    = "modules"
	sums       = "go.sum hashes"
	toolchains = "Go releases"
	packages   = "packages of the base"
	licences   = "licences of all these"
	systems    = "distributions"
	files      = "files"
)

// said is what an SBOM names, in one spelling for all who make them.
type said struct{ named map[string]map[string]bool }

func newSaid() *said {
	s := &said{make(map[string]map[string]bool)}
	for _, what := range kinds {
		s.named[what] = make(map[string]bool)
	}
	return s
}

// parse reads an SPDX document.
func parse(raw []byte) (*said, error) {
	var doc struct {
		Packages []struct {
			Name, VersionInfo, SourceInfo, LicenseDeclared, PrimaryPackagePurpose string

			Checksums    []struct{ Algorithm, ChecksumValue string }
			ExternalRefs []struct{ ReferenceLocator string }
		}
		Files []struct{ FileName string }
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("reading SPDX: %w", err)
	}
	s := newSaid()
	for _, p := range doc.Packages {
		if strings.HasPrefix(p.PrimaryPackagePurpose, "OPERATING") { // two spellings are about
			s.named[systems][p.Name+" "+p.VersionInfo] = true
		}
		for _, ref := range p.ExternalRefs {
			purl, _, _ := strings.Cut(ref.ReferenceLocator, "?")
			purl, _, _ = strings.Cut(purl, "#")
			purl = strings.ReplaceAll(purl, "%2B", "+")
			if strings.HasPrefix(purl, "pkg:") && p.LicenseDeclared != "" && p.LicenseDeclared != "NOASSERTION" && p.LicenseDeclared != "NONE" {
				s.named[licences][strings.Replace(purl, "@go1", "@1", 1)] = true
			}
			switch {
			case strings.HasPrefix(purl, "pkg:golang/stdlib@"):
				s.named[toolchains][strings.TrimPrefix(strings.TrimPrefix(purl, "pkg:golang/stdlib@"), "go")] = true
			case strings.HasPrefix(purl, "pkg:golang/"):
				path, version, _ := strings.Cut(strings.TrimPrefix(purl, "pkg:golang/"), "@")
				s.named[modules][strings.TrimSpace(path+" "+strings.TrimPrefix(version, "(devel)"))] = true
				for _, c := range p.Checksums {
					s.named[sums][path+" "+c.ChecksumValue] = true
				}
				if h1, ok := strings.CutPrefix(p.SourceInfo, "go.sum h1:"); ok {
					sum, err := base64.StdEncoding.DecodeString(h1)
					if err != nil {
						return nil, fmt.Errorf("the sum of %s: %w", path, err)
					}
					s.named[sums][path+" "+hex.EncodeToString(sum)] = true
				}
			case strings.HasPrefix(purl, "pkg:deb/"), strings.HasPrefix(purl, "pkg:apk/"):
				s.named[packages][purl] = true
			}
		}
	}
	for _, f := range doc.Files {
		s.named[files][strings.TrimLeft(f.FileName, "./")] = true
	}
	return s, nil
}
