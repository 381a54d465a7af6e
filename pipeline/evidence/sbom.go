package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// SBOM describes an image or an index as an SPDX 2.3 document, from what the
// binary inside says of itself: the main module, every module linked in with
// its version and go.sum hash, the Go release, and the base.
//
// The digest is that of the subject; with one image it is the image's own, with
// several it is their index's. The document is the same bytes every time.
func SBOM(name string, digest v1.Hash, base Base, sums map[string]string, images ...Image) (*spdx.Document, error) {
	if len(images) == 0 {
		return nil, fmt.Errorf("describing %s: no image is given", name)
	}
	d := &document{Document: &spdx.Document{
		SPDXVersion:    spdx.Version,
		DataLicense:    spdx.DataLicense,
		SPDXIdentifier: "DOCUMENT",
		DocumentName:   name,
		// The subject's digest makes the name unique, as the specification asks,
		// and the document the same every time.
		DocumentNamespace: "https://spdx.org/spdxdocs/temper-" + name + "-" + digest.Hex,
		CreationInfo: &spdx.CreationInfo{
			Created:  "1970-01-01T00:00:00Z",
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "temper"}},
		},
	}}
	top := d.add(pkg("oci", name, digest.String(), "pkg:oci/"+name+"@"+strings.ReplaceAll(digest.String(), ":", "%3A"), "CONTAINER"))
	d.relate("DOCUMENT", "DESCRIBES", top)

	basePkg := pkg("base", base.Name, base.Digest.String(), "", "CONTAINER")
	basePkg.PackageComment = "the image that the service's layers stand on"
	baseID := d.add(basePkg)
	d.relate(top, "DESCENDANT_OF", baseID)
	for _, p := range base.Packages {
		d.relate(baseID, "CONTAINS", d.add(pkg("base", p.Name, p.Version, p.URL, "")))
	}

	mains, deps := modules(sums, images...)
	var mainIDs []common.ElementID
	for _, m := range mains {
		mainIDs = append(mainIDs, d.add(goModule(m)))
	}
	for _, m := range deps {
		id := d.add(goModule(m))
		for _, main := range mainIDs {
			d.relate(main, "DEPENDS_ON", id)
		}
	}
	for _, release := range releases(images) {
		version := strings.TrimPrefix(release, "go")
		id := d.add(pkg("go", "stdlib", version, "pkg:golang/stdlib@"+version, ""))
		for _, main := range mainIDs {
			d.relate(main, "DEPENDS_ON", id)
		}
	}
	for _, img := range images {
		file := d.file(img)
		if img.Digest == digest {
			d.relate(top, "CONTAINS", file)
		} else {
			one := pkg("oci", name, img.Digest.String(), "pkg:oci/"+name+"@"+strings.ReplaceAll(img.Digest.String(), ":", "%3A"), "CONTAINER")
			one.PackageSummary = img.Platform
			id := d.add(one)
			d.relate(id, "VARIANT_OF", top)
			d.relate(id, "CONTAINS", file)
		}
		for _, main := range mainIDs {
			d.relate(file, "GENERATED_FROM", main)
		}
	}
	return d.Document, nil
}

// releases lists the Go releases of the images, each once.
func releases(images []Image) []string {
	var list []string
	seen := make(map[string]bool)
	for _, img := range images {
		if r := img.Go.GoVersion; r != "" && !seen[r] {
			seen[r] = true
			list = append(list, r)
		}
	}
	return list
}

type document struct{ *spdx.Document }

func (d *document) add(p *spdx.Package) common.ElementID {
	d.Packages = append(d.Packages, p)
	return p.PackageSPDXIdentifier
}

func (d *document) relate(a common.ElementID, how string, b common.ElementID) {
	d.Relationships = append(d.Relationships, &spdx.Relationship{
		RefA:         common.DocElementID{ElementRefID: a},
		RefB:         common.DocElementID{ElementRefID: b},
		Relationship: how,
	})
}

func (d *document) file(img Image) common.ElementID {
	f := &spdx.File{
		FileName:           img.Binary,
		FileSPDXIdentifier: id("file", img.Binary, img.BinaryDigest.String()),
		FileTypes:          []string{"BINARY"},
		Checksums:          []common.Checksum{{Algorithm: common.SHA256, Value: img.BinaryDigest.Hex}},
		LicenseConcluded:   "NOASSERTION",
		FileCopyrightText:  "NOASSERTION",
		FileComment:        img.Platform,
	}
	d.Files = append(d.Files, f)
	return f.FileSPDXIdentifier
}

func goModule(m module) *spdx.Package {
	p := pkg("go", m.path, m.version, m.purl(), "")
	if m.sum != "" {
		// Not a checksum in SPDX's sense: h1 is the hash of a list of the hashes
		// of a module's files, and of no single file.
		p.PackageSourceInfo = "go.sum " + m.sum
	}
	if m.folder != "" {
		p.PackageSourceInfo = "replaced by " + m.folder
	}
	return p
}

func pkg(kind, name, version, purl, purpose string) *spdx.Package {
	p := &spdx.Package{
		PackageName:             name,
		PackageSPDXIdentifier:   id(kind, name, version),
		PackageVersion:          version,
		PackageDownloadLocation: "NOASSERTION",
		PackageLicenseConcluded: "NOASSERTION",
		PackageLicenseDeclared:  "NOASSERTION",
		PackageCopyrightText:    "NOASSERTION",
		PrimaryPackagePurpose:   purpose,
	}
	if algorithm, hex, ok := strings.Cut(version, ":"); ok && algorithm == "sha256" {
		p.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: hex}}
	}
	if purl != "" {
		p.PackageExternalReferences = []*spdx.PackageExternalReference{{
			Category: "PACKAGE-MANAGER", RefType: "purl", Locator: purl,
		}}
	}
	return p
}

// id makes an SPDX identifier that is fit for the specification (letters,
// digits, dots and hyphens) and differs where its parts differ.
func id(parts ...string) common.ElementID {
	joined := strings.Join(parts, "\x00")
	sum := sha256.Sum256([]byte(joined))
	readable := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.':
			return r
		}
		return '-'
	}, strings.Join(parts[:2], "-"))
	return common.ElementID(readable + "-" + hex.EncodeToString(sum[:6]))
}

// Modules lists the Go modules that an SBOM names as parts of the binary, as
// "path version"; those of the base are none of it.
func (s *Statement) Modules() ([]string, error) {
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
	if err := s.decode(SPDX, &doc); err != nil {
		return nil, err
	}
	var modules []string
	for _, p := range doc.Packages {
		if strings.HasPrefix(p.ID, "SPDXRef-base-") {
			continue
		}
		for _, ref := range p.Refs {
			if strings.HasPrefix(ref.Locator, "pkg:golang/") && !strings.HasPrefix(ref.Locator, "pkg:golang/stdlib@") {
				modules = append(modules, strings.TrimSpace(p.Name+" "+p.Version))
				break
			}
		}
	}
	return modules, nil
}

// Describes tells whether an SBOM names the modules that are in the images, and
// no others: an error says which one is missing or not there.
func (s *Statement) Describes(images ...Image) error {
	listed, err := s.Modules()
	if err != nil {
		return err
	}
	mains, deps := modules(nil, images...)
	var there []string
	for _, m := range slices.Concat(mains, deps) {
		there = append(there, strings.TrimSpace(m.path+" "+m.version))
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
