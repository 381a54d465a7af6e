package evidence

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Modules lists the Go modules that an SBOM, SPDX or CycloneDX, names as parts
// of the binary, as "path version"; those of the base are none of it.
func (s *Statement) Modules() ([]string, error) {
	var list []named
	var err error
	switch s.PredicateType {
	case SPDX:
		list, err = spdxPackages(s.Predicate)
	case CycloneDX:
		list, err = components(s.Predicate)
	default:
		return nil, fmt.Errorf("the statement's predicate is %s, want %s or %s", s.PredicateType, SPDX, CycloneDX)
	}
	if err != nil {
		return nil, err
	}
	var modules []string
	for _, p := range list {
		if isModule(p.purl) && !ofTheBase(p.id) {
			modules = append(modules, strings.TrimSpace(p.name+" "+p.version))
		}
	}
	return modules, nil
}

func isModule(purl string) bool {
	return strings.HasPrefix(purl, "pkg:golang/") && !strings.HasPrefix(purl, "pkg:golang/stdlib@")
}

// ofTheBase tells the identifiers of a base's packages. Until Temper read the
// databases of bases, those of the built-in one began with "base".
func ofTheBase(id string) bool {
	return strings.HasPrefix(id, string(packaged)+"-") || strings.HasPrefix(id, string(standsOn)+"-")
}

// named is what an SBOM calls one of its parts.
type named struct{ id, name, version, purl string }

func spdxPackages(raw json.RawMessage) ([]named, error) {
	var doc struct {
		Packages []struct {
			ID      string `json:"SPDXID"`
			Name    string `json:"name"`
			Version string `json:"versionInfo"`
			Refs    []struct {
				Locator string `json:"referenceLocator"`
			} `json:"externalRefs"`
		} `json:"packages"`
	}
	if err := decode(raw, &doc); err != nil {
		return nil, err
	}
	var list []named
	for _, p := range doc.Packages {
		one := named{id: strings.TrimPrefix(p.ID, "SPDXRef-"), name: p.Name, version: p.Version}
		for _, ref := range p.Refs {
			if isModule(ref.Locator) {
				one.purl = ref.Locator
			}
		}
		list = append(list, one)
	}
	return list, nil
}

func components(raw json.RawMessage) ([]named, error) {
	var doc struct {
		Components []struct {
			ID      string `json:"bom-ref"`
			Name    string `json:"name"`
			Version string `json:"version"`
			PURL    string `json:"purl"`
		} `json:"components"`
	}
	if err := decode(raw, &doc); err != nil {
		return nil, err
	}
	var list []named
	for _, c := range doc.Components {
		list = append(list, named{c.ID, c.Name, c.Version, c.PURL})
	}
	return list, nil
}

// Describes tells whether an SBOM names the modules that are in the images, and
// no others: an error says which one is missing or not there.
func (s *Statement) Describes(images ...Image) error {
	listed, err := s.Modules()
	if err != nil {
		return err
	}
	return Describe(listed, images...)
}

// Describe is the same of what an SBOM names, as [Statement.Modules] has it.
func Describe(listed []string, images ...Image) error {
	mains, deps := Modules(nil, images...)
	var there []string
	for _, m := range slices.Concat(mains, deps) {
		there = append(there, m.String())
	}
	for _, m := range there {
		if !slices.Contains(listed, m) {
			return fmt.Errorf("the SBOM does not name the module %s, which is in the binary", m)
		}
	}
	for _, m := range listed {
		if !slices.Contains(there, m) {
			return fmt.Errorf("the SBOM names the module %s, which is not in the binary", m)
		}
	}
	return nil
}
