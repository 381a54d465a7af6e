package service

import (
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// An Override is what whoever builds says over temper.yaml, as a command line
// has it. The zero value changes nothing.
type Override struct {
	// Platforms stand in place of the configured ones.
	Platforms []string
	// Go is an exact release in place of the configured one, or of what go.mod
	// leads to.
	Go string
	// BuildTags are added to those of every service.
	BuildTags []string
}

// Override puts o over the configuration. Its errors name the option of the
// command line.
func (r *Repository) Override(o Override) error {
	var platforms []v1.Platform
	for _, text := range o.Platforms {
		platform, err := ParsePlatform(text)
		if err != nil {
			return fmt.Errorf("--platform: %w", err)
		}
		platforms = append(platforms, platform)
	}
	if len(platforms) > 0 {
		r.Platforms = platforms
	}
	if o.Go != "" {
		release, err := parseRelease(o.Go)
		if err != nil {
			return fmt.Errorf("--go: %w", err)
		}
		r.Go, r.GoFrom = release, "--go"
	}
	for _, text := range o.BuildTags {
		tag, err := parseBuildTag(text)
		if err != nil {
			return fmt.Errorf("--build-tag: %w", err)
		}
		for _, s := range r.Services {
			if !slices.Contains(s.BuildTags, tag) {
				s.BuildTags = append(s.BuildTags, tag)
				slices.Sort(s.BuildTags)
			}
		}
	}
	return nil
}
