package policy

import (
	"cmp"
	"errors"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"temper/pipeline/release"
	"temper/pipeline/strict"
)

// signer decodes one of signers.
func (l *loader) signer(n *yaml.Node) Signer {
	var s Signer
	var b believed
	var several *yaml.Node
	keys := b.keys(l)
	keys["signature-only"] = func(v *yaml.Node) {
		s.SignatureOnly = strict.Value(&l.Decoder, v, "signature-only", strict.About("signature-only", parseBool))
	}
	keys["annotations"] = func(v *yaml.Node) {
		if strict.IsNull(v) || v.Kind == yaml.MappingNode && len(v.Content) == 0 {
			l.Wrong(v, "annotations is empty; write what the signature must say, such as %s, or leave it out", annotationsExample)
			return
		}
		s.Annotations = l.Texts(v, "annotations", annotationsExample, named, strict.Anything)
	}
	keys["any-of"] = func(v *yaml.Node) {
		several = v
		l.filled(v, "any-of", signersExample, func(item *yaml.Node) {
			var one believed
			l.Item(item, "a signer", "{key: cosign.pub}", one.keys(l))
			s.AnyOf = append(s.AnyOf, one.load(l, item))
		})
	}
	before := l.Mistakes()
	l.Item(n, "a signer", "{key: cosign.pub}", keys)
	defer func() {
		if l.Mistakes() == before {
			l.once(n, s)
		}
	}()
	switch {
	case l.Mistakes() > before:
	case several != nil && b != (believed{}):
		l.Wrong(several, "any-of stands beside a signer; write that one into it")
	case several == nil:
		s.AnyOf = []Believed{b.load(l, n)}
	}
	return s
}

// annotationsExample is as cosign sign -a writes it.
const annotationsExample = "{approved: yes}"

func named(key string) error {
	if key == "" {
		return errors.New("an annotation without a name")
	}
	return nil
}

// once says who stands in two signers: one signature would count for both, and the
// policy would be met by fewer than it names.
func (l *loader) once(n *yaml.Node, s Signer) {
	for _, b := range s.AnyOf {
		who := b.String()
		if at := l.named[who]; at != nil && at != n {
			l.Wrong(n, "%s stands in the signer in line %d too, and one signature would count for both; name another, or leave one of the two out", cmp.Or(b.Key, who), at.Line)
			return
		}
		l.named[who] = n
	}
}

// believed is a signer as the file has it.
type believed struct {
	key string
	release.Pattern
}

func (b *believed) keys(l *loader) strict.Keys {
	text := func(key string, into *string) func(*yaml.Node) {
		return func(v *yaml.Node) { *into = strict.Value(&l.Decoder, v, key, strict.About(key, strict.Something)) }
	}
	return strict.Keys{
		"key":      text("key", &b.key),
		"identity": text("identity", &b.Subject), "identity-regexp": text("identity-regexp", &b.SubjectRegexp),
		"issuer": text("issuer", &b.Issuer), "issuer-regexp": text("issuer-regexp", &b.IssuerRegexp),
	}
}

// load gets the key, or what identities are held against.
func (b believed) load(l *loader, n *yaml.Node) Believed {
	if n.Kind != yaml.MappingNode {
		return Believed{} // and said to be none
	}
	none := b.Pattern == release.Pattern{}
	switch {
	case b.key == "" && none:
		l.Wrong(n, "a signer is a key or an identity, as in {key: cosign.pub} or {identity: ..., issuer: https://...}")
	case b.key != "" && !none:
		l.Wrong(n, "a signer is a key or an identity; write two signers, or one with any-of")
	case b.key != "":
		at := b.key
		if !strings.Contains(at, "://") && !filepath.IsAbs(at) {
			at = filepath.Join(l.dir, at)
		}
		if l.known.Offline && release.InService(at) {
			l.Wrong(n, "key: %s is in a service, which is not asked offline; name a file with its public key", at)
			return Believed{}
		}
		by, err := release.LoadVerifier(l.ctx, at)
		if err != nil {
			l.Wrong(n, "key: %v", err)
		}
		return Believed{Key: b.key, by: by}
	default:
		by, err := l.identities(b.Pattern)
		if err != nil {
			l.Wrong(n, "%v", err)
		}
		return Believed{Pattern: b.Pattern, by: by}
	}
	return Believed{}
}

func (l *loader) identities(p release.Pattern) (*release.Verifier, error) {
	if l.root == nil {
		var err error
		if l.root, err = l.known.Root(); err != nil {
			return nil, err
		}
	}
	return release.NewPatternVerifier(p, l.root)
}

func (l *loader) loadRoot(path string) (*release.TrustedRoot, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.dir, path)
	}
	return release.LoadTrustedRoot(path)
}

// NewSigner returns the signer that a verifier of one's own stands for.
func NewSigner(by *release.Verifier) Signer { return Signer{AnyOf: []Believed{{by: by}}} }
