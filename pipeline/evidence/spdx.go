package evidence

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// SBOM describes an image or an index as an SPDX 2.3 document, from what the
// binary inside says of itself (the main module, every module linked in with
// its version and go.sum hash, the Go release), from the base's databases, and
// from the files.
//
// The digest is that of the subject; with one image it is the image's own, with
// several it is their index's. The document is the same bytes every time.
func SBOM(name string, digest v1.Hash, base Base, known Known, images ...Image) (*spdx.Document, error) {
	b, err := newBill(name, digest, base, known, images...)
	if err != nil {
		return nil, err
	}
	doc := &spdx.Document{
		SPDXVersion:    spdx.Version,
		DataLicense:    spdx.DataLicense,
		SPDXIdentifier: "DOCUMENT",
		DocumentName:   name,
		// Unique, as the specification asks, and the same every time.
		DocumentNamespace: fmt.Sprintf("https://spdx.org/spdxdocs/temper-%s-%s-%x", name, digest.Hex, b.fingerprint[:6]),
		CreationInfo: &spdx.CreationInfo{
			Created:  "1970-01-01T00:00:00Z",
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "temper"}},
		},
	}
	if len(b.unread) > 0 {
		doc.DocumentComment = "not complete: nobody could read the packages in " + strings.Join(b.unread, ", ")
	}
	ids := make(map[*part]common.ElementID, len(b.parts))
	packages := make(map[*part]*spdx.Package)
	for _, p := range b.parts {
		ids[p] = common.ElementID(p.id)
		if p.kind == aFile {
			doc.Files = append(doc.Files, spdxFile(p, ids[p]))
			continue
		}
		packages[p] = spdxPackage(p, ids[p])
		doc.Packages = append(doc.Packages, packages[p])
	}
	relate := func(from common.ElementID, how string, to common.ElementID) {
		doc.Relationships = append(doc.Relationships, &spdx.Relationship{
			RefA:         common.DocElementID{ElementRefID: from},
			RefB:         common.DocElementID{ElementRefID: to},
			Relationship: how,
		})
	}
	relate("DOCUMENT", "DESCRIBES", ids[b.top])
	holds := make(map[*part][]string)
	for _, r := range b.relations {
		relate(ids[r.from], string(r.how), ids[r.to])
		if r.how == contains && r.to.kind == aFile {
			holds[r.from] = append(holds[r.from], r.to.sha1)
		}
	}
	for p, sums := range holds {
		if code := verificationCode(sums); code != "" {
			packages[p].FilesAnalyzed = true
			packages[p].PackageVerificationCode = &common.PackageVerificationCode{Value: code}
		}
	}
	return doc, nil
}

// verificationCode is what SPDX wants of a package whose files are listed,
// empty where a file's SHA-1 is not known.
// https://spdx.github.io/spdx-spec/v2.3/package-information/#79-package-verification-code-field
func verificationCode(sums []string) string {
	if slices.Contains(sums, "") {
		return ""
	}
	slices.Sort(sums)
	code := sha1.Sum([]byte(strings.Join(sums, "")))
	return hex.EncodeToString(code[:])
}

func spdxFile(p *part, id common.ElementID) *spdx.File {
	f := &spdx.File{
		FileName:           "." + p.name, // relative to the root, as the specification has it
		FileSPDXIdentifier: id,
		Checksums:          []common.Checksum{{Algorithm: common.SHA256, Value: p.digest.Hex}},
		FileCopyrightText:  noAssertion,
	}
	if p.sha1 != "" {
		f.Checksums = append(f.Checksums, common.Checksum{Algorithm: common.SHA1, Value: p.sha1})
	}
	if p.executable {
		f.FileTypes = []string{"BINARY"}
	}
	return f
}

const noAssertion = "NOASSERTION"

// purposes are what SPDX calls what a part is for, as its JSON schema spells it.
var purposes = map[kind]string{container: "CONTAINER", standsOn: "CONTAINER", system: "OPERATING_SYSTEM", mainKind: "APPLICATION"}

func spdxPackage(p *part, id common.ElementID) *spdx.Package {
	out := &spdx.Package{
		PackageName:             p.name,
		PackageSPDXIdentifier:   id,
		PackageVersion:          p.version,
		PackageDownloadLocation: noAssertion,
		PackageLicenseConcluded: noAssertion,
		PackageLicenseDeclared:  noAssertion,
		PackageCopyrightText:    noAssertion,
		PackageSummary:          p.platform,
		PrimaryPackagePurpose:   purposes[p.kind],
	}
	if p.license != "" {
		out.PackageLicenseDeclared = p.license
	}
	if p.digest.Hex != "" {
		out.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: p.digest.Hex}}
	}
	switch {
	case p.kind == standsOn:
		out.PackageComment = "the image that the service's layers stand on"
	case p.sum != "":
		// Not a checksum in SPDX's sense: h1 is the hash of a list of the hashes
		// of a module's files, and of no single file.
		out.PackageSourceInfo = "go.sum " + p.sum
	case p.folder != "":
		out.PackageSourceInfo = "replaced by " + p.folder
	case p.origin != "":
		out.PackageSourceInfo = "built from " + p.origin
	}
	if p.purl != "" {
		out.PackageExternalReferences = []*spdx.PackageExternalReference{{
			Category: "PACKAGE-MANAGER", RefType: "purl", Locator: p.purl,
		}}
	}
	return out
}
