// Package admission says to an admission engine of Kubernetes what a release
// policy asks for, as far as the engine can express it.
//
// [Write] returns the engine's own policy, and a [Gap] for each thing in which
// the two differ: what temper verify refuses and the engine lets in, and the
// other way round. The gaps stand at the top of what is written, too, so that
// nobody who applies it believes more than it does.
package admission

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"go.yaml.in/yaml/v3"

	"temper/pipeline/evidence"
	"temper/pipeline/policy"
	"temper/pipeline/release"
)

// An Engine is one of those that [Write] knows.
type Engine string

const (
	// Kyverno takes a ClusterPolicy with a rule of verifyImages.
	Kyverno Engine = "kyverno"
	// PolicyController is Sigstore's, and takes a ClusterImagePolicy.
	PolicyController Engine = "policy-controller"
)

// Engines are all of them.
var Engines = []Engine{Kyverno, PolicyController}

// A Gap is where an engine and a release policy part.
type Gap struct {
	// Key is that of the release policy, or what temper verify calls it.
	Key string
	// Says is a sentence without a period.
	Says string
	// Stricter tells that the engine refuses more, and else it lets in more.
	Stricter bool
}

func (g Gap) String() string {
	if g.Stricter {
		return g.Key + ": stricter here: " + g.Says
	}
	return g.Key + ": weaker here: " + g.Says
}

// Write returns the policy of an engine for images in the repositories and below
// them. File is what the release policy is called.
func Write(engine Engine, file string, p *policy.Policy, repositories []name.Repository) ([]byte, []Gap, error) {
	if len(repositories) == 0 {
		return nil, nil, errors.New("a policy about no repository")
	}
	w := writer{policy: p, repositories: repositories, gaps: common(p)}
	var object any
	var err error
	needs := ""
	switch engine {
	case Kyverno:
		needs, object, err = "Kyverno 1.13 or later", nil, nil
		object, err = w.kyverno()
	case PolicyController:
		needs = `policy-controller 0.10 or later, in namespaces with the label policy.sigstore.dev/include: "true"`
		object, err = w.controller()
	default:
		return nil, nil, fmt.Errorf("there is no engine %q; there are %v", engine, Engines)
	}
	if err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Lets in what temper verify --policy %s lets ship, for images below", oneLine(file))
	for _, r := range repositories {
		fmt.Fprintf(&b, " %s", r)
	}
	fmt.Fprintf(&b, ".\n# By temper manifest --policy %s, for %s.\n", engine, needs)
	if len(w.gaps) > 0 {
		b.WriteString("#\n# Where the two differ:\n")
		for _, g := range w.gaps {
			fmt.Fprintf(&b, "# - %s\n", oneLine(g.String()))
		}
	}
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(object); err != nil {
		return nil, nil, fmt.Errorf("writing YAML: %w", err)
	}
	return b.Bytes(), w.gaps, e.Close()
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// A writer writes one policy.
type writer struct {
	policy       *policy.Policy
	repositories []name.Repository
	gaps         []Gap
}

func (w *writer) gap(key, format string, args ...any) {
	w.gaps = append(w.gaps, Gap{Key: key, Says: fmt.Sprintf(format, args...)})
}

func (w *writer) stricter(key, format string, args ...any) {
	w.gaps = append(w.gaps, Gap{Key: key, Says: fmt.Sprintf(format, args...), Stricter: true})
}

// common are the gaps of both engines.
func common(p *policy.Policy) []Gap {
	gaps := []Gap{
		{Key: "platforms", Says: "temper verify wants each image in an index signed and its SBOM attested; the engine looks at what the manifest names, the index"},
		{Key: "sbom", Says: "temper verify holds the SBOM against the binary inside; the engine looks at signatures"},
	}
	if p.Predicates != nil && !slices.Contains(p.Predicates, evidence.TestResult) {
		gaps = append(gaps, Gap{Key: "waivers", Says: "temper verify refuses a waiver that has expired in a report that nobody asked for; the engine does not look at reports"})
	}
	for _, s := range p.Signers {
		if slices.ContainsFunc(s.AnyOf, func(b policy.Believed) bool { return b.Pattern.SubjectRegexp != "" || b.Pattern.IssuerRegexp != "" }) {
			gaps = append(gaps, Gap{Key: "identity-regexp", Says: "where an expression matches several identities, temper verify wants signature and evidence of one of them; the engine takes them from different ones"})
			break
		}
	}
	if slices.ContainsFunc(p.Signers, func(s policy.Signer) bool { return s.Annotations != nil }) {
		gaps = append(gaps, Gap{Key: "annotations", Says: "temper verify wants a signature that carries them; the engine takes any signature of the signer"})
	}
	return gaps
}

// needs are the predicate types that a policy asks for.
func (w *writer) needs() []string {
	if w.policy.Predicates == nil {
		return []string{evidence.SPDX, evidence.Provenance, evidence.TestResult}
	}
	return w.policy.Predicates
}

// identities tells whether anybody is believed by their identity, and keys
// whether anybody is by a key.
func (w *writer) kinds() (identities, keys bool) {
	for _, s := range w.policy.Signers {
		for _, b := range s.AnyOf {
			if b.Pattern == (release.Pattern{}) {
				keys = true
			} else {
				identities = true
			}
		}
	}
	return identities, keys
}

// name is what the object is called, after the first repository.
func (w *writer) name() string {
	text := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(w.repositories[0].Name()), "-"), "-")
	text = "temper-" + text
	return strings.Trim(text[:min(len(text), 63)], "-")
}

// hashOf is the digest that a key signs with, as verifying takes it.
func hashOf(public []byte) (string, error) {
	block, _ := pem.Decode(public)
	if block == nil {
		return "", errors.New("a public key that is not PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("reading public key: %w", err)
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		return "sha256", nil
	case *ecdsa.PublicKey:
		switch size := key.Curve.Params().BitSize; size {
		case 256:
			return "sha256", nil
		case 384:
			return "sha384", nil
		case 521:
			return "sha512", nil
		}
	}
	return "", fmt.Errorf("admission engines do not verify with a key that is a %T as temper verify does; sign with ECDSA or RSA", key)
}

// anchored matches as temper verify does, from the first character to the last.
func anchored(expression string) string { return "^(?:" + expression + ")$" }
