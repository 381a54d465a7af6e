package main

import (
	"fmt"

	"temper/pipeline/evidence"
	"temper/pipeline/image"
)

func writeTarball(path string, products []*product) error {
	return image.WriteTarball(path, entries(products)...)
}

// writeLayout adds the products to a layout. A provenance that the layout has
// already and that differs in nothing but the time is kept, so that building
// again without a change writes no new statement.
// The other images of the layout stay, unless it is the repository's own and
// this was a build of all there is.
func writeLayout(dir string, products []*product, alone bool) error {
	old, err := image.Read(dir)
	if err == nil {
		for _, one := range products {
			if err := one.keep(old); err != nil {
				return err
			}
		}
	}
	write := image.Write
	if alone {
		write = image.Replace
	}
	if err := write(dir, entries(products)...); err != nil {
		return fmt.Errorf("writing the layout: %w", err)
	}
	return nil
}

func (one *product) keep(old []image.Entry) error {
	for _, e := range old {
		digest, err := e.Artifact.Digest()
		if err != nil || e.Name != one.service.Name || digest != one.digest {
			continue
		}
		for _, was := range e.Statements {
			for i, is := range one.statements {
				if was.PredicateType != evidence.Provenance || is.PredicateType != evidence.Provenance {
					continue
				}
				same, err := evidence.SameBuild(was, is)
				if err != nil {
					return err
				}
				if same {
					one.statements[i] = was
				}
			}
		}
	}
	return nil
}

func entries(products []*product) []image.Entry {
	var out []image.Entry
	for _, one := range products {
		out = append(out, image.Entry{Name: one.service.Name, Artifact: one.artifact, Statements: one.statements})
	}
	return out
}
