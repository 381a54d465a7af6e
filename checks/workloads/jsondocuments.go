package workloads

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseJSON reads one JSON value after the other.
func (p part) parseJSON() ([]*document, *problem) {
	text := bytes.TrimLeft(p.text, "-") // of the line that divides
	skipped := len(p.text) - len(text)
	r := &jsonReader{d: json.NewDecoder(bytes.NewReader(text)), text: text, line: p.line, column: skipped + 1}
	r.d.UseNumber()
	var docs []*document
	for {
		r.twice, r.values = nil, 0
		n, err := r.next(0)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			var syntax *json.SyntaxError
			offset := r.d.InputOffset()
			if errors.As(err, &syntax) {
				offset = syntax.Offset
			}
			line := p.line + bytes.Count(text[:min(int(offset), len(text))], []byte("\n"))
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("it ends too early")
			}
			return nil, &problem{line, "not JSON: " + err.Error()}
		}
		docs = append(docs, &document{n, r.twice, r.values})
	}
}

type jsonReader struct {
	d      *json.Decoder
	text   []byte
	twice  []twice
	values int
	// line and column are those of the byte at the offset seen.
	seen, line, column int
}

// position is that of a byte; offsets that are asked for do not fall.
func (r *jsonReader) position(offset int64) position {
	for to := min(int(offset), len(r.text)); r.seen < to; r.seen++ {
		switch c := r.text[r.seen]; {
		case c == '\n':
			r.line, r.column = r.line+1, 1
		case utf8.RuneStart(c):
			r.column++
		}
	}
	return position{r.line, r.column}
}

// begin is where the next token begins.
func (r *jsonReader) begin() position {
	at := int(r.d.InputOffset())
	for at < len(r.text) && strings.IndexByte(" \t\r\n,:", r.text[at]) >= 0 {
		at++
	}
	return r.position(int64(at))
}

func (r *jsonReader) next(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested more than %d deep", maxDepth)
	}
	r.values++
	at := r.begin()
	token, err := r.d.Token()
	if err != nil {
		if depth > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		n := &node{kind: sequence, at: at}
		if t == '{' {
			n.kind = mapping
		}
		known := &index{}
		for r.d.More() {
			if n.kind == sequence {
				item, err := r.next(depth + 1)
				if err != nil {
					return nil, err
				}
				n.items = append(n.items, item)
				continue
			}
			at := r.begin()
			key, err := r.d.Token()
			if err != nil {
				return nil, err
			}
			value, err := r.next(depth + 1)
			if err != nil {
				return nil, err
			}
			f := field{key.(string), at, value} // the decoder takes no other
			if i := known.add(n.fields, f.name); i >= 0 {
				r.twice = append(r.twice, twice{f.name, at, n.fields[i].at})
				n.fields[i] = f
				continue
			}
			n.fields = append(n.fields, f)
		}
		if len(n.fields) > 0 {
			n.at = n.fields[0].at // as in YAML, which begins with a key
		}
		_, err := r.d.Token()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return n, err
	case json.Number:
		if i, err := t.Int64(); err == nil {
			return &node{at: at, value: i}, nil
		}
		if u, err := strconv.ParseUint(t.String(), 10, 64); err == nil {
			return &node{at: at, value: u}, nil
		}
		f, err := t.Float64()
		return &node{at: at, value: f}, err
	}
	return &node{at: at, value: token}, nil
}
