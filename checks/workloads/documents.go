package workloads

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"temper/checks/pattern"
)

const (
	// maxDocument is what the API server takes in one request.
	// https://github.com/kubernetes/kubernetes/blob/v1.34.0/staging/src/k8s.io/apiserver/pkg/server/config.go
	maxDocument = 3 << 20
	// maxDepth is far beyond what any schema nests.
	maxDepth = 200
	// maxAliased is how many nodes aliases may add to a document.
	maxAliased = 50_000
)

// A document is what stands between two lines of three dashes, or one JSON value.
type document struct {
	root *node
	// twice are the fields that a mapping has more than once.
	twice []twice
	// values is how many there are, at all depths.
	values int
}

type twice struct {
	name      string
	at, first position
}

// A SyntaxError is about a file that is neither YAML nor JSON, or that is more
// than the API server would take.
type SyntaxError struct {
	File string
	// Line is where in it, from 1 on; 0 where that is not known.
	Line    int
	Problem string
	// Template tells that the file holds the actions of a template, and Chart
	// which chart it belongs to, empty where that is not known.
	Template bool
	Chart    string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Problem)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
}

// documents are those of a file, one at a time, so that nobody has to hold them all.
// An error is the last that comes.
func documents(file string, data []byte) iter.Seq2[*document, error] {
	return func(yield func(*document, error) bool) {
		wrong := func(line int, format string, args ...any) {
			yield(nil, &SyntaxError{File: file, Line: line, Problem: fmt.Sprintf(format, args...)})
		}
		data := bytes.TrimPrefix(data, []byte("\ufeff"))
		if !utf8.Valid(data) {
			wrong(0, "it is not UTF-8 text")
			return
		}
		count, values := 0, 0
		for _, part := range split(data) {
			if len(part.text) > maxDocument {
				wrong(part.line, "a document of more than 3 MiB, which is more than the API server takes")
				return
			}
			list, err := part.parse()
			if err != nil {
				if at := action().FindIndex(part.text); at != nil {
					at := part.line + bytes.Count(part.text[:at[0]], []byte("\n"))
					yield(nil, &SyntaxError{File: file, Line: at, Problem: "a template, and no YAML before it is filled in (" + err.problem + ")", Template: true})
					return
				}
				wrong(err.line, "%s", err.problem)
				return
			}
			count += len(list)
			for _, d := range list {
				values += d.values
			}
			if values > maxValues || count > maxObjects {
				wrong(part.line, "more than %d documents or %d values in one file", maxObjects, maxValues)
				return
			}
			for _, d := range list {
				if !yield(d, nil) {
					return
				}
			}
		}
	}
}

// action matches what Helm and others fill in.
var action = pattern.New(`\{\{-?\s*[A-Za-z.$"(/]`)

// A part of a file is a document, and the line that it begins on.
type part struct {
	text []byte
	line int
}

// split divides a file at the lines that begin with three dashes. YAML allows
// such lines nowhere inside of a document.
// https://yaml.org/spec/1.2.2/#document-prefix
func split(data []byte) []part {
	parts := []part{{line: 1}}
	line, from := 1, 0
	for at := 0; at < len(data); line++ {
		end := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if text := data[at:end]; bytes.HasPrefix(text, []byte("---")) && (len(text) == 3 || strings.IndexByte(" \t\r\n", text[3]) >= 0) {
			last := &parts[len(parts)-1]
			last.text = data[from:at]
			parts = append(parts, part{line: line})
			from = at
		}
		at = end
	}
	parts[len(parts)-1].text = data[from:]
	return parts
}

// A problem of the syntax has its line in the file.
type problem struct {
	line    int
	problem string
}

func (p part) parse() ([]*document, *problem) {
	text := bytes.TrimSpace(p.text)
	if len(text) == 0 {
		return nil, nil
	}
	if text[0] == '{' || text[0] == '[' {
		docs, err := p.parseJSON()
		if err == nil {
			return docs, nil
		}
		// It may be YAML that begins with a brace, and then the other error tells.
		if docs, err := p.parseYAML(); err == nil {
			return docs, nil
		}
		return nil, err
	}
	return p.parseYAML()
}

func (p part) parseYAML() ([]*document, *problem) {
	d := yaml.NewDecoder(bytes.NewReader(p.text))
	var root yaml.Node
	if err := d.Decode(&root); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, p.syntax(err)
	}
	var more yaml.Node
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		end := bytes.Index(p.text, []byte("\n..."))
		return nil, &problem{p.line + bytes.Count(p.text[:end+1], []byte("\n")), "what follows the end of a document does not begin with a line of three dashes"}
	}
	c := &converter{offset: p.line - 1, active: make(map[*yaml.Node]bool)}
	n := c.convert(root.Content[0], 0)
	if c.wrong != nil {
		return nil, c.wrong
	}
	if n.kind == scalar && n.value == nil {
		return nil, nil
	}
	return []*document{{n, c.twice, c.values}}, nil
}

// syntax is an error of the YAML parser. The line that it names is mostly that of
// what it was in the middle of: the one that it stumbles over is the last that has
// to be there for the same error.
func (p part) syntax(err error) *problem {
	said := strings.TrimPrefix(err.Error(), "yaml: ")
	first, what := 1, said
	if m := yamlLine().FindStringSubmatch(said); m != nil {
		first, _ = strconv.Atoi(m[1]) // the pattern says that it is a number
		what = m[2]
	}
	lines := bytes.SplitAfter(p.text, []byte("\n"))
	first = min(first, len(lines))
	needed := sort.Search(len(lines)-first, func(more int) bool {
		var n yaml.Node
		err := yaml.Unmarshal(bytes.Join(lines[:first+more], nil), &n)
		return err != nil && strings.HasSuffix(err.Error(), said)
	})
	return &problem{p.line + first + needed - 1, "not YAML: " + what}
}

