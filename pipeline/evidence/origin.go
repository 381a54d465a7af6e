package evidence

import (
	"errors"
	"fmt"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// An Origin is what a provenance says of where images come from, for readers:
// [ProvenanceOf] is its mirror. What it does not say is empty.
type Origin struct {
	// BuildType and Builder are URIs, and Version is that of Temper.
	BuildType, Builder, Version string
	// Parameters are as JSON decodes them.
	Parameters any
	// Service is the name that the configuration gives to what was built.
	Service string
	Source  Source
	// Go is the release that compiled, such as "go1.26.8", and Toolchain the
	// digest of it as the builder had it, as "NAME:VALUE".
	Go, Toolchain string
	Base          Base
	// Signed is who signed the base.
	Signed Signer
	// Finished is when the build ended.
	Finished time.Time
}

// Origin reads the statement's predicate, which must be a SLSA provenance.
func (s *Statement) Origin() (*Origin, error) {
	p, err := s.Provenance()
	if err != nil {
		return nil, err
	}
	o := &Origin{
		BuildType: p.BuildDefinition.BuildType, Parameters: p.BuildDefinition.ExternalParameters,
		Builder: p.RunDetails.Builder.ID, Version: p.RunDetails.Builder.Version["temper"],
	}
	if parameters, ok := p.BuildDefinition.ExternalParameters.(map[string]any); ok {
		o.Service, _ = parameters["service"].(string)
	}
	if at := p.RunDetails.BuildMetadata.FinishedOn; at != nil {
		o.Finished = *at
	}
	seen := make(map[string]bool)
	for _, d := range p.BuildDefinition.ResolvedDependencies {
		if seen[d.Name] {
			continue // a module, which may have any name and comes after the others
		}
		seen[d.Name] = true
		switch d.Name {
		case "source":
			// Whatever else is said in its place is no word for clean.
			said, dirty := d.Annotations["dirty"]
			o.Source = Source{URI: strings.TrimPrefix(d.URI, "git+"), Commit: d.Digest["gitCommit"], Dirty: dirty && said != false}
		case "go":
			if _, version, ok := strings.Cut(d.URI, "@"); ok {
				o.Go = "go" + version
			}
			for _, name := range []string{"dirHash", "sha256"} {
				if sum := d.Digest[name]; sum != "" && o.Toolchain == "" {
					o.Toolchain = name + ":" + sum
				}
			}
		case "base":
			o.Base, o.Signed = Base{Name: d.URI}, SignerOf(d)
			if sum := d.Digest["sha256"]; sum != "" {
				o.Base.Digest = v1.Hash{Algorithm: "sha256", Hex: sum}
			}
		}
	}
	return o, nil
}

// Repeatable says why nobody can repeat the build, whatever they have at hand;
// nil if it tells all that it takes.
func (o *Origin) Repeatable() error {
	switch {
	case o.BuildType != BuildType:
		return fmt.Errorf("its build type is %q, and Temper's is %s", o.BuildType, BuildType)
	case o.Source.Commit == "":
		return errors.New("it names no commit")
	case !commitHash().MatchString(o.Source.Commit):
		return fmt.Errorf("its commit is %q, which is no full hash", o.Source.Commit)
	case o.Source.Dirty:
		return errors.New("it was built from changes that are in no commit")
	case o.Go == "":
		return errors.New("it names no Go release")
	}
	if _, err := v1.NewHash(o.Base.Digest.String()); err != nil {
		return fmt.Errorf("its base %q has no digest", o.Base.Name)
	}
	return nil
}
