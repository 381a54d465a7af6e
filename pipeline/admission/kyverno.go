package admission

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"temper/pipeline/evidence"
	"temper/pipeline/policy"
	"temper/pipeline/release"
)

// The fields are those of kyverno.io/v1, as far as they are needed.
// https://kyverno.io/docs/policy-types/cluster-policy/verify-images/
type (
	clusterPolicy struct {
		APIVersion string   `yaml:"apiVersion"`
		Kind       string   `yaml:"kind"`
		Metadata   metadata `yaml:"metadata"`
		Spec       struct {
			Webhook struct {
				FailurePolicy  string `yaml:"failurePolicy"`
				TimeoutSeconds int    `yaml:"timeoutSeconds"`
			} `yaml:"webhookConfiguration"`
			Background bool          `yaml:"background"`
			Rules      []kyvernoRule `yaml:"rules"`
		} `yaml:"spec"`
	}
	metadata struct {
		Name string `yaml:"name"`
	}
	kyvernoRule struct {
		Name  string `yaml:"name"`
		Match struct {
			Any []kyvernoMatch `yaml:"any"`
		} `yaml:"match"`
		VerifyImages []verifyImages `yaml:"verifyImages"`
	}
	kyvernoMatch struct {
		Resources struct {
			Kinds []string `yaml:"kinds,flow"`
		} `yaml:"resources"`
	}
	verifyImages struct {
		Type            string               `yaml:"type"`
		FailureAction   string               `yaml:"failureAction"`
		ImageReferences []string             `yaml:"imageReferences"`
		Required        bool                 `yaml:"required"`
		MutateDigest    bool                 `yaml:"mutateDigest"`
		VerifyDigest    bool                 `yaml:"verifyDigest"`
		UseCache        bool                 `yaml:"useCache"`
		Attestors       []attestorSet        `yaml:"attestors,omitempty"`
		Attestations    []kyvernoAttestation `yaml:"attestations,omitempty"`
	}
	attestorSet struct {
		Count   int        `yaml:"count"`
		Entries []attestor `yaml:"entries"`
	}
	attestor struct {
		Keys    *kyvernoKeys    `yaml:"keys,omitempty"`
		Keyless *kyvernoKeyless `yaml:"keyless,omitempty"`
	}
	kyvernoKeys struct {
		PublicKeys         string `yaml:"publicKeys"`
		SignatureAlgorithm string `yaml:"signatureAlgorithm"`
		Rekor              struct {
			IgnoreTlog bool `yaml:"ignoreTlog"`
		} `yaml:"rekor,flow"`
		CTLog struct {
			IgnoreSCT bool `yaml:"ignoreSCT"`
		} `yaml:"ctlog,flow"`
	}
	kyvernoKeyless struct {
		Subject       string `yaml:"subject,omitempty"`
		SubjectRegExp string `yaml:"subjectRegExp,omitempty"`
		Issuer        string `yaml:"issuer,omitempty"`
		IssuerRegExp  string `yaml:"issuerRegExp,omitempty"`
		Rekor         struct {
			URL string `yaml:"url"`
		} `yaml:"rekor,flow"`
	}
	kyvernoAttestation struct {
		Type       string              `yaml:"type"`
		Attestors  []attestorSet       `yaml:"attestors"`
		Conditions []kyvernoConditions `yaml:"conditions,omitempty"`
	}
	kyvernoConditions struct {
		All []kyvernoCondition `yaml:"all"`
	}
	kyvernoCondition struct {
		Key      string `yaml:"key"`
		Operator string `yaml:"operator"`
		Value    bool   `yaml:"value"`
		Message  string `yaml:"message"`
	}
)

// signature is the predicate type of what a bundle calls a signature.
const signature = "https://sigstore.dev/cosign/sign/v1"

