package service

import (
	"bytes"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"temper/pipeline/strict"
)

var errByHand = errors.New("write it by hand")

// Repin returns a temper.yaml whose base is another image, and of which every
// other byte is as it was: comments, order, quotes, line ends. A signer may be
// named with it where base is plain text; nil leaves what is there. Only what
// stands there in one piece can be changed: text, no alias and no block.
func Repin(data []byte, image string, signer *Signer) ([]byte, error) {
	d := decoding()
	root := d.Parse(data)
	if err := d.Err(); err != nil {
		return nil, err
	}
	n := baseNode(root)
	if n == nil {
		return nil, fmt.Errorf("%s has no base; write base: %s", ConfigName, image)
	}
	if n.Kind == yaml.MappingNode {
		if signer != nil {
			return nil, fmt.Errorf("%s:%d:%d: base is a map already; %w: image: %s", ConfigName, n.Line, n.Column, errByHand, image)
		}
		if n = valueOf(n, "image"); n == nil {
			return nil, fmt.Errorf("%s has no image in its base; write image: %s", ConfigName, image)
		}
	}
	before, after, ok := strict.Around(data, n)
	if !ok {
		return nil, fmt.Errorf("%s:%d:%d: the base does not stand here in one piece; %w: %s", ConfigName, n.Line, n.Column, errByHand, image)
	}
	text := image
	if signer != nil {
		text = fmt.Sprintf("{image: %s, identity: %s, issuer: %s}", image, signer.Identity, signer.Issuer)
		before, after = unquoted(before, after)
	}
	changed := bytes.Join([][]byte{before, []byte(text), after}, nil)
	again := decoding().Parse(changed)
	if !onlyBase(root, again, image, signer) {
		return nil, fmt.Errorf("%s:%d:%d: the base cannot be changed without changing more; %w: %s", ConfigName, n.Line, n.Column, errByHand, image)
	}
	return changed, nil
}

// baseNode returns the value of the key base, nil if there is none.
func baseNode(root *yaml.Node) *yaml.Node {
	if root == nil || root.Kind != yaml.MappingNode {
		return nil
	}
	return valueOf(root, "base")
}

func valueOf(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}

// unquoted takes the quotes around a text away.
func unquoted(before, after []byte) ([]byte, []byte) {
	for _, quote := range []string{`"`, `'`} {
		if b, ok := bytes.CutSuffix(before, []byte(quote)); ok {
			if a, ok := bytes.CutPrefix(after, []byte(quote)); ok {
				return b, a
			}
		}
	}
	return before, after
}

// onlyBase tells whether two configurations are the same but for the base,
// which the second has as wanted.
func onlyBase(a, b *yaml.Node, image string, signer *Signer) bool {
	if b == nil || b.Kind != yaml.MappingNode || len(a.Content) != len(b.Content) {
		return false
	}
	for i := 0; i+1 < len(a.Content); i += 2 {
		if !strict.Same(a.Content[i], b.Content[i], nil) {
			return false
		}
		old, now := a.Content[i+1], b.Content[i+1]
		if a.Content[i].Value != "base" {
			if !strict.Same(old, now, nil) {
				return false
			}
			continue
		}
		want := map[string]string{"image": image}
		switch {
		case signer != nil:
			want["identity"], want["issuer"] = signer.Identity, signer.Issuer
		case old.Kind == yaml.MappingNode:
			for j := 0; j+1 < len(old.Content); j += 2 {
				if key := old.Content[j].Value; key != "image" {
					want[key] = strict.Resolve(old.Content[j+1]).Value
				}
			}
		case now.Kind != yaml.ScalarNode || now.Value != image:
			return false
		default:
			continue
		}
		if now.Kind != yaml.MappingNode || len(now.Content) != 2*len(want) {
			return false
		}
		for key, value := range want {
			if v := valueOf(now, key); v == nil || strict.Resolve(v).Value != value {
				return false
			}
		}
	}
	return true
}
