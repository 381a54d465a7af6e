package policy

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"temper/pipeline/evidence"
	"temper/pipeline/release"
	"temper/pipeline/strict"
)

// Known is what the words of a policy stand for.
type Known struct {
	// Rules are the names of all rules.
	Rules []string
	// Groups are names that stand for several of them.
	Groups map[string][]string
	// Root is the trusted root of identities where the policy names none, and
	// RootNamed tells that the command line names it, and not that of the public
	// instance.
	Root      func() (*release.TrustedRoot, error)
	RootNamed bool
	// Signer is who the command line names, for a policy that names nobody; nil
	// where it names nobody either.
	Signer func() (Signer, error)
	// Offline refuses keys that services hold.
	Offline bool
}

const (
	signersExample = "[{key: cosign.pub}]"
	waiversExample = "[{rule: shell, subject: orders}]"
	basesExample   = "[builtin]"
)

// Load reads a policy, and the keys and the trusted root that it names, whose
// paths are relative to the file; a service that holds a key is asked for it. The error joins every mistake, each with file,
// line and column.
func Load(ctx context.Context, file string, known Known) (*Policy, error) {
	data, err := strict.Read(file)
	if err != nil {
		return nil, fmt.Errorf("reading policy: %w", err)
	}
	l := &loader{ctx: ctx, Decoder: strict.Decoder{File: filepath.ToSlash(file)}, dir: filepath.Dir(file), known: known, named: make(map[string]*yaml.Node)}
	p := new(Policy)
	root := l.Parse(data)
	if root != nil {
		l.policy(root, p)
	}
	if err := l.Err(); err != nil {
		return nil, err
	}
	switch {
	case len(p.Signers) > 0 && known.Signer != nil:
		return nil, &TwiceError{File: file, What: "signers"}
	case p.TrustedRoot != "" && (known.RootNamed || known.Signer != nil):
		// An identity of the command line is held against its trusted root.
		return nil, &TwiceError{File: file, What: "trusted-root"}
	case known.Signer != nil:
		s, err := known.Signer()
		if err != nil {
			return nil, err
		}
		p.Signers = []Signer{s}
	}
	switch {
	case root == nil:
		return nil, fmt.Errorf("%s asks for nothing; write who must have signed, such as signers: %s", file, signersExample)
	case len(p.Signers) == 0:
		return nil, fmt.Errorf("%s does not say who must have signed; write signers: %s", file, signersExample)
	}
	return p, nil
}

// A TwiceError means that a policy and the command line both name what can only be
// one of them.
type TwiceError struct {
	// File is the policy, What the key in it.
	File, What string
}

func (e *TwiceError) Error() string {
	if e.What == "signers" {
		return e.File + " names the signers, and so does the command line; leave one of the two out"
	}
	return e.File + " names a trusted-root, and who is believed by another stands on the command line; leave one of the two out"
}

// A loader reads one policy.
type loader struct {
	strict.Decoder
	ctx   context.Context // of the whole
	dir   string
	known Known
	// named are the signers by who they are.
	named map[string]*yaml.Node
	// root is the trusted root, once it was asked for.
	root *release.TrustedRoot
}