func (w *writer) kyverno() (*clusterPolicy, error) {
	p := w.policy
	identities, keys := w.kinds()
	if identities && p.TrustedRoot != "" {
		return nil, errors.New("a Kyverno policy holds identities against Sigstore's public instance, and cannot be told of the trusted root in " + p.TrustedRoot + "; --policy policy-controller can")
	}
	bundles := p.Format == release.Bundle && !keys
	switch {
	case bundles:
	case p.Format == release.Bundle:
		w.gap("format", "Kyverno verifies keys in the older form only, so that the .sig and .att tags are looked at and not the bundles")
	case p.Format == release.Both:
		w.gap("format", "only the older form is looked at, the .sig and .att tags")
	case p.Format == "":
		w.stricter("format", "only the older form counts, the .sig and .att tags; release with --signature-format both or legacy")
	}
	w.stricter("provenance and report", "where an image was released twice, Kyverno wants all of its provenances and reports to be as asked, not one of each")
	if w.reports() {
		w.gap("report", "temper verify wants the report in a statement to be of the statement's image; Kyverno's conditions do not see the image")
	}
	var signers, attesting []attestorSet
	for _, s := range p.Signers {
		set, err := w.kyvernoSet(s)
		if err != nil {
			return nil, err
		}
		signers = append(signers, *set)
		if !s.SignatureOnly {
			attesting = append(attesting, *set)
			if len(s.AnyOf) > 1 {
				w.gap("any-of", "temper verify wants signature and evidence of the same one; Kyverno takes them from different ones")
			}
		}
	}
	v := verifyImages{
		Type: "Cosign", FailureAction: "Enforce", Required: true, MutateDigest: true, VerifyDigest: true, Attestors: signers,
		// What depends on the time cannot be remembered.
		UseCache: p.MaxAge == 0 && !w.reports(),
	}
	for _, r := range w.repositories {
		at := strings.Replace(r.Name(), "index.docker.io/", "docker.io/", 1)
		v.ImageReferences = append(v.ImageReferences, at+":*", at+"@*", at+"/*")
	}
	if bundles {
		// To Kyverno any bundle of the signer is a signature, an SBOM as well.
		v.Type = "SigstoreBundle"
		v.Attestors = nil
		v.Attestations = append(v.Attestations, kyvernoAttestation{Type: signature, Attestors: signers})
	}
	for _, need := range w.needs() {
		a := kyvernoAttestation{Type: need, Attestors: attesting}
		var all []condition
		switch need {
		case evidence.Provenance:
			all = w.originJMESPath()
		case evidence.TestResult:
			all = w.reportJMESPath()
		}
		if len(all) > 0 {
			var of kyvernoConditions
			for _, c := range all {
				of.All = append(of.All, kyvernoCondition{"{{ " + c.expression + " }}", "Equals", true, c.says})
			}
			a.Conditions = []kyvernoConditions{of}
		}
		v.Attestations = append(v.Attestations, a)
	}
	c := &clusterPolicy{APIVersion: "kyverno.io/v1", Kind: "ClusterPolicy", Metadata: metadata{w.name()}}
	c.Spec.Webhook.FailurePolicy, c.Spec.Webhook.TimeoutSeconds = "Fail", 30
	rule := kyvernoRule{Name: "released", VerifyImages: []verifyImages{v}}
	rule.Match.Any = make([]kyvernoMatch, 1)
	rule.Match.Any[0].Resources.Kinds = []string{"Pod"}
	c.Spec.Rules = []kyvernoRule{rule}
	return c, nil
}

// reports tells whether reports are looked at, whose waivers expire.
func (w *writer) reports() bool {
	for _, need := range w.needs() {
		if need == evidence.TestResult {
			return true
		}
	}
	return false
}

// kyvernoSet are those of whom one will do.
func (w *writer) kyvernoSet(s policy.Signer) (*attestorSet, error) {
	set := &attestorSet{Count: 1}
	for _, b := range s.AnyOf {
		public, err := b.PublicKey()
		if err != nil {
			return nil, err
		}
		if public == nil {
			set.Entries = append(set.Entries, attestor{Keyless: keylessOf(b.Pattern)})
			continue
		}
		keys := &kyvernoKeys{PublicKeys: string(public)}
		if keys.SignatureAlgorithm, err = hashOf(public); err != nil {
			return nil, fmt.Errorf("key %s: %w", b.Key, err)
		}
		keys.Rekor.IgnoreTlog, keys.CTLog.IgnoreSCT = true, true
		set.Entries = append(set.Entries, attestor{Keys: keys})
	}
	return set, nil
}

// keylessOf says it in expressions: in a plain subject Kyverno takes * and ? for
// whatever stands there.
func keylessOf(p release.Pattern) *kyvernoKeyless {
	k := &kyvernoKeyless{SubjectRegExp: anchored(p.SubjectRegexp), IssuerRegExp: anchored(p.IssuerRegexp)}
	k.Rekor.URL = "https://rekor.sigstore.dev" // the default, and Kyverno refuses a policy without it
	if p.Subject != "" {
		k.SubjectRegExp = "^" + regexp.QuoteMeta(p.Subject) + "$"
	}
	if p.Issuer != "" {
		k.IssuerRegExp = "^" + regexp.QuoteMeta(p.Issuer) + "$"
	}
	return k
}
