//lint:file-ignore SA1019 the structs that replace these are made of protobuf, whose JSON is not the same bytes every time

package evidence

import (
	"fmt"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/common"
	slsa "github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/v1"
)

const (
	// BuildType names what temper build does; the README describes it.
	BuildType = "urn:temper:build-type:go-image:v1"
	// LocalBuilder is the builder that nobody but its user vouches for: SLSA
	// Build L1.
	LocalBuilder = "urn:temper:builder:local"
)

// A Build is what a provenance tells of how images came to be.
type Build struct {
	// Parameters are the service's configuration, complete: with the source and
	// the toolchain they decide every byte. They are written as JSON.
	Parameters any
	// Source is where the code came from; its zero value says that nobody knows.
	Source Source
	// Go is the release that compiled, such as "go1.26.8", and Chosen what named
	// it.
	Go, Chosen string
	// Toolchain is the hash of the programs that compiled, as go.sum has hashes of
	// modules; empty where nobody knows.
	Toolchain string
	Base      Base
	// Signed is who signed the base.
	Signed Signer
	// Sums is the module's go.sum by "path version", for vendored builds.
	Sums map[string]string
	// Version is Temper's own.
	Version           string
	Started, Finished time.Time
}

// ProvenanceOf returns the SLSA v1 provenance of the images that one build
// made.
func ProvenanceOf(b Build, images ...Image) *slsa.ProvenancePredicate {
	var deps []slsa.ResourceDescriptor
	if b.Source.Commit != "" {
		deps = append(deps, b.Source.descriptor())
	}
	deps = append(deps, slsa.ResourceDescriptor{
		Name:        "base",
		URI:         b.Base.Name,
		Digest:      common.DigestSet{b.Base.Digest.Algorithm: b.Base.Digest.Hex},
		Annotations: b.Signed.annotations(),
	}, b.toolchain())
	_, modules := Modules(b.Sums, images...)
	for _, m := range modules {
		d := slsa.ResourceDescriptor{Name: m.Path, URI: m.purl()}
		if m.Sum != "" {
			// in-toto's name for go.sum's h1.
			// https://github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md
			d.Digest = common.DigestSet{"dirHash": m.Sum}
		}
		if folder := m.told(); folder != "" {
			d.Annotations = map[string]any{"replacedBy": folder}
		}
		deps = append(deps, d)
	}
	started, finished := b.Started.UTC().Truncate(time.Second), b.Finished.UTC().Truncate(time.Second)
	return &slsa.ProvenancePredicate{
		BuildDefinition: slsa.ProvenanceBuildDefinition{
			BuildType:            BuildType,
			ExternalParameters:   b.Parameters,
			ResolvedDependencies: deps,
		},
		RunDetails: slsa.ProvenanceRunDetails{
			Builder:       slsa.Builder{ID: LocalBuilder, Version: map[string]string{"temper": b.Version}},
			BuildMetadata: slsa.BuildMetadata{StartedOn: &started, FinishedOn: &finished},
		},
	}
}

func (b Build) toolchain() slsa.ResourceDescriptor {
	d := slsa.ResourceDescriptor{
		Name:        "go",
		URI:         "pkg:golang/toolchain@" + strings.TrimPrefix(b.Go, "go"),
		Annotations: map[string]any{"chosenBy": b.Chosen},
	}
	if b.Toolchain != "" {
		d.Digest = common.DigestSet{"dirHash": b.Toolchain}
	}
	return d
}

// SameBuild tells whether two provenances differ in nothing but when the build
// ran: then the older one says all that the newer does.
func SameBuild(a, b *Statement) (bool, error) {
	strip := func(s *Statement) (string, error) {
		p, err := s.Provenance()
		if err != nil {
			return "", err
		}
		p.RunDetails.BuildMetadata = slsa.BuildMetadata{}
		stripped, err := State(Provenance, p, "")
		if err != nil {
			return "", err
		}
		stripped.Subject = s.Subject
		raw, err := stripped.Bytes()
		return string(raw), err
	}
	sa, err := strip(a)
	if err != nil {
		return false, err
	}
	sb, err := strip(b)
	return sa == sb, err
}

// Provenance reads the statement's predicate, which must be a SLSA provenance.
func (s *Statement) Provenance() (*slsa.ProvenancePredicate, error) {
	var p slsa.ProvenancePredicate
	if err := s.decode(Provenance, &p); err != nil {
		return nil, err
	}
	return &p, nil
}

// Images states one predicate about an index and all its images.
func Images(index v1.Hash, images []Image) []v1.Hash {
	all := []v1.Hash{index}
	for _, img := range images {
		if img.Digest != index {
			all = append(all, img.Digest)
		}
	}
	return all
}

func (s *Statement) decode(predicateType string, into any) error {
	if s.PredicateType != predicateType {
		return fmt.Errorf("the statement's predicate is %s, want %s", s.PredicateType, predicateType)
	}
	return decode(s.Predicate, into)
}