func (l *loader) policy(root *yaml.Node, p *Policy) {
	at := map[string]*yaml.Node{}
	var signers *yaml.Node
	keys := strict.Keys{
		"signers": func(v *yaml.Node) { signers = v },
		"trusted-root": func(v *yaml.Node) {
			l.root = strict.Value(&l.Decoder, v, "trusted-root", strict.About("trusted-root", l.loadRoot))
			p.TrustedRoot = v.Value
		},
		"format": func(v *yaml.Node) { p.Format = strict.Value(&l.Decoder, v, "format", parseFormat) },
		"predicates": func(v *yaml.Node) {
			p.Predicates = l.some(v, "predicates", "[sbom, provenance, report]", parsePredicate)
		},
		"services": func(v *yaml.Node) {
			p.Services = l.some(v, "services", "[orders]", strict.About("services", strict.Something))
		},
		"builders": func(v *yaml.Node) {
			p.Builders = l.some(v, "builders", "[urn:temper:builder:local]", strict.About("builders", strict.Something))
		},
		"sources": func(v *yaml.Node) { p.Sources = some(l, v, "sources", "[https://github.com/acme/shop]", parseSource) },
		"uncommitted": func(v *yaml.Node) {
			p.Uncommitted = strict.Value(&l.Decoder, v, "uncommitted", strict.About("uncommitted", parseBool))
		},
		"bases": func(v *yaml.Node) {
			l.filled(v, "bases", basesExample, func(item *yaml.Node) { p.Bases = append(p.Bases, l.base(item)) })
		},
		"max-age": func(v *yaml.Node) { p.MaxAge = strict.Value(&l.Decoder, v, "max-age", parseAge) },
		"rules":   func(v *yaml.Node) { p.Rules = l.rules(v) },
		"strict": func(v *yaml.Node) {
			p.Strict = strict.Value(&l.Decoder, v, "strict", strict.About("strict", parseBool))
		},
		"waivers": func(v *yaml.Node) { p.Waivers = l.waivers(v) },
	}
	for key, read := range keys {
		keys[key] = func(v *yaml.Node) {
			at[key] = v
			read(v)
		}
	}
	l.Mapping(root, "a policy", "signers: "+signersExample, keys)
	if signers != nil { // last, for identities are held against the trusted root
		l.filled(signers, "signers", signersExample, func(item *yaml.Node) { p.Signers = append(p.Signers, l.signer(item)) })
	}
	if l.Mistakes() == 0 {
		l.together(p, at)
	}
}

// together says what does not go together.
func (l *loader) together(p *Policy, at map[string]*yaml.Node) {
	attests := func(predicateType string) bool {
		return p.Predicates == nil || slices.Contains(p.Predicates, predicateType)
	}
	for _, key := range []string{"services", "builders", "sources", "bases", "max-age"} {
		if at[key] != nil && !attests(evidence.Provenance) {
			l.Wrong(at[key], "%s is known from the provenance, which predicates leaves out; add provenance to it", key)
		}
	}
	for _, key := range []string{"rules", "strict", "waivers"} {
		if at[key] != nil && !attests(evidence.TestResult) {
			l.Wrong(at[key], "%s is known from the check report, which predicates leaves out; add report to it", key)
		}
	}
	if at["uncommitted"] != nil && at["sources"] == nil {
		l.Wrong(at["uncommitted"], "uncommitted is about sources, of which there are none; write sources: [https://...]")
	}
	if len(p.Signers) > 0 && !slices.ContainsFunc(p.Signers, func(s Signer) bool { return !s.SignatureOnly }) {
		l.Wrong(at["signers"], "every signer is signature-only, so that nobody attests anything; leave it out of one of them")
	}
}

// base decodes one of bases.
func (l *loader) base(n *yaml.Node) Base {
	if n.Kind == yaml.ScalarNode && !strict.IsNull(n) {
		return strict.Value(&l.Decoder, n, "a base", parseBase)
	}
	const example = "{image: gcr.io/distroless/static-debian13, identity: ..., issuer: https://...}"
	var b Base
	before := l.Mistakes()
	text := func(key string, into *string) func(*yaml.Node) {
		return func(v *yaml.Node) { *into = strict.Value(&l.Decoder, v, key, strict.About(key, strict.Something)) }
	}
	var key string
	l.Item(n, "a base", example, strict.Keys{
		"image":    func(v *yaml.Node) { b.Repository = strict.Value(&l.Decoder, v, "image", parseRepository) },
		"identity": text("identity", &b.Signer.Identity),
		"issuer":   text("issuer", &b.Signer.Issuer),
		"key":      text("key", &key),
	})
	if l.Mistakes() > before || n.Kind != yaml.MappingNode {
		return b
	}
	switch identity := b.Signer != (evidence.Signer{}); {
	case b.Repository == "":
		l.Wrong(n, "a base needs image, as in %s", example)
	case key != "" && identity:
		l.Wrong(n, "a base is signed by a key or by an identity; write key, or identity and issuer")
	case key == "" && (b.Signer.Identity == "" || b.Signer.Issuer == ""):
		l.Wrong(n, "any image of a repository is anything; write who signs it, as in %s, or the image by its digest", example)
	case key != "":
		b.Signer.Key = l.fingerprint(n, key)
	}
	return b
}

