package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"temper/pipeline/admission"
)

// admit prints what an admission engine is to ask of images.
func admit(ctx context.Context, p *person, f manifestFlags, args []string) error {
	engine := admission.Engine(f.policy)
	if !slices.Contains(admission.Engines, engine) {
		if strings.HasSuffix(f.policy, ".yaml") || strings.HasSuffix(f.policy, ".yml") {
			return usagef("--policy %s names no engine", f.policy).hint("temper manifest --policy kyverno %s REPOSITORY; or, to verify by it: temper manifest --resolve REPOSITORY --policy %s FILE", f.policy, f.policy)
		}
		return usagef("--policy %s: the engines are kyverno and policy-controller", f.policy).hint("temper manifest --policy kyverno release.yaml ghcr.io/acme/shop")
	}
	if len(args) < 2 {
		return usagef("a policy is about a release policy and a repository").hint("temper manifest --policy %s release.yaml ghcr.io/acme/shop", engine)
	}
	var repositories []name.Repository
	for _, arg := range args[1:] {
		repo, err := name.NewRepository(arg)
		if err != nil {
			return usagef("%q is no repository: %v", arg, err).hint("write it without a tag, such as ghcr.io/acme/shop")
		}
		repositories = append(repositories, repo)
	}
	verify := f.verifyFlags
	verify.policy = args[0]
	wanted, err := verify.wanted(ctx)
	if err != nil {
		return err
	}
	if f.trustedRoot != "" {
		wanted.TrustedRoot = f.trustedRoot
	}
	out, gaps, err := admission.Write(engine, args[0], wanted, repositories)
	if err != nil {
		return fmt.Errorf("%s for %s: %w", args[0], engine, err)
	}
	for _, g := range gaps {
		p.gap(g)
	}
	_, err = p.out.Write(out)
	return err
}