var yamlLine = pattern.New(`(?s)^line ([0-9]{1,9}): (.*)$`)

// A converter makes nodes of what YAML's parser read: aliases and merges are
// resolved, and scalars are what kubectl reads them as.
type converter struct {
	offset  int
	values  int
	aliased int
	active  map[*yaml.Node]bool // aliases that are being resolved
	twice   []twice
	wrong   *problem
}

func (c *converter) at(n *yaml.Node) position { return position{n.Line + c.offset, n.Column} }

func (c *converter) fail(n *yaml.Node, format string, args ...any) *node {
	if c.wrong == nil {
		c.wrong = &problem{n.Line + c.offset, fmt.Sprintf(format, args...)}
	}
	return &node{at: c.at(n)}
}

func (c *converter) convert(n *yaml.Node, depth int) *node {
	if depth > maxDepth {
		return c.fail(n, "nested more than %d deep", maxDepth)
	}
	if c.wrong != nil {
		return &node{at: c.at(n)}
	}
	c.values++
	if len(c.active) > 0 {
		if c.aliased++; c.aliased > maxAliased {
			return c.fail(n, "aliases that come to more than %d values", maxAliased)
		}
	}
	switch n.Kind {
	case yaml.AliasNode:
		if c.active[n.Alias] {
			return c.fail(n, "the alias *%s is inside of itself", n.Value)
		}
		c.active[n.Alias] = true
		known := len(c.twice)
		out := c.convert(n.Alias, depth+1)
		c.twice = c.twice[:min(known, len(c.twice))] // they were told where they stand
		delete(c.active, n.Alias)
		return out
	case yaml.SequenceNode:
		out := &node{kind: sequence, at: c.at(n), items: make([]*node, 0, len(n.Content))}
		for _, item := range n.Content {
			out.items = append(out.items, c.convert(item, depth+1))
		}
		return out
	case yaml.MappingNode:
		return c.mapping(n, depth)
	}
	return &node{at: c.at(n), value: scalarOf(n)}
}

func (c *converter) mapping(n *yaml.Node, depth int) *node {
	out := &node{kind: mapping, at: c.at(n)}
	var merges []*yaml.Node
	out.fields = make([]field, 0, len(n.Content)/2)
	known := &index{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			return c.fail(n.Content[i], "a key that is no text")
		}
		if key.ShortTag() == "!!merge" {
			merges = append(merges, value)
			continue
		}
		name := keyText(key)
		f := field{name, c.at(n.Content[i]), c.convert(value, depth+1)}
		if at := known.add(out.fields, name); at >= 0 {
			c.twice = append(c.twice, twice{name, f.at, out.fields[at].at})
			out.fields[at] = f // the last one holds, as for kubectl
			continue
		}
		out.fields = append(out.fields, f)
	}
	for _, m := range merges {
		sources := []*yaml.Node{m}
		if m.Kind == yaml.SequenceNode {
			sources = m.Content
		}
		for _, source := range sources {
			from := c.convert(source, depth+1)
			if from.kind != mapping && c.wrong == nil {
				return c.fail(source, "a merge of what is no mapping")
			}
			for _, f := range from.fields {
				if known.add(out.fields, f.name) < 0 {
					out.fields = append(out.fields, f)
				}
			}
		}
	}
	return out
}

// An index finds the fields of a mapping that is being made by their names. Most
// have a few, for which nothing is faster than to look at each.
type index struct{ at map[string]int }

// add returns which of the fields has the name, or -1 where none has it, and the
// next is to have it.
func (x *index) add(fields []field, name string) int {
	if x.at == nil && len(fields) < 16 {
		return slices.IndexFunc(fields, func(f field) bool { return f.name == name })
	}
	if x.at == nil {
		x.at = make(map[string]int)
		for i := range fields {
			x.at[fields[i].name] = i
		}
	}
	if i, ok := x.at[name]; ok {
		return i
	}
	x.at[name] = len(fields)
	return -1
}

// keyText is a key as a name in JSON.
func keyText(n *yaml.Node) string {
	switch v := scalarOf(n).(type) {
	case string:
		return v
	case nil:
		return "null"
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// truths are what YAML 1.1 takes for booleans beyond true and false: kubectl and
// Helm read it still.
// https://yaml.org/type/bool.html
var truths = map[string]bool{
	"y": true, "Y": true, "yes": true, "Yes": true, "YES": true, "on": true, "On": true, "ON": true,
	"n": false, "N": false, "no": false, "No": false, "NO": false, "off": false, "Off": false, "OFF": false,
}

// scalarOf is the value of a scalar as kubectl reads it.
func scalarOf(n *yaml.Node) any {
	if n.ShortTag() == "!!str" {
		plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0
		if truth, ok := truths[n.Value]; ok && plain {
			return truth
		}
		return n.Value
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return n.Value
	}
	switch v := v.(type) {
	case nil, bool, int64, uint64, string:
		return v
	case int:
		return int64(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return n.Value
		}
		return v
	}
	return n.Value // a date
}
