package evidence

import (
	"fmt"

	cdx "github.com/CycloneDX/cyclonedx-go"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// CycloneDXBOM says the same as [SBOM] as a CycloneDX 1.6 document. It is the
// same bytes every time, so it bears no time.
func CycloneDXBOM(name string, digest v1.Hash, base Base, known Known, images ...Image) (*cdx.BOM, error) {
	b, err := newBill(name, digest, base, known, images...)
	if err != nil {
		return nil, err
	}
	doc := cdx.NewBOM()
	doc.SpecVersion, doc.JSONSchema = cdx.SpecVersion1_6, "http://cyclonedx.org/schema/bom-1.6.schema.json"
	doc.SerialNumber = b.uuid()
	top := component(b.top)
	doc.Metadata = &cdx.Metadata{
		Tools:     &cdx.ToolsChoice{Components: &[]cdx.Component{{Type: cdx.ComponentTypeApplication, Name: "temper"}}},
		Component: &top,
	}
	all := []cdx.Component{}
	needs := make(map[*part][]string)
	for _, r := range b.relations {
		from, to := r.from, r.to
		if r.how == variantOf { // an index needs its images, and not they the index
			from, to = to, from
		}
		if to.kind != aFile || to.executable {
			needs[from] = append(needs[from], to.id)
		}
	}
	graph := []cdx.Dependency{}
	for _, p := range b.parts {
		if p != b.top {
			all = append(all, component(p))
		}
		if list := needs[p]; list != nil {
			graph = append(graph, cdx.Dependency{Ref: p.id, Dependencies: &list})
		}
	}
	doc.Components, doc.Dependencies = &all, &graph
	if len(b.unread) > 0 {
		var gaps []cdx.Property
		for _, path := range b.unread {
			gaps = append(gaps, cdx.Property{Name: "temper:unread", Value: path})
		}
		doc.Metadata.Properties = &gaps
		doc.Compositions = &[]cdx.Composition{{Aggregate: cdx.CompositionAggregateIncomplete, Assemblies: &[]cdx.BOMReference{cdx.BOMReference(b.top.id)}}}
	}
	return doc, nil
}

// uuid is the bill's, as a URN. Version 8 leaves it to us what is in it.
// https://www.rfc-editor.org/rfc/rfc9562#section-5.8
func (b *bill) uuid() string {
	u := b.fingerprint
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:16])
}

// componentTypes are what CycloneDX calls the kinds of parts.
var componentTypes = map[kind]cdx.ComponentType{
	container: cdx.ComponentTypeContainer,
	standsOn:  cdx.ComponentTypeContainer,
	packaged:  cdx.ComponentTypeLibrary,
	system:    cdx.ComponentTypeOS,
	mainKind:  cdx.ComponentTypeApplication,
	module:    cdx.ComponentTypeLibrary,
	toolchain: cdx.ComponentTypeLibrary,
	aFile:     cdx.ComponentTypeFile,
}

func component(p *part) cdx.Component {
	c := cdx.Component{BOMRef: p.id, Type: componentTypes[p.kind], Name: p.name, Version: p.version, PackageURL: p.purl}
	var hashes []cdx.Hash
	if p.digest.Hex != "" {
		hashes = append(hashes, cdx.Hash{Algorithm: cdx.HashAlgoSHA256, Value: p.digest.Hex})
	}
	if p.sha1 != "" {
		hashes = append(hashes, cdx.Hash{Algorithm: cdx.HashAlgoSHA1, Value: p.sha1})
	}
	if hashes != nil {
		c.Hashes = &hashes
	}
	if p.license != "" {
		declared := cdx.LicenseAcknowledgementDeclared
		c.Licenses = &cdx.Licenses{{Expression: p.license, Acknowledgement: &declared}}
	}
	var properties []cdx.Property
	for _, said := range []cdx.Property{
		{Name: "temper:platform", Value: p.platform},
		{Name: "temper:go.sum", Value: p.sum},
		{Name: "temper:replaced-by", Value: p.folder},
		{Name: "temper:built-from", Value: p.origin},
	} {
		if said.Value != "" {
			properties = append(properties, said)
		}
	}
	if properties != nil {
		c.Properties = &properties
	}
	return c
}
