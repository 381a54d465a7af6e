package admission

import (
	"fmt"
	"strings"

	"temper/pipeline/evidence"
	"temper/pipeline/policy"
	"temper/pipeline/release"
)

// The fields are those of policy.sigstore.dev/v1beta1, as far as they are needed.
// https://docs.sigstore.dev/policy-controller/overview/
type (
	clusterImagePolicy struct {
		APIVersion string   `yaml:"apiVersion"`
		Kind       string   `yaml:"kind"`
		Metadata   metadata `yaml:"metadata"`
		Spec       struct {
			Images      []imagePattern `yaml:"images"`
			Mode        string         `yaml:"mode"`
			Authorities []authority    `yaml:"authorities"`
			Policy      *code          `yaml:"policy"`
		} `yaml:"spec"`
	}
	imagePattern struct {
		Glob string `yaml:"glob"`
	}
	authority struct {
		Name            string                  `yaml:"name"`
		SignatureFormat string                  `yaml:"signatureFormat,omitempty"`
		Key             *controllerKey          `yaml:"key,omitempty"`
		Keyless         *controllerKeyless      `yaml:"keyless,omitempty"`
		CTLog           *trustRootRef           `yaml:"ctlog,omitempty"`
		Attestations    []controllerAttestation `yaml:"attestations,omitempty"`
	}
	controllerKey struct {
		HashAlgorithm string `yaml:"hashAlgorithm"`
		Data          string `yaml:"data"`
	}
	controllerKeyless struct {
		URL          string               `yaml:"url"`
		TrustRootRef string               `yaml:"trustRootRef,omitempty"`
		Identities   []controllerIdentity `yaml:"identities"`
	}
	controllerIdentity struct {
		Subject       string `yaml:"subject,omitempty"`
		SubjectRegExp string `yaml:"subjectRegExp,omitempty"`
		Issuer        string `yaml:"issuer,omitempty"`
		IssuerRegExp  string `yaml:"issuerRegExp,omitempty"`
	}
	trustRootRef struct {
		TrustRootRef string `yaml:"trustRootRef"`
	}
	controllerAttestation struct {
		Name          string `yaml:"name"`
		PredicateType string `yaml:"predicateType"`
		Policy        *code  `yaml:"policy,omitempty"`
	}
	code struct {
		Type string `yaml:"type"`
		Data string `yaml:"data"`
	}
)

// An authority stands for one who is believed and for one of the two that are
// asked of them, a signature or evidence: the controller looks for one or the
// other. That all of it has to be there says the policy of the whole.
func (w *writer) controller() (*clusterImagePolicy, error) {
	p := w.policy
	c := &clusterImagePolicy{APIVersion: "policy.sigstore.dev/v1beta1", Kind: "ClusterImagePolicy", Metadata: metadata{w.name()}}
	c.Spec.Mode = "enforce"
	for _, r := range w.repositories {
		for _, end := range []string{":**", "@**", "/**"} {
			c.Spec.Images = append(c.Spec.Images, imagePattern{r.Name() + end})
		}
	}
	switch p.Format {
	case "":
		w.stricter("format", "only the older form counts, the .sig and .att tags; release with --signature-format both or legacy")
	default:
		w.gap("format", "only the older form is looked at, the .sig and .att tags")
	}
	if identities, _ := w.kinds(); identities && p.TrustedRoot != "" {
		w.stricter("trusted-root", "nobody is let in before there is a TrustRoot with the name %s, of what is in %s, and its log is asked for each signature", w.name(), p.TrustedRoot)
	}
	var signers [][]string // names of authorities, by signer and by who will do
	for i, s := range p.Signers {
		var names []string
		for j, b := range s.AnyOf {
			name := fmt.Sprintf("signer-%d", i+1)
			if len(s.AnyOf) > 1 {
				name += fmt.Sprintf("-%d", j+1)
			}
			names = append(names, name)
			one, err := w.authority(b)
			if err != nil {
				return nil, err
			}
			one.Name = name + "-signature"
			c.Spec.Authorities = append(c.Spec.Authorities, *one)
			if !s.SignatureOnly {
				one.Name, one.Attestations = name+"-evidence", w.attestations()
				c.Spec.Authorities = append(c.Spec.Authorities, *one)
			}
		}
		signers = append(signers, names)
	}
	c.Spec.Policy = &code{"rego", wholeRego(p.Signers, signers)}
	return c, nil
}

func (w *writer) authority(b policy.Believed) (*authority, error) {
	public, err := b.PublicKey()
	if err != nil {
		return nil, err
	}
	if public != nil {
		key := &controllerKey{Data: string(public)}
		if key.HashAlgorithm, err = hashOf(public); err != nil {
			return nil, fmt.Errorf("key %s: %w", b.Key, err)
		}
		return &authority{Key: key, SignatureFormat: "legacy"}, nil
	}
	a := &authority{Keyless: &controllerKeyless{URL: "https://fulcio.sigstore.dev", Identities: []controllerIdentity{identityOf(b.Pattern)}}, SignatureFormat: "legacy"}
	if w.policy.TrustedRoot != "" {
		a.Keyless.TrustRootRef, a.CTLog = w.name(), &trustRootRef{w.name()}
	}
	return a, nil
}

func identityOf(p release.Pattern) controllerIdentity {
	id := controllerIdentity{Subject: p.Subject, Issuer: p.Issuer}
	if p.Subject == "" {
		id.SubjectRegExp = anchored(p.SubjectRegexp)
	}
	if p.Issuer == "" {
		id.IssuerRegExp = anchored(p.IssuerRegexp)
	}
	return id
}

func (w *writer) attestations() (all []controllerAttestation) {
	for i, need := range w.needs() {
		a := controllerAttestation{Name: fmt.Sprintf("evidence-%d", i+1), PredicateType: need}
		switch need {
		case evidence.SPDX:
			a.Name = "sbom"
		case evidence.CycloneDX:
			a.Name = "cyclonedx"
		case evidence.Provenance:
			a.Name = "provenance"
			if text := w.originRego(); text != "" {
				a.Policy = &code{"rego", text}
			}
		case evidence.TestResult:
			a.Name, a.Policy = "report", &code{"rego", w.reportRego()}
		}
		all = append(all, a)
	}
	return all
}

// wholeRego wants every signer, each by one who will do.
func wholeRego(signers []policy.Signer, names [][]string) string {
	m := newModule()
	for i, s := range signers {
		var some []string
		for _, name := range names[i] {
			body := fmt.Sprintf("input.authorityMatches[%q].signatures", name+"-signature")
			if !s.SignatureOnly {
				body += fmt.Sprintf("\n  input.authorityMatches[%q].attestations", name+"-evidence")
			}
			some = append(some, body)
		}
		m.must(fmt.Sprintf("signer_%d", i+1), some...)
	}
	return m.String()
}

// A module is a policy in Rego, as version 0 of the language has it: that is what
// the controller compiles.
type module struct {
	all   []string
	rules strings.Builder
}

func newModule() *module { return new(module) }

// must adds something that has to be so: one of its bodies has to hold.
func (m *module) must(name string, bodies ...string) {
	m.all = append(m.all, name)
	m.rule(name, bodies...)
}

func (m *module) rule(head string, bodies ...string) {
	for _, body := range bodies {
		fmt.Fprintf(&m.rules, "\n%s {\n  %s\n}\n", head, body)
	}
}

func (m *module) String() string {
	return "package sigstore\n\ndefault isCompliant = false\n\nisCompliant {\n  " + strings.Join(m.all, "\n  ") + "\n}\n" + m.rules.String()
}
