package workloads

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A position is a place in a file: a line and a column from 1 on.
type position struct{ line, column int }

type kind int

const (
	scalar kind = iota
	sequence
	mapping
)

func (k kind) String() string {
	return [...]string{"scalar", "list", "mapping"}[k]
}

// A node is a value of a document, as the API server reads it, and where it
// stands.
type node struct {
	kind   kind
	at     position
	fields []field // of a mapping, in order, each name once
	items  []*node // of a sequence
	// value is a scalar's: nil, bool, int64, uint64, float64 or string.
	value any
	// mistyped values are left out of what is decoded.
	mistyped bool
}

type field struct {
	name  string
	at    position
	value *node
}

// get returns the value of a field, or nil.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for i := range n.fields {
		if n.fields[i].name == name {
			return n.fields[i].value
		}
	}
	return nil
}

// text returns the string in a field, or nothing.
func (n *node) text(name string) string {
	if f := n.get(name); f != nil && f.kind == scalar {
		s, _ := f.value.(string)
		return s
	}
	return ""
}

// A path leads from a node to one below it: names of fields and indexes.
type path []any

// join returns the path and what follows, and shares nothing with either.
func (p path) join(more ...any) path {
	return append(append(make(path, 0, len(p)+len(more)), p...), more...)
}

// follow returns where the path leads: the node there and the position of its
// field, or, where there is nothing, no node and the position of the last thing
// on the way that is there, into which the missing would go.
func (n *node) follow(p path) (*node, position) {
	at := n.at
	for _, step := range p {
		switch step := step.(type) {
		case string:
			i := 0
			for ; i < len(n.fields) && n.fields[i].name != step; i++ {
			}
			if i == len(n.fields) {
				return nil, at
			}
			at, n = n.fields[i].at, n.fields[i].value
		case int:
			if step >= len(n.items) {
				return nil, at
			}
			n = n.items[step]
			at = n.at
		}
	}
	return n, at
}

// describe writes a path as people know it: items by their names, if they have
// one. The path leads from n on.
func (n *node) describe(p path) string {
	var b strings.Builder
	for _, step := range p {
		switch step := step.(type) {
		case string:
			n = n.get(step)
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			if strings.ContainsAny(step, ". []") {
				step = strconv.Quote(step)
			}
			b.WriteString(step)
		case int:
			if n != nil && step < len(n.items) {
				n = n.items[step]
			} else {
				n = nil
			}
			if name := n.text("name"); name != "" {
				fmt.Fprintf(&b, "[%s]", name)
			} else {
				fmt.Fprintf(&b, "[%d]", step)
			}
		}
	}
	return b.String()
}

// json writes the node as JSON, without what is mistyped.
func (n *node) json() []byte { return n.appendJSON(nil) }

func (n *node) appendJSON(b []byte) []byte {
	switch n.kind {
	case mapping:
		b = append(b, '{')
		first := true
		for i := range n.fields {
			f := &n.fields[i]
			if f.value.mistyped {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = append(appendString(b, f.name), ':')
			b = f.value.appendJSON(b)
		}
		return append(b, '}')
	case sequence:
		b = append(b, '[')
		for i, item := range n.items {
			if i > 0 {
				b = append(b, ',')
			}
			if item.mistyped {
				// A null takes its place, so that indexes stay what they are.
				b = append(b, "null"...)
				continue
			}
			b = item.appendJSON(b)
		}
		return append(b, ']')
	}
	switch v := n.value.(type) {
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case uint64:
		return strconv.AppendUint(b, v, 10)
	case float64:
		text, err := json.Marshal(v)
		if err != nil { // not a number, or infinite
			return append(b, "null"...)
		}
		return append(b, text...)
	case string:
		return appendString(b, v)
	}
	return append(b, "null"...)
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			text, _ := json.Marshal(s) // a string always has one
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// says is a scalar as it stands in the file, or nearly so.
func (n *node) says() string {
	switch v := n.value.(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return strconv.FormatFloat(v, 'f', 1, 64)
		}
	}
	return fmt.Sprint(n.value)
}

// is says what a node is, to somebody who wrote another thing.
func (n *node) is() string {
	if n.kind != scalar {
		return "a " + n.kind.String()
	}
	switch n.value.(type) {
	case nil:
		return "null"
	case bool:
		return "the boolean " + n.says()
	case string:
		return "the string " + n.says()
	}
	return "the number " + n.says()
}
