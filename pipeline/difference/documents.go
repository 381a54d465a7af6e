package difference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// A Change is one value of a JSON document that is another in a second one.
type Change struct {
	// Name is the path to the value, such as "config.User" or
	// "history[2].created_by".
	Name string
	// Old and New are the values: a text as it is, all else as JSON, empty where
	// it is not there. Of two lists of texts they are what the other has not.
	Old, New string
}

// Changes compares two JSON documents, as Go decodes them, and lists what
// differs by name.
func Changes(a, b any) []Change {
	var list []Change
	compare("", a, b, true, true, func(c Change) { list = append(list, c) })
	return list
}

// compare walks into two values, of which one may not be there.
func compare(name string, a, b any, inA, inB bool, tell func(Change)) {
	if inA && inB {
		switch one := a.(type) {
		case map[string]any:
			if other, ok := b.(map[string]any); ok {
				keys := make(map[string]bool)
				for k := range one {
					keys[k] = true
				}
				for k := range other {
					keys[k] = true
				}
				for _, k := range slices.Sorted(maps.Keys(keys)) {
					va, inA := one[k]
					vb, inB := other[k]
					compare(strings.TrimPrefix(name+"."+k, "."), va, vb, inA, inB, tell)
				}
				return
			}
		case []any:
			if other, ok := b.([]any); ok && hasObjects(one) && hasObjects(other) {
				for i := range max(len(one), len(other)) {
					compare(fmt.Sprintf("%s[%d]", name, i), at(one, i), at(other, i), i < len(one), i < len(other), tell)
				}
				return
			} else if ok && !slices.Equal(texts(one), texts(other)) {
				tell(changeOfLists(name, texts(one), texts(other)))
				return
			}
		}
	}
	old, new := "", ""
	if inA {
		old = text(a)
	}
	if inB {
		new = text(b)
	}
	if old != new {
		tell(Change{name, old, new})
	}
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

func hasObjects(list []any) bool {
	return slices.ContainsFunc(list, func(v any) bool { _, ok := v.(map[string]any); return ok })
}

func texts(list []any) []string {
	all := make([]string, len(list))
	for i, v := range list {
		all[i] = text(v)
	}
	return all
}

// changeOfLists tells what the other list has not; all of it where that is only
// the order or the number.
func changeOfLists(name string, a, b []string) Change {
	without := func(list, other []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
	}
	onlyA, onlyB := without(a, b), without(b, a)
	if len(onlyA)+len(onlyB) == 0 {
		onlyA, onlyB = a, b
	}
	return Change{name, strings.Join(onlyA, ", "), strings.Join(onlyB, ", ")}
}

// text is a value as people read it.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v) // as of no JSON document
	}
	return strings.TrimSuffix(buf.String(), "\n")
}

// parse reads a document, with its numbers as they are written.
func parse(raw []byte) (doc any, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("there is more after the document")
	}
	return doc, nil
}

// documents notes what two documents do not have in common, as far as read
// leaves it in.
func (c *comparison) documents(at Difference, prefix string, rawA, rawB []byte, read func([]byte) (any, error)) error {
	a, err := read(rawA)
	if err != nil {
		return fmt.Errorf("reading the %sdocument that was released: %w", prefix, err)
	}
	b, err := read(rawB)
	if err != nil {
		return fmt.Errorf("reading the %sdocument that was rebuilt: %w", prefix, err)
	}
	for _, change := range Changes(a, b) {
		d := at
		d.What, d.Released, d.Rebuilt = prefix+change.Name, change.Old, change.New
		d.Cause = configured(change)
		c.add(d)
	}
	return nil
}

// causes are what decides parts of the documents, by how their names begin.
var causes = []struct{ name, cause string }{
	{"annotations.org.opencontainers.image.base.", anotherBase},
	{"config.User", "temper.yaml said otherwise: user"},
	{"config.Env", "temper.yaml said otherwise: env; or " + anotherBase},
	{"config.Entrypoint", "temper.yaml said otherwise: path"},
	{"config.Cmd", "temper.yaml said otherwise: args"},
	{"config.WorkingDir", "temper.yaml said otherwise: workdir; or " + anotherBase},
	{"config.Labels", "temper.yaml said otherwise: labels"},
	{"config.ExposedPorts", "temper.yaml said otherwise: ports"},
	{"created", "temper.yaml or --created said otherwise"},
	{"os", anotherPlatform},
	{"architecture", anotherPlatform},
	{"variant", anotherPlatform},
}

// configured is the likely cause of a change of a manifest or a configuration.
func configured(c Change) string {
	for _, one := range causes {
		if strings.HasPrefix(c.Name, one.name) {
			return one.cause
		}
	}
	switch {
	case strings.HasPrefix(c.Name, "history") && strings.Contains(c.Old+c.New, "temper assets"):
		return "static files on one side only"
	case strings.HasPrefix(c.Name, "history") && strings.Contains(c.Old+c.New, "temper binary"):
		return "temper.yaml said otherwise: path"
	case strings.HasPrefix(c.Name, "history") && strings.HasSuffix(c.Name, ".created"):
		return "temper.yaml or --created said otherwise; or " + anotherBase
	case strings.HasPrefix(c.Name, "history"):
		return anotherBase
	}
	return "another tool wrote it, or another version of Temper"
}
