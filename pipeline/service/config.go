package service

import (
	"fmt"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"go.yaml.in/yaml/v3"

	"temper/pipeline/strict"
)

// configure reads temper.yaml into the repository.
func (r *Repository) configure(rules []string) error {
	data, err := strict.Read(r.Config)
	if err != nil {
		return fmt.Errorf("reading %s: %w", ConfigName, err)
	}
	return r.decode(data, rules...)
}

// A decoder reads a temper.yaml.
type decoder struct {
	strict.Decoder
	// rules are the names that a waiver may use; none allow any.
	rules []string
	// subjects are those of the waivers.
	subjects []*yaml.Node
	// outline takes what is not there to be there.
	outline bool
}

func decoding(rules ...string) *decoder {
	return &decoder{Decoder: strict.Decoder{File: ConfigName}, rules: rules}
}

func (r *Repository) decode(data []byte, rules ...string) error {
	d := decoding(rules...)
	d.outline = r.outline
	if root := d.Parse(data); root != nil {
		r.decodeFile(d, root)
	}
	r.subjects = d.subjects
	return d.Err()
}

func (r *Repository) decodeFile(d *decoder, root *yaml.Node) {
	var services []*yaml.Node
	d.Mapping(root, ConfigName, "services: [{name: orders}]", strict.Keys{
		"base": func(v *yaml.Node) { d.base(v, r) },
		"platforms": func(v *yaml.Node) {
			given := strict.Values(&d.Decoder, v, "platforms", "[linux/amd64, linux/arm64]", strict.Once(ParsePlatform))
			if len(given) > 0 {
				r.Platforms = given
			}
		},
		"go":      func(v *yaml.Node) { r.Go, r.GoFrom = strict.Value(&d.Decoder, v, "go", parseRelease), ConfigName },
		"created": func(v *yaml.Node) { r.Created = strict.Value(&d.Decoder, v, "created", parseCreated) },
		"services": func(v *yaml.Node) {
			d.List(v, "services", "[{name: orders}]", func(item *yaml.Node) { services = append(services, item) })
		},
		"waive": func(v *yaml.Node) { r.Waivers = d.waivers(v) },
		"release": func(v *yaml.Node) {
			d.Mapping(v, "release", `{tags: ["{{.Tag}}"]}`, strict.Keys{
				"tags": func(v *yaml.Node) {
					r.Tags = strict.Values(&d.Decoder, v, "tags", `["{{.Tag}}"]`, strict.Once(parseReleaseTag))
				},
			})
		},
	})
	names := map[string]int{}
	for _, n := range services { // last, for they depend on the platforms
		r.Services = append(r.Services, d.service(n, r, names))
	}
	if len(services) > 0 {
		d.known(slices.Sorted(maps.Keys(names)))
	}
}

// firstPlatform is the one that files of Go are looked at for.
func (r *Repository) firstPlatform() v1.Platform {
	if len(r.Platforms) == 0 {
		return defaultPlatforms()[0]
	}
	return r.Platforms[0]
}
