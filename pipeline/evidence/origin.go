package evidence

import (
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// An Origin is what a provenance says of where images come from, for readers:
// [ProvenanceOf] is its mirror. What it does not say is empty.
type Origin struct {
	// BuildType and Builder are URIs.
	BuildType, Builder string
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
	o := &Origin{BuildType: p.BuildDefinition.BuildType, Builder: p.RunDetails.Builder.ID}
	if parameters, ok := p.BuildDefinition.ExternalParameters.(map[string]any); ok {
		o.Service, _ = parameters["service"].(string)
	}
	if at := p.RunDetails.BuildMetadata.FinishedOn; at != nil {
		o.Finished = *at
	}
	for _, d := range p.BuildDefinition.ResolvedDependencies {
		switch d.Name {
		case "source":
			o.Source = Source{URI: strings.TrimPrefix(d.URI, "git+"), Commit: d.Digest["gitCommit"], Dirty: d.Annotations["dirty"] == true}
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