// fingerprint is how a provenance names the key of a base's signer.
func (l *loader) fingerprint(n *yaml.Node, key string) string {
	at := believed{key: key}.load(l, n)
	if at.by == nil {
		return ""
	}
	return strings.TrimPrefix(at.by.String(), "key ")
}

// rules decodes the names of rules, and of groups of them.
func (l *loader) rules(n *yaml.Node) []string {
	names := slices.Clone(l.known.Rules)
	for group := range l.known.Groups {
		names = append(names, group)
	}
	slices.Sort(names)
	var all []string
	for _, name := range l.some(n, "rules", "[images, probes]", func(text string) (string, error) { return among(text, "rules", names) }) {
		if group, ok := l.known.Groups[name]; ok {
			all = append(all, group...)
		} else {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// among takes one of the names of rules.
func among(text, what string, names []string) (string, error) {
	if slices.Contains(names, text) {
		return text, nil
	}
	if near := strict.Nearest(text, names); near != "" {
		return "", fmt.Errorf("%s: there is no rule %q; did you mean %q?", what, text, near)
	}
	return "", fmt.Errorf("%s: there is no rule %q; temper explain lists them", what, text)
}

// waivers decodes those that are accepted: none is a list too.
func (l *loader) waivers(n *yaml.Node) []Waiver {
	all := []Waiver{}
	l.List(n, "waivers", waiversExample, func(item *yaml.Node) {
		var w Waiver
		before := l.Mistakes()
		l.Item(item, "a waiver", "{rule: shell, subject: orders}", strict.Keys{
			"rule": func(v *yaml.Node) {
				w.Rule = strict.Value(&l.Decoder, v, "rule", func(text string) (string, error) {
					return among(text, "rule", l.known.Rules)
				})
			},
			"subject": func(v *yaml.Node) {
				w.Subject = strict.Value(&l.Decoder, v, "subject", strict.About("subject", strict.Something))
			},
		})
		if item.Kind == yaml.MappingNode && w.Rule == "" && l.Mistakes() == before {
			l.Wrong(item, "a waiver needs rule, as in {rule: shell, subject: orders}")
		}
		all = append(all, w)
	})
	return all
}

// some decodes a list that must not be empty, each item once.
func some[T any](l *loader, n *yaml.Node, what, example string, parse func(string) (T, error)) []T {
	var all []T
	once := strict.Once(parse)
	l.filled(n, what, example, func(item *yaml.Node) {
		all = append(all, strict.Value(&l.Decoder, item, "an item of "+what, once))
	})
	return all
}

func (l *loader) some(n *yaml.Node, what, example string, parse func(string) (string, error)) []string {
	return some(l, n, what, example, parse)
}

// filled is List for one that must not be empty, as it would ask for nothing, or
// for what nothing can be.
func (l *loader) filled(n *yaml.Node, what, example string, each func(item *yaml.Node)) {
	if strict.IsNull(n) || n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		l.Wrong(n, "%s is empty; write what is wanted, such as %s, or leave it out", what, example)
		return
	}
	l.List(n, what, example, each)
}

func parseFormat(text string) (release.Format, error) {
	switch f := release.Format(text); f {
	case release.Both, release.Bundle, release.Legacy:
		return f, nil
	}
	return "", fmt.Errorf("format %q; write %s, %s or %s, or leave it out where either form will do", text, release.Bundle, release.Legacy, release.Both)
}

// parsePredicate takes the name of a predicate or its type.
func parsePredicate(text string) (string, error) {
	switch text {
	case "sbom":
		return evidence.SPDX, nil
	case "cyclonedx":
		return evidence.CycloneDX, nil
	case "provenance":
		return evidence.Provenance, nil
	case "report":
		return evidence.TestResult, nil
	}
	if u, err := url.Parse(text); err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "" {
		return "", fmt.Errorf("predicates: %q; write sbom, cyclonedx, provenance, report or the URI of a predicate type", text)
	}
	return text, nil
}

func parseBool(text string) (bool, error) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}

// parseAge takes days, as in 90d, or what Go takes for a span, as in 36h.
func parseAge(text string) (time.Duration, error) {
	wrong := fmt.Errorf("max-age %q is no span of time; write days or hours, such as 90d or 36h", text)
	if number, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > 36500 {
			return 0, wrong
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	age, err := time.ParseDuration(text)
	if err != nil || age <= 0 {
		return 0, wrong
	}
	return age, nil
}
