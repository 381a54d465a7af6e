package main

import (
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks/images"
	"temper/pipeline/evidence"
	"temper/pipeline/image"
	"temper/pipeline/service"
)

// disproved tells what the provenances in a layout say that cannot be so, nil if
// nothing: whoever can write into a layout can write one. Most of what they say is
// a claim that only its builder can make. That an image stands on the base that
// Temper itself makes shows in its layers.
func disproved(e image.Entry, now time.Time) error {
	for _, s := range e.Statements {
		if s.PredicateType != evidence.Provenance {
			continue
		}
		from, err := s.Origin()
		if err != nil {
			return fmt.Errorf("its provenance cannot be read: %w", err)
		}
		if err := outOfTime(s, now); err != nil {
			return err
		}
		if err := baseless(e, from); err != nil {
			return err
		}
	}
	return nil
}

// outOfTime tells what is wrong with the times of a build.
func outOfTime(s *evidence.Statement, now time.Time) error {
	const drift = 5 * time.Minute // of two clocks
	p, err := s.Provenance()
	if err != nil {
		return err
	}
	started, finished := p.RunDetails.BuildMetadata.StartedOn, p.RunDetails.BuildMetadata.FinishedOn
	switch {
	case finished != nil && finished.After(now.Add(drift)):
		return fmt.Errorf("its provenance says that its build ended at %s, which is yet to come", finished.UTC().Format(time.RFC3339))
	case started != nil && started.After(now.Add(drift)):
		return fmt.Errorf("its provenance says that its build began at %s, which is yet to come", started.UTC().Format(time.RFC3339))
	case started != nil && finished != nil && finished.Before(*started):
		return fmt.Errorf("its provenance says that its build ended at %s, before it began at %s", finished.UTC().Format(time.RFC3339), started.UTC().Format(time.RFC3339))
	}
	return nil
}

// baseless tells what is wrong with the base that a provenance names. The built-in
// one of another version of Temper is not at hand, and neither is what comes from a
// registry or was a folder: of those the images' own annotations must say the same.
func baseless(e image.Entry, from *evidence.Origin) error {
	builtin, err := image.Builtin()
	if err != nil {
		return err
	}
	switch ours := from.Base.Digest == builtin.Digest; {
	case !ours && from.Base.Name == service.BuiltinBase && from.Version == version():
		return fmt.Errorf("its provenance says that it stands on the base %s %s, and that of this Temper is %s", from.Base.Name, from.Base.Digest, builtin.Digest)
	case ours:
		list, err := images.Startable(e.Name, e.Artifact)
		if err != nil {
			return err
		}
		for _, img := range list {
			if err := builtin.Under(img); err != nil {
				return fmt.Errorf("its provenance says that it stands on the built-in base, and it does not: %w", err)
			}
		}
	}
	index, ok := e.Artifact.(v1.ImageIndex)
	if !ok || from.Base.Digest == (v1.Hash{}) {
		return nil // an image names the one of its platform
	}
	m, err := index.IndexManifest()
	if err != nil {
		return err
	}
	said, err := image.SaidBase(m.Annotations)
	switch {
	case err != nil:
		return err
	case said != (v1.Hash{}) && said != from.Base.Digest:
		return fmt.Errorf("its provenance says that it stands on %s, and its annotations that it stands on %s", from.Base.Digest, said)
	}
	return nil
}
