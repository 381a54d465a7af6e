package main

import (
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

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
	old := image.Statements(dir, evidence.Provenance)
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, one := range products {
		g.Go(func() error { return one.keep(old[one.digest]) })
	}
	if err := g.Wait(); err != nil {
		return err
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

// keep takes the provenances that say all that the new ones do in their place.
func (one *product) keep(old []*evidence.Statement) error {
	for i, is := range one.statements {
		if is.PredicateType != evidence.Provenance {
			continue
		}
		for _, was := range old {
			same, err := evidence.SameBuild(was, is)
			if err != nil {
				return err
			}
			if same {
				one.statements[i] = was
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
