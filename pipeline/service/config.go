package service

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"go.yaml.in/yaml/v3"
)

// configure reads temper.yaml into the repository.
func (r *Repository) configure(rules []string) error {
	data, err := readConfig(r.Config)
	if err != nil {
		return fmt.Errorf("reading %s: %w", ConfigName, err)
	}
	return r.decode(data, rules...)
}

// readConfig reads one byte more than a configuration may have, if there is
// one.
func readConfig(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would keep us waiting
		return nil, errors.New("it is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxConfig+1))
}

func (r *Repository) decode(data []byte, rules ...string) error {
	d := &decoder{rules: rules}
	if root := d.parse(data); root != nil {
		r.decodeFile(d, root)
	}
	r.subjects = d.subjects
	return d.err()
}

func (r *Repository) decodeFile(d *decoder, root *yaml.Node) {
	var services []*yaml.Node
	d.mapping(root, ConfigName, "services: [{name: orders}]", keys{
		"base": func(v *yaml.Node) { d.base(v, r) },
		"platforms": func(v *yaml.Node) {
			given := values(d, v, "platforms", "[linux/amd64, linux/arm64]", once(ParsePlatform))
			if len(given) > 0 {
				r.Platforms = given
			}
		},
		"go":      func(v *yaml.Node) { r.Go, r.GoFrom = value(d, v, "go", parseRelease), ConfigName },
		"created": func(v *yaml.Node) { r.Created = value(d, v, "created", parseCreated) },
		"services": func(v *yaml.Node) {
			d.list(v, "services", "[{name: orders}]", func(item *yaml.Node) { services = append(services, item) })
		},
		"waive": func(v *yaml.Node) { r.Waivers = d.waivers(v) },
		"release": func(v *yaml.Node) {
			d.mapping(v, "release", `{tags: ["{{.Tag}}"]}`, keys{
				"tags": func(v *yaml.Node) {
					r.Tags = values(d, v, "tags", `["{{.Tag}}"]`, once(parseReleaseTag))
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

// item is mapping for an item of a list, which cannot be left empty.
func (d *decoder) item(n *yaml.Node, what, example string, known keys) {
	if isNull(n) {
		d.wrong(n, "%s wants a map, such as %s; this is nothing", what, example)
		return
	}
	d.mapping(n, what, example, known)
}

// firstPlatform is the one that files of Go are looked at for.
func (r *Repository) firstPlatform() v1.Platform {
	if len(r.Platforms) == 0 {
		return defaultPlatforms()[0]
	}
	return r.Platforms[0]
}
