package strict

import (
	"bytes"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Around returns what stands before and after the text of a scalar, inside of
// its quotes, so that it can be exchanged and every other byte kept: comments,
// order, quotes, line ends. It is not ok where the text does not stand there in
// one piece, as it does not for an alias, a block or an escape. Whoever exchanges
// it reads the outcome again, and holds it against what was there with [Same].
func Around(data []byte, n *yaml.Node) (before, after []byte, ok bool) {
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		return nil, nil, false
	}
	at := 0
	for line := 1; line < n.Line; line++ {
		end := bytes.IndexByte(data[at:], '\n')
		if end < 0 {
			return nil, nil, false
		}
		at += end + 1
	}
	for column := 1; column < n.Column && at < len(data); column++ { // columns are characters
		_, size := utf8.DecodeRune(data[at:])
		at += size
	}
	if n.Anchor != "" {
		rest, found := bytes.CutPrefix(data[at:], []byte("&"+n.Anchor))
		if !found {
			return nil, nil, false
		}
		at = len(data) - len(bytes.TrimLeft(rest, " "))
	}
	if at < len(data) && (data[at] == '"' || data[at] == '\'') {
		at++
	}
	if !bytes.HasPrefix(data[at:], []byte(n.Value)) {
		return nil, nil, false
	}
	return data[:at], data[at+len(n.Value):], true
}

// Same tells whether two values are written alike, but for the scalars of the
// first that but names, which have its text in the second.
func Same(a, b *yaml.Node, but map[*yaml.Node]string) bool {
	want, other := but[a]
	if !other {
		want = a.Value
	}
	if a.Kind != b.Kind || want != b.Value || a.Anchor != b.Anchor || a.Tag != b.Tag || len(a.Content) != len(b.Content) {
		return false
	}
	if a.Kind == yaml.AliasNode { // what it stands for can have changed elsewhere
		if want, other = but[a.Alias]; !other {
			want = a.Alias.Value
		}
		if want != b.Alias.Value {
			return false
		}
	}
	for i := range a.Content {
		if !Same(a.Content[i], b.Content[i], but) {
			return false
		}
	}
	return true
}
