package service

import (
	"cmp"
	"slices"

	"go.yaml.in/yaml/v3"

	"temper/pipeline/strict"
)

// service decodes one service of a repository; names are the lines of those
// before it.
func (d *decoder) service(n *yaml.Node, r *Repository, names map[string]int) *Service {
	s := newService(r.Dir)
	s.Line = n.Line
	at := map[string]*yaml.Node{} // where to point at when values do not go together
	keep := func(key string, decode func(v *yaml.Node)) func(v *yaml.Node) {
		return func(v *yaml.Node) {
			at[key] = v
			decode(v)
		}
	}
	var files []*yaml.Node
	var manifests *yaml.Node
	before := d.Mistakes()
	d.Item(n, "a service", "{name: orders, dir: src/orders}", strict.Keys{
		"name":    keep("name", func(v *yaml.Node) { s.Name = strict.Value(&d.Decoder, v, "name", parseName) }),
		"dir":     keep("dir", func(v *yaml.Node) {}),
		"package": keep("package", func(v *yaml.Node) {}),
		"path": keep("path", func(v *yaml.Node) {
			s.Path = strict.Value(&d.Decoder, v, "path", strict.About("path", parseBinaryPath))
		}),
		"workdir": keep("workdir", func(v *yaml.Node) {
			s.Workdir = strict.Value(&d.Decoder, v, "workdir", strict.About("workdir", parseImagePath))
		}),
		"files": func(v *yaml.Node) {
			d.List(v, "files", "["+filesExample+"]", func(item *yaml.Node) {
				files = append(files, item)
			})
		},
		"user":  func(v *yaml.Node) { s.User = strict.Value(&d.Decoder, v, "user", parseUser) },
		"ports": func(v *yaml.Node) { s.Ports = strict.Values(&d.Decoder, v, "ports", "[8080]", strict.Once(parsePort)) },
		"env": func(v *yaml.Node) {
			s.Env = d.Texts(v, "env", "{GOTRACEBACK: single}", checkEnvName, strict.Anything)
		},
		"args": func(v *yaml.Node) {
			s.Args = strict.Values(&d.Decoder, v, "args", "[--config, /etc/app.yaml]", strict.Anything)
		},
		"labels": func(v *yaml.Node) {
			s.Labels = d.Texts(v, "labels", "{org.opencontainers.image.source: https://...}", checkLabelName, strict.Anything)
		},
		"tags": func(v *yaml.Node) {
			s.BuildTags = strict.Values(&d.Decoder, v, "tags", "[netgo]", strict.Once(parseBuildTag))
		},
		"goamd64":   func(v *yaml.Node) { s.GOAMD64 = strict.Value(&d.Decoder, v, "goamd64", parseGOAMD64) },
		"gofips140": func(v *yaml.Node) { s.GOFIPS140 = strict.Value(&d.Decoder, v, "gofips140", parseGOFIPS140) },
		"ldflags":   func(v *yaml.Node) { s.Stamps = d.stamps(v) },
		"manifests": func(v *yaml.Node) { manifests = v },
		"probe":     keep("probe", func(v *yaml.Node) { s.Probe = d.probe(v) }),
	})
	if n.Kind != yaml.MappingNode {
		return s
	}
	slices.Sort(s.Ports)
	slices.Sort(s.BuildTags)
	d.named(n, at["name"], s, names)
	d.located(at, s)
	d.probed(at["probe"], s)
	if manifests != nil && s.Dir != "" {
		s.Manifests = strict.Values(&d.Decoder, manifests, "manifests", "[deploy.yaml]", strict.Once(strict.About("manifests", func(text string) (string, error) {
			return d.outlined(s.Dir, text)(inside(s.Root, s.Dir, text))
		})))
	}
	for _, item := range files { // after dir, which they are relative to
		s.Files = append(s.Files, d.files(item, s))
	}
	if d.Mistakes() == before {
		d.source(cmp.Or(at["package"], at["dir"], n), s, r)
		d.apart(at["workdir"], files, s)
	}
	return s
}

// newService has the defaults that do not depend on the name.
func newService(root string) *Service {
	return &Service{Root: root, Dir: root, Package: ".", User: DefaultUser, Probe: defaultProbe()}
}

// named makes sure of a name of its own, and of the path that follows from it.
func (d *decoder) named(n, at *yaml.Node, s *Service, names map[string]int) {
	if at == nil {
		d.Wrong(n, "a service needs a name, as in {name: orders}")
	}
	if s.Name == "" {
		return
	}
	if line, twice := names[s.Name]; twice {
		d.Wrong(at, "name %q stands twice; the first is in line %d", s.Name, line)
	} else {
		names[s.Name] = at.Line
	}
	if s.Path == "" {
		s.Path = defaultPath(s.Name)
	}
}

func defaultPath(name string) string { return "/usr/local/bin/" + name }

// located finds dir, and package relative to it.
func (d *decoder) located(at map[string]*yaml.Node, s *Service) {
	if v := at["dir"]; v != nil {
		s.Dir = strict.Value(&d.Decoder, v, "dir", strict.About("dir", func(text string) (string, error) {
			return d.outlined(s.Root, text)(insideFolder(s.Root, s.Root, text))
		}))
	}
	v := at["package"]
	if v == nil || s.Dir == "" {
		return
	}
	s.Package = strict.Value(&d.Decoder, v, "package", strict.About("package", func(text string) (string, error) {
		folder, err := d.outlined(s.Dir, text)(packageFolder(s.Root, s.Dir, text))
		if err != nil {
			return "", err
		}
		return dotted(s.Dir, folder), nil
	}))
}

// dotted is folder as Go wants it, relative to dir: "." or "./cmd/orders".
func dotted(dir, folder string) string {
	rel := slashed(dir, folder)
	if rel == "." || rel == ".." || len(rel) > 2 && rel[:3] == "../" {
		return rel
	}
	return "./" + rel
}

// stamps decodes ldflags.
func (d *decoder) stamps(n *yaml.Node) map[string]string {
	const example = `{main.version: "{{.Tag}}"}`
	if n.Kind == yaml.ScalarNode && !strict.IsNull(n) {
		d.Wrong(n, "ldflags wants a map of -X stamps, such as %s; -s -w are on already, and no other flag is passed on", example)
		return nil
	}
	return d.Texts(n, "ldflags", example, checkStampName, parseStamp)
}

const filesExample = "{from: templates, to: /src/templates}"

// files decodes one item of files.
func (d *decoder) files(n *yaml.Node, s *Service) Files {
	var f Files
	var from, to bool
	d.Item(n, "files", filesExample, strict.Keys{
		"from": func(v *yaml.Node) {
			from = true
			f.From = strict.Value(&d.Decoder, v, "from", strict.About("from", func(text string) (string, error) {
				if s.Dir == "" {
					return "", nil // dir is wrong, and said to be
				}
				return d.outlined(s.Dir, text)(inside(s.Root, s.Dir, text))
			}))
		},
		"to": func(v *yaml.Node) {
			to = true
			f.To = strict.Value(&d.Decoder, v, "to", strict.About("to", parseImagePath))
		},
	})
	if n.Kind == yaml.MappingNode && !from {
		d.Wrong(n, "files needs from, as in %s", filesExample)
	}
	if n.Kind == yaml.MappingNode && !to {
		d.Wrong(n, "files needs to, as in %s", filesExample)
	}
	return f
}
