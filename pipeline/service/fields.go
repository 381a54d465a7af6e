package service

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A decoder takes YAML nodes apart and collects what is wrong with them, so
// that people see every mistake at once. Its functions return zero values for
// what is wrong.
type decoder struct {
	// rules are the names that a waiver may use; none allow any.
	rules    []string
	mistakes []mistake
	// subjects are those of the waivers.
	subjects []*yaml.Node
}

type mistake struct {
	line, column int
	text         string
}

func (d *decoder) wrong(n *yaml.Node, format string, args ...any) {
	d.wrongAt(n.Line, n.Column, format, args...)
}

func (d *decoder) wrongAt(line, column int, format string, args ...any) {
	d.mistakes = append(d.mistakes, mistake{line, column, fmt.Sprintf(format, args...)})
}

// err joins the mistakes in the order of their places in the file.
func (d *decoder) err() error {
	slices.SortStableFunc(d.mistakes, func(a, b mistake) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	var errs []error
	for _, m := range slices.Compact(d.mistakes) {
		errs = append(errs, fmt.Errorf("%s:%d:%d: %s", ConfigName, m.line, m.column, m.text))
	}
	return errors.Join(errs...)
}

// entries calls each with every key and value of a map. A map without anything
// in it, also when only its key is written, is a map.
func (d *decoder) entries(n *yaml.Node, what, example string, each func(key string, k, v *yaml.Node)) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.wrong(n, "%s wants a map, such as %s; this is %s", what, example, kind(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := resolve(n.Content[i]), resolve(n.Content[i+1])
		if k.Kind != yaml.ScalarNode {
			d.wrong(k, "a key is text; this is %s", kind(k))
			continue
		}
		if k.Tag == "!!merge" {
			d.wrong(k, "merging with << is not supported; write the keys out")
			continue
		}
		if line, twice := seen[k.Value]; twice {
			d.wrong(k, "key %q stands twice; the first is in line %d", k.Value, line)
			continue
		}
		seen[k.Value] = k.Line
		each(k.Value, k, v)
	}
}

// keys are those that a map may have and what to do with each value.
type keys map[string]func(v *yaml.Node)

// mapping decodes a map whose keys are known.
func (d *decoder) mapping(n *yaml.Node, what, example string, known keys) {
	d.entries(n, what, example, func(key string, k, v *yaml.Node) {
		if decode, ok := known[key]; ok {
			decode(v)
			return
		}
		names := slices.Sorted(maps.Keys(known))
		if near := nearest(key, names); near != "" {
			d.wrong(k, "unknown key %q; did you mean %q?", key, near)
			return
		}
		d.wrong(k, "unknown key %q; %s knows %s", key, what, strings.Join(names, ", "))
	})
}

// list calls each with every item of a list.
func (d *decoder) list(n *yaml.Node, what, example string, each func(item *yaml.Node)) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.wrong(n, "%s wants a list, such as %s; this is %s", what, example, kind(n))
		return
	}
	for _, item := range n.Content {
		each(resolve(item))
	}
}

// text returns a scalar as it is written: 8080, true and 1.30 stay what they
// look like.
func (d *decoder) text(n *yaml.Node, what string) (string, bool) {
	switch {
	case n.Kind != yaml.ScalarNode:
		d.wrong(n, "%s wants text; this is %s", what, kind(n))
	case isNull(n):
		d.wrong(n, "%s has no value; write one or leave it out", what)
	case strings.ContainsRune(n.Value, 0):
		d.wrong(n, "%s holds a NUL byte", what)
	default:
		return n.Value, true
	}
	return "", false
}

// value decodes a scalar with parse, whose error is about the scalar.
func value[T any](d *decoder, n *yaml.Node, what string, parse func(string) (T, error)) T {
	var none T
	text, ok := d.text(n, what)
	if !ok {
		return none
	}
	parsed, err := parse(text)
	if err != nil {
		d.wrong(n, "%v", err)
		return none
	}
	return parsed
}

// values decodes a list of scalars with parse.
func values[T any](d *decoder, n *yaml.Node, what, example string, parse func(string) (T, error)) []T {
	var all []T
	d.list(n, what, example, func(item *yaml.Node) {
		before := len(d.mistakes)
		if v := value(d, item, "an item of "+what, parse); len(d.mistakes) == before {
			all = append(all, v)
		}
	})
	return all
}

// texts decodes a map of scalars; check is about its keys, parse about its
// values.
func (d *decoder) texts(n *yaml.Node, what, example string, check func(key string) error, parse func(string) (string, error)) map[string]string {
	all := map[string]string{}
	d.entries(n, what, example, func(key string, k, v *yaml.Node) {
		if err := check(key); err != nil {
			d.wrong(k, "%s: %v", what, err)
			return
		}
		if isNull(v) {
			d.wrong(v, `%s %s has no value; write "" for an empty one`, what, key)
			return
		}
		all[key] = value(d, v, what+" "+key, about(what+" "+key, parse))
	})
	if len(all) == 0 {
		return nil
	}
	return all
}

// about is parse whose error names what it is about.
func about[T any](what string, parse func(string) (T, error)) func(string) (T, error) {
	return func(text string) (T, error) {
		v, err := parse(text)
		if err != nil {
			err = fmt.Errorf("%s: %w", what, err)
		}
		return v, err
	}
}

// once is parse that refuses to see a text twice.
func once[T any](parse func(string) (T, error)) func(string) (T, error) {
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

// anything takes any text.
func anything(text string) (string, error) { return text, nil }

// something takes any text but none.
func something(text string) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", errors.New("empty text says nothing here; write some")
	}
	return text, nil
}

// resolve returns what an alias stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

// kind says what n is, to people.
func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a map"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	}
	return "text"
}
