package service

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"temper/pipeline/strict"
)

// A Signer is who must have signed the base: an identity, or a key. Of a base
// that has a signer of its own, distroless, only TrustedRoot may be set.
type Signer struct {
	// Identity is who signed, Issuer who vouches for them; both are exact, and
	// both are empty for a key.
	Identity, Issuer string
	// Key is the absolute path of a public key inside the repository.
	Key string
	// TrustedRoot is the absolute path of a trusted root inside the repository,
	// in Sigstore's format; empty for that of Sigstore's public instance.
	TrustedRoot string
}

const baseExample = "{image: NAME:TAG@sha256:..., identity: ..., issuer: https://...}"

// base decodes what to build upon: text, or a map that also names its signer.
func (d *decoder) base(n *yaml.Node, r *Repository) {
	image := func(v *yaml.Node) {
		r.Base = strict.Value(&d.Decoder, v, "base", func(text string) (string, error) { return ParseBase(r.Dir, text) })
	}
	if n.Kind != yaml.MappingNode {
		image(n)
		return
	}
	at := map[string]*yaml.Node{}
	var s Signer
	file := func(key string, into *string) func(v *yaml.Node) {
		return func(v *yaml.Node) {
			at[key] = v
			*into = strict.Value(&d.Decoder, v, "base "+key, strict.About("base "+key, func(text string) (string, error) { return insideFile(r.Dir, text) }))
		}
	}
	text := func(key string, into *string, parse func(string) (string, error)) func(v *yaml.Node) {
		return func(v *yaml.Node) {
			at[key] = v
			*into = strict.Value(&d.Decoder, v, "base "+key, parse)
		}
	}
	before := d.Mistakes()
	d.Mapping(n, "base", baseExample, strict.Keys{
		"image":        func(v *yaml.Node) { at["image"] = v; image(v) },
		"identity":     text("identity", &s.Identity, parseIdentity),
		"issuer":       text("issuer", &s.Issuer, parseIssuer),
		"key":          file("key", &s.Key),
		"trusted-root": file("trusted-root", &s.TrustedRoot),
	})
	if at["image"] == nil {
		d.Wrong(n, "base needs image, as in %s", baseExample)
	}
	if d.Mistakes() > before {
		return
	}
	if why := s.fits(r.Base); why != "" {
		d.Wrong(n, "%s", why)
	} else if s != (Signer{}) {
		r.Signer = &s
	}
}

// fits says what does not go together, empty if all does.
func (s Signer) fits(base string) string {
	named := s.Identity != "" || s.Issuer != "" || s.Key != ""
	switch {
	case base == BuiltinBase && s != (Signer{}):
		return "base builtin comes with Temper, and nobody else signs it; write base: builtin"
	case base == DistrolessBase && named:
		return "base distroless has a signer of its own, which is always checked; leave out identity, issuer and key, or write the image in its place"
	case s.Key != "" && (s.Identity != "" || s.Issuer != ""):
		return "base is signed by a key or by an identity; write key, or identity and issuer"
	case s.Identity != "" && s.Issuer == "":
		return "base has an identity without an issuer; write who vouches for it, such as issuer: https://accounts.google.com"
	case s.Issuer != "" && s.Identity == "":
		return "base has an issuer without an identity; write who signs, such as identity: https://github.com/acme/images/.github/workflows/release.yaml@refs/heads/main"
	case s.TrustedRoot != "" && s.Identity == "" && base != DistrolessBase:
		return "base has a trusted-root that nothing is held against; write identity and issuer"
	}
	return ""
}

// parseIdentity takes who signs. That is exact: of patterns only the mistake
// is known.
func parseIdentity(text string) (string, error) {
	switch {
	case text == "":
		return "", errors.New("base identity is empty; write who signs, such as a mail address or a workflow")
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return "", fmt.Errorf("base identity %q has a space in it", text)
	case strings.ContainsAny(text, "*^$"):
		return "", fmt.Errorf("base identity %q looks like a pattern; identities are exact, so that nobody else fits", text)
	}
	return text, nil
}

func parseIssuer(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.ContainsAny(text, "*^$ ") {
		return "", fmt.Errorf("base issuer %q is not an address; write it whole, such as https://token.actions.githubusercontent.com", text)
	}
	return text, nil
}
