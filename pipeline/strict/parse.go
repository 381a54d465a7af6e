package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"temper/checks/pattern"
)

const (
	// MaxSize is how many bytes a file may have.
	MaxSize   = 1 << 20
	maxValues = 100_000 // with every alias expanded
	maxDepth  = 100
)

// Read reads a file for [Decoder.Parse]: one byte more than it may have, if there
// is one.
func Read(path string) ([]byte, error) {
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
	return io.ReadAll(io.LimitReader(file, MaxSize+1))
}

// Parse returns the one value of a YAML document, or nil where there is none.
// Of what it returns, every alias is known to end, and soon enough.
func (d *Decoder) Parse(data []byte) *yaml.Node {
	if len(data) > MaxSize {
		d.WrongAt(1, 1, "the file is over 1 MiB")
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		err = decoder.Decode(&second)
	}
	switch {
	case err == nil:
		d.Wrong(&second, "a second YAML document; write one")
		return nil
	case !errors.Is(err, io.EOF):
		d.malformed(data, err)
		return nil
	case len(document.Content) == 0:
		return nil
	}
	root := document.Content[0]
	if weight := d.weigh(root, map[*yaml.Node]int{}, 0); weight > maxValues {
		d.Wrong(root, "over %d values, counting each use of an alias; write fewer", maxValues)
	}
	if len(d.mistakes) > 0 || IsNull(root) {
		return nil
	}
	return root
}

// weigh counts the values of n with every alias expanded, up to a little more
// than maxValues, and says what no decoder should meet.
func (d *Decoder) weigh(n *yaml.Node, known map[*yaml.Node]int, depth int) int {
	const open = -1
	switch weight, seen := known[n]; {
	case weight == open:
		d.Wrong(n, "this value contains itself")
		return 0
	case seen:
		return weight
	case depth > maxDepth:
		d.Wrong(n, "nested deeper than %d", maxDepth)
		known[n] = 0
		return 0
	}
	if n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!str" {
		d.Wrong(n, "a tag, %q, has no place here; write the value without it", n.Tag)
	}
	known[n] = open
	weight := 1
	if n.Kind == yaml.AliasNode {
		weight = d.weigh(n.Alias, known, depth+1)
	}
	for _, child := range n.Content {
		weight = min(weight+d.weigh(child, known, depth+1), maxValues+1)
	}
	known[n] = weight
	return weight
}

var (
	yamlLine      = pattern.New(`^line (\d+): `)
	unknownAnchor = pattern.New(`unknown anchor '(.*)' referenced`)
)

// malformed notes the parser's error. The parser is a translation of libyaml
// that keeps the line to itself, or counts from 0, depending on which of its
// parts complains.
func (d *Decoder) malformed(data []byte, err error) {
	if line, column, what := unprintable(data); what != "" {
		d.WrongAt(line, column, "%s", what)
		return
	}
	if found := unknownAnchor().FindStringSubmatch(err.Error()); found != nil {
		before, _, _ := strings.Cut(string(data), "*"+found[1])
		line, column := 1+strings.Count(before, "\n"), len(before)-strings.LastIndex(before, "\n")
		d.WrongAt(line, column, "no &%s stands before *%s", found[1], found[1])
		return
	}
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if found := yamlLine().FindStringSubmatch(text); found != nil {
		line, _ = strconv.Atoi(found[1])
		text = strings.TrimPrefix(text, found[0])
		if strings.HasPrefix(text, "did not find expected") || strings.HasPrefix(text, "found a tab character") {
			line++
		}
	}
	if column := indentedByTab(data, line); column > 0 {
		d.WrongAt(line, column, "a tab cannot indent YAML; write spaces")
		return
	}
	d.WrongAt(line, 1, "not YAML: %s", text)
}

// unprintable finds the first character that YAML does not allow.
func unprintable(data []byte) (line, column int, what string) {
	line, column = 1, 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			return line, column, "not UTF-8"
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r >= 0x7f && r < 0xa0 && r != 0x85:
			return line, column, fmt.Sprintf("a control character, %U", r)
		case r == '\n':
			line, column = line+1, 0
		}
		data, column = data[size:], column+1
	}
	return 0, 0, ""
}

// indentedByTab finds the tab before the text of a line.
func indentedByTab(data []byte, line int) (column int) {
	lines := bytes.Split(data, []byte("\n"))
	if line > len(lines) {
		return 0
	}
	text := lines[line-1]
	indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
	return bytes.IndexByte(indent, '\t') + 1
}
