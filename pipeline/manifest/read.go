package manifest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"

	"temper/pipeline/strict"
)

// Manifests are the documents of one file, whoever wrote them, and the images
// that they name.
type Manifests struct {
	// File is what the file is called in errors.
	File string
	// Images are those of containers, in the order of the file.
	Images []*Image
	// Other are the remaining values that are text, likewise.
	Other []*Image

	data []byte
	docs []*yaml.Node
}

// An Image is the reference of a container's image.
type Image struct {
	// Text is as it is written, Line and Column are where, from 1 on.
	Text         string
	Line, Column int

	node *yaml.Node
	// elsewhere tells that it is an alias, or merged in, of text that stands
	// somewhere else than in a container.
	elsewhere bool
}

// Read reads manifests, of any kind: a container is an item of a list that is
// called containers, initContainers or ephemeralContainers, wherever that is.
func Read(file string, data []byte) (*Manifests, error) {
	m := &Manifests{File: file, data: data}
	var err error
	if m.docs, err = documents(data); err != nil {
		return nil, fmt.Errorf("%s is not YAML: %w", file, err)
	}
	w := walk{found: map[*yaml.Node]*Image{}, seen: map[*yaml.Node]bool{}}
	for _, d := range m.docs {
		w.value(d)
	}
	for n, i := range w.found {
		if n.Kind == yaml.ScalarNode {
			m.Images = append(m.Images, i)
		}
	}
	for n := range w.seen {
		if n.Kind == yaml.ScalarNode && w.found[n] == nil {
			m.Other = append(m.Other, imageAt(n))
		}
	}
	for _, list := range [][]*Image{m.Images, m.Other} {
		slices.SortFunc(list, func(a, b *Image) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	}
	return m, nil
}

func documents(data []byte) (all []*yaml.Node, err error) {
	for d := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var n yaml.Node
		if err := d.Decode(&n); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, &n)
	}
}

// A walk goes through all values once, however many aliases lead to them.
type walk struct {
	found map[*yaml.Node]*Image
	seen  map[*yaml.Node]bool
}

func imageAt(n *yaml.Node) *Image {
	return &Image{Text: n.Value, Line: n.Line, Column: n.Column, node: n}
}

func (w *walk) value(n *yaml.Node) {
	n = strict.Resolve(n)
	if w.seen[n] {
		return
	}
	w.seen[n] = true
	if n.Kind != yaml.MappingNode {
		for _, child := range n.Content {
			w.value(child)
		}
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		v := n.Content[i+1]
		w.value(v)
		switch strict.Resolve(n.Content[i]).Value {
		case "containers", "initContainers", "ephemeralContainers":
			if list := strict.Resolve(v); list.Kind == yaml.SequenceNode {
				for _, item := range list.Content {
					w.container(strict.Resolve(item))
				}
			}
		}
	}
}

// container finds the image of a container, and looks for it in what is merged
// in if it has none itself.
func (w *walk) container(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		return
	}
	own := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		if strict.Resolve(n.Content[i]).Value != "image" {
			continue
		}
		own = true
		v := n.Content[i+1]
		at := strict.Resolve(v)
		if v.Kind == yaml.AliasNode {
			w.elsewhere(at)
		} else {
			w.found[at] = imageAt(at) // also if an alias has led there before
		}
	}
	if !own {
		w.merged(n, map[*yaml.Node]bool{})
	}
}

func (w *walk) elsewhere(n *yaml.Node) {
	if w.found[n] == nil {
		w.found[n] = imageAt(n)
		w.found[n].elsewhere = true
	}
}

func (w *walk) merged(n *yaml.Node, seen map[*yaml.Node]bool) {
	n = strict.Resolve(n)
	if seen[n] {
		return
	}
	seen[n] = true
	if n.Kind == yaml.SequenceNode {
		for _, one := range n.Content {
			w.merged(one, seen)
		}
		return
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		switch k, v := n.Content[i], strict.Resolve(n.Content[i+1]); {
		case k.Tag == "!!merge":
			w.merged(v, seen)
		case strict.Resolve(k).Value == "image":
			w.elsewhere(v)
		}
	}
}

// With returns the manifests with other texts for some of their images. Every
// other byte is as it was.
func (m *Manifests) With(texts map[*Image]string) ([]byte, error) {
	out := m.data
	changed := make(map[*yaml.Node]string)
	for _, i := range slices.Backward(m.Images) { // so that the places of the others stay
		text, ok := texts[i]
		if !ok || text == i.Text {
			continue
		}
		before, after, ok := strict.Around(out, i.node)
		if !ok || i.elsewhere {
			return nil, fmt.Errorf("%s:%d:%d: the image does not stand in one piece in its container; write it there: %s", m.File, i.Line, i.Column, text)
		}
		out = slices.Concat(before, []byte(text), after)
		changed[i.node] = text
	}
	again, err := documents(out)
	same := err == nil && len(again) == len(m.docs)
	for i := 0; same && i < len(again); i++ {
		same = strict.Same(m.docs[i], again[i], changed)
	}
	if !same {
		return nil, fmt.Errorf("%s: its images cannot be changed without changing more; write them by hand", m.File)
	}
	return out, nil
}
