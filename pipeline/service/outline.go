package service

import (
	"errors"
	"io/fs"
	"path"

	"go.yaml.in/yaml/v3"

	"temper/pipeline/strict"
)

// An Outline is what a temper.yaml tells without the sources that it speaks of.
type Outline struct {
	// Go is the release that it asks for, such as "1.26.8"; empty if it asks for
	// none.
	Go string
	// Folders are those of the main packages, relative to temper.yaml, with
	// slashes; none if it names no services.
	Folders []string
}

// ReadOutline reads the outline of a temper.yaml, which is empty if there is no
// such file. What else stands there is not looked at.
func ReadOutline(file string) (Outline, error) {
	var o Outline
	data, err := strict.Read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return o, err
	}
	d := decoding()
	if root := d.Parse(data); root != nil {
		unread := func(*yaml.Node) {}
		d.Mapping(root, ConfigName, "go: 1.26.8", strict.Keys{
			"base": unread, "platforms": unread, "created": unread, "release": unread, "waive": unread,
			"go": func(v *yaml.Node) { o.Go = strict.Value(&d.Decoder, v, "go", parseRelease) },
			"services": func(v *yaml.Node) {
				for _, item := range v.Content {
					o.Folders = append(o.Folders, folderIn(strict.Resolve(item)))
				}
			},
		})
	}
	return o, d.Err()
}

// folderIn returns the folder of a service's main package, and nothing of what is
// wrong there.
func folderIn(item *yaml.Node) string {
	var dir, pkg string
	for i := 0; item.Kind == yaml.MappingNode && i+1 < len(item.Content); i += 2 {
		switch item.Content[i].Value {
		case "dir":
			dir = strict.Resolve(item.Content[i+1]).Value
		case "package":
			pkg = strict.Resolve(item.Content[i+1]).Value
		}
	}
	return path.Join(dir, pkg)
}
