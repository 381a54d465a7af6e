// Package strict reads YAML that people write and that must mean what they
// think: an unknown key, a key that stands twice, a tag, a second document or a
// value of another kind is a mistake with its place, and all mistakes of a file
// are told at once. What it reads is bounded.
package strict

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Decoder takes YAML nodes apart and collects what is wrong with them. Its
// functions return zero values for what is wrong.
type Decoder struct {
	// File is what the file is called in errors.
	File     string
	mistakes []mistake
}

// Mistakes is how many were found so far.
func (d *Decoder) Mistakes() int { return len(d.mistakes) }

type mistake struct {
	line, column int
	text         string
}

// Wrong notes a mistake at n.
func (d *Decoder) Wrong(n *yaml.Node, format string, args ...any) {
	d.WrongAt(n.Line, n.Column, format, args...)
}

// WrongAt notes a mistake at a line and a column, both counted from 1.
func (d *Decoder) WrongAt(line, column int, format string, args ...any) {
	d.mistakes = append(d.mistakes, mistake{line, column, fmt.Sprintf(format, args...)})
}

// Err joins the mistakes in the order of their places in the file.
func (d *Decoder) Err() error {
	slices.SortStableFunc(d.mistakes, func(a, b mistake) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	var errs []error
	for _, m := range slices.Compact(d.mistakes) {
		errs = append(errs, fmt.Errorf("%s:%d:%d: %s", d.File, m.line, m.column, m.text))
	}
	return errors.Join(errs...)
}

// Entries calls each with every key and value of a map. A map without anything
// in it, also when only its key is written, is a map.
func (d *Decoder) Entries(n *yaml.Node, what, example string, each func(key string, k, v *yaml.Node)) {
	if IsNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.Wrong(n, "%s wants a map, such as %s; this is %s", what, example, kind(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := Resolve(n.Content[i]), Resolve(n.Content[i+1])
		if k.Kind != yaml.ScalarNode {
			d.Wrong(k, "a key is text; this is %s", kind(k))
			continue
		}
		if k.Tag == "!!merge" {
			d.Wrong(k, "merging with << is not supported; write the keys out")
			continue
		}
		if line, twice := seen[k.Value]; twice {
			d.Wrong(k, "key %q stands twice; the first is in line %d", k.Value, line)
			continue
		}
		seen[k.Value] = k.Line
		each(k.Value, k, v)
	}
}

// Keys are those that a map may have and what to do with each value.
type Keys map[string]func(v *yaml.Node)

// Mapping decodes a map whose keys are known.
func (d *Decoder) Mapping(n *yaml.Node, what, example string, known Keys) {
	d.Entries(n, what, example, func(key string, k, v *yaml.Node) {
		if decode, ok := known[key]; ok {
			decode(v)
			return
		}
		names := slices.Sorted(maps.Keys(known))
		if near := Nearest(key, names); near != "" {
			d.Wrong(k, "unknown key %q; did you mean %q?", key, near)
			return
		}
		d.Wrong(k, "unknown key %q; %s knows %s", key, what, strings.Join(names, ", "))
	})
}

// Item is Mapping for an item of a list, which cannot be left empty.
func (d *Decoder) Item(n *yaml.Node, what, example string, known Keys) {
	if IsNull(n) {
		d.Wrong(n, "%s wants a map, such as %s; this is nothing", what, example)
		return
	}
	d.Mapping(n, what, example, known)
}

// List calls each with every item of a list.
func (d *Decoder) List(n *yaml.Node, what, example string, each func(item *yaml.Node)) {
	if IsNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.Wrong(n, "%s wants a list, such as %s; this is %s", what, example, kind(n))
		return
	}
	for _, item := range n.Content {
		each(Resolve(item))
	}
}

// Text returns a scalar as it is written: 8080, true and 1.30 stay what they
// look like.
func (d *Decoder) Text(n *yaml.Node, what string) (string, bool) {
	switch {
	case n.Kind != yaml.ScalarNode:
		d.Wrong(n, "%s wants text; this is %s", what, kind(n))
	case IsNull(n):
		d.Wrong(n, "%s has no value; write one or leave it out", what)
	case strings.ContainsRune(n.Value, 0):
		d.Wrong(n, "%s holds a NUL byte", what)
	default:
		return n.Value, true
	}
	return "", false
}

// Value decodes a scalar with parse, whose error is about the scalar.
func Value[T any](d *Decoder, n *yaml.Node, what string, parse func(string) (T, error)) T {
	var none T
	text, ok := d.Text(n, what)
	if !ok {
		return none
	}
	parsed, err := parse(text)
	if err != nil {
		d.Wrong(n, "%v", err)
		return none
	}
	return parsed
}

// Values decodes a list of scalars with parse.
func Values[T any](d *Decoder, n *yaml.Node, what, example string, parse func(string) (T, error)) []T {
	var all []T
	d.List(n, what, example, func(item *yaml.Node) {
		before := len(d.mistakes)
		if v := Value(d, item, "an item of "+what, parse); len(d.mistakes) == before {
			all = append(all, v)
		}
	})
	return all
}

// Texts decodes a map of scalars; check is about its keys, parse about its
// values.
func (d *Decoder) Texts(n *yaml.Node, what, example string, check func(key string) error, parse func(string) (string, error)) map[string]string {
	all := map[string]string{}
	d.Entries(n, what, example, func(key string, k, v *yaml.Node) {
		if err := check(key); err != nil {
			d.Wrong(k, "%s: %v", what, err)
			return
		}
		if IsNull(v) {
			d.Wrong(v, `%s %s has no value; write "" for an empty one`, what, key)
			return
		}
		all[key] = Value(d, v, what+" "+key, About(what+" "+key, parse))
	})
	if len(all) == 0 {
		return nil
	}
	return all
}

// About is parse whose error names what it is about.
func About[T any](what string, parse func(string) (T, error)) func(string) (T, error) {
	return func(text string) (T, error) {
		v, err := parse(text)
		if err != nil {
			err = fmt.Errorf("%s: %w", what, err)
		}
		return v, err
	}
}

// Once is parse that refuses to see a text twice.
func Once[T any](parse func(string) (T, error)) func(string) (T, error) {
	seen := map[string]bool{}
	return func(text string) (T, error) {
		if seen[text] {
			var none T
			return none, fmt.Errorf("%q stands twice", text)
		}
		seen[text] = true
		return parse(text)
	}
}

// Anything takes any text.
func Anything(text string) (string, error) { return text, nil }

// Something takes any text but none.
func Something(text string) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", errors.New("empty text says nothing here; write some")
	}
	return text, nil
}

// Resolve returns what an alias stands for.
func Resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// IsNull tells whether nothing stands there.
func IsNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

// kind says what n is, to people.
func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a map"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case IsNull(n):
		return "nothing"
	}
	return "text"
}
