package main

import (
	"context"
	"errors"
	"strings"

	"temper/checks/images"
	"temper/checks/probes"
	"temper/checks/sources"
	"temper/pipeline/policy"
	"temper/pipeline/release"
)

// wanted is the policy in the file, or one that asks for a signer and nothing
// more.
func (f *verifyFlags) wanted(ctx context.Context) (*policy.Policy, error) {
	if f.offline && release.InService(f.key) {
		return nil, usagef("--offline asks nothing but the registry, and %s is a key in a service; verify with its public key in a file", f.key)
	}
	if f.policy == "" {
		signer, err := f.signer(ctx)
		if err != nil {
			return nil, err
		}
		return &policy.Policy{Signers: []policy.Signer{signer}}, nil
	}
	known := policy.Known{
		Rules: ruleNames(),
		Groups: map[string][]string{
			"images": namesOf(images.AllRules()), "sources": namesOf(sources.AllRules()), "probes": namesOf(probes.AllRules()),
		},
		Root:      func() (*release.TrustedRoot, error) { return trustedRoot(f.trustedRoot) },
		RootNamed: f.trustedRoot != "",
		Offline:   f.offline,
	}
	if f.named() {
		known.Signer = func() (policy.Signer, error) { return f.signer(ctx) }
	}
	p, err := policy.Load(ctx, f.policy, known)
	var twice *policy.TwiceError
	if errors.As(err, &twice) {
		return nil, usagef("%v", twice)
	}
	return p, err
}

// signer is who the flags name, and what their signature must say.
func (f *verifyFlags) signer(ctx context.Context) (policy.Signer, error) {
	verifier, err := f.verifier(ctx)
	if err != nil {
		return policy.Signer{}, err
	}
	s := policy.NewSigner(verifier)
	s.Annotations, err = f.annotated()
	return s, err
}

// annotated reads the annotations that the signature must carry.
func (f *verifyFlags) annotated() (map[string]string, error) {
	if len(f.annotations) == 0 {
		return nil, nil
	}
	if f.policy != "" && !f.named() {
		return nil, usagef("--annotation is about the signer on the command line; with the signers of a policy it stands beside them").
			hint("in %s: signers: [{key: cosign.pub, annotations: {approved: yes}}]", f.policy)
	}
	all := make(map[string]string)
	for _, text := range f.annotations {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, usagef("--annotation %s has no key and value", text).hint("--annotation approved=yes")
		}
		if other, twice := all[key]; twice && other != value {
			return nil, usagef("--annotation wants %s to be both %s and %s, and a signature says one", key, other, value)
		}
		all[key] = value
	}
	return all, nil
}
