package main

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"temper/pipeline/binary"
	"temper/pipeline/evidence"
	"temper/pipeline/image"
	"temper/pipeline/license"
	"temper/pipeline/service"
)

// describe says what the images of an artifact are made of, with the binaries
// that are in them.
func describe(svc *service.Service, base *image.Base, artifact mutate.Appendable, bins []*binary.Binary) ([]evidence.Image, error) {
	var imgs []v1.Image
	switch a := artifact.(type) {
	case v1.Image:
		imgs = []v1.Image{a}
	case v1.ImageIndex:
		m, err := a.IndexManifest()
		if err != nil {
			return nil, err
		}
		for _, d := range m.Manifests { // in the order of the binaries
			img, err := a.Image(d.Digest)
			if err != nil {
				return nil, err
			}
			imgs = append(imgs, img)
		}
	}
	var out []evidence.Image
	for i, b := range bins {
		if b.Facts.Go == nil {
			continue // the report says that there is no build info to tell from
		}
		img, err := base.Describe(imgs[i])
		if err != nil {
			return nil, err
		}
		img.Platform = b.Platform.String()
		file := evidence.File{Path: svc.Path, Digest: b.Digest}
		for _, f := range img.Files {
			if f.Path == svc.Path {
				file = f
			}
		}
		img.Executables = []evidence.Executable{{File: file, Go: b.Facts.Go}}
		out = append(out, img)
	}
	return out, nil
}

// state states it.
func (l *line) state(one *product) error {
	svc := one.service
	base := evidence.Base{Name: baseName(one.base.Base), Digest: one.base.Digest}
	known := evidence.Known{Sums: goSum(svc), Licenses: l.licenses.Find(sourcesOf(svc, one.toolchain), one.images...)}
	add := func(predicateType string, predicate any, about ...v1.Hash) error {
		s, err := evidence.State(predicateType, predicate, svc.Name, about...)
		one.statements = append(one.statements, s)
		return err
	}
	describe := func(digest v1.Hash, images ...evidence.Image) error {
		doc, err := evidence.SBOM(svc.Name, digest, base, known, images...)
		if err != nil {
			return err
		}
		if err := add(evidence.SPDX, doc, digest); err != nil || !l.cyclonedx {
			return err
		}
		bom, err := evidence.CycloneDXBOM(svc.Name, digest, base, known, images...)
		if err != nil {
			return err
		}
		return add(evidence.CycloneDX, bom, digest)
	}
	if err := describe(one.digest, one.images...); err != nil {
		return err
	}
	for _, img := range one.images {
		if img.Digest == one.digest {
			continue
		}
		if err := describe(img.Digest, img); err != nil {
			return err
		}
	}
	sum, err := one.toolchain.Sum()
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a distribution that keeps them elsewhere
		return err
	}
	provenance := evidence.ProvenanceOf(evidence.Build{
		Parameters: l.parameters(svc),
		Source:     one.source,
		Go:         one.toolchain.Version,
		Chosen:     one.toolchain.Chosen,
		Toolchain:  sum,
		Base:       base,
		Signed:     one.base.signer,
		Sums:       known.Sums,
		Version:    version(),
		Started:    l.started,
		Finished:   time.Now(),
	}, one.images...)
	if err := add(evidence.Provenance, provenance, evidence.Images(one.digest, one.images)...); err != nil {
		return err
	}
	s, err := evidence.StateReport(one.report)
	one.statements = append(one.statements, s)
	return err
}

// baseName is what the evidence calls a base: an OCI layout's folder is a
// matter of this machine.
func baseName(b *image.Base) string {
	switch {
	case !filepath.IsAbs(b.Name):
		return b.Name
	case b.Reference != "":
		return b.Reference
	}
	return layoutName
}

// layoutName is what the evidence calls a layout that names no image.
const layoutName = "oci-layout"

// relative is a path of the repository with slashes, as temper.yaml has it.
func relative(root, path string) string {
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return filepath.Base(path)
	}
	return filepath.ToSlash(rel)
}

// sourcesOf says where the sources lie that Go has compiled: as Go does, in the
// vendor folder if there is one.
func sourcesOf(svc *service.Service, t *binary.Toolchain) license.Folders {
	f := license.Folders{ModCache: t.ModCache, Module: svc.Module, Repository: svc.Root, Go: t.Root}
	if svc.Workfile != "" {
		f.Work = filepath.Dir(svc.Workfile)
	}
	vendor := filepath.Join(cmp.Or(f.Work, f.Module), "vendor")
	if _, err := os.Stat(filepath.Join(vendor, "modules.txt")); err == nil {
		f.Vendor = vendor
	}
	return f
}

// goSum reads the sums that a vendored build info lacks. A module without
// requirements has no go.sum.
func goSum(svc *service.Service) map[string]string {
	raw, err := os.ReadFile(filepath.Join(svc.Module, "go.sum"))
	if err != nil {
		return nil
	}
	return evidence.ParseGoSum(raw)
}
