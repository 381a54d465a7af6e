package main

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/spf13/cobra"

	"temper/pipeline/release"
)

// promoteFlags are those of temper promote.
type promoteFlags struct {
	verifyFlags
	tags []string
}

func newPromote(p *person) *cobra.Command {
	var f promoteFlags
	cmd := &cobra.Command{
		Use:   "promote {--key FILE | --identity ID --issuer URL | --policy FILE} [flags] REF|LAYOUT[#NAME] REPOSITORY",
		Short: "Copy a release with its signatures, verified on both ends, then tag it",
		Long: `promote copies a release to another repository, from a registry or from a layout
that temper export --signed wrote: the image, all its platforms, and the signatures
and attestations of each, by whomever. It verifies the release where it comes from, as
temper verify does, copies what has that digest, verifies it again where it went to,
and only then moves the tags. Nothing is signed, so that it takes no private key: a
release is made once, and its digest and its signature go with it from stage to stage.

What is in REPOSITORY already stays. Interrupted, it is finished by running it again.
On stdout it prints REPOSITORY@DIGEST.`,
		Args: func(c *cobra.Command, args []string) error {
			if err := exactly(2)(c, args); err != nil {
				return err
			}
			f.verb = "promote"
			return f.check(args, f.policy)
		},
		RunE: func(c *cobra.Command, args []string) error { return promote(c.Context(), p, f, args[0], args[1]) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.policy, "policy", "", "hold the release against the policy in `FILE`")
	flags.StringArrayVar(&f.tags, "tag", nil, "move the tag `TAG` in REPOSITORY to the image (may be repeated); without one the image has its digest only")
	addInsecure(cmd, &f.insecure, "a registry")
	flags.BoolVar(&f.json, "json", false, "write one JSON object")
	return cmd
}

func promote(ctx context.Context, p *person, f promoteFlags, arg, repository string) error {
	if err := notAddress(repository); err != nil {
		return err
	}
	to, err := name.NewRepository(repository)
	if err != nil {
		return usagef("%q is no repository: %v", repository, err)
	}
	where := whereabouts{insecure: f.insecure}
	defer where.done()
	all, err := where.find([]string{arg})
	if err != nil {
		return err
	}
	if len(all) != 1 {
		return usagef("%s holds %d images", arg, len(all)).hint("temper promote %s %s", all[0].text, repository)
	}
	wanted, err := f.wanted(ctx)
	if err != nil {
		return err
	}
	var facts *releaseFacts
	open := func(ctx context.Context, ref name.Reference, opts release.Options) (name.Digest, error) {
		seen, err := f.look(ctx, p, ref, wanted, opts)
		if err != nil {
			return name.Digest{}, err
		}
		facts = seen
		return name.NewDigest(seen.Digest)
	}
	target := release.Options{Insecure: f.insecure, Keychain: credentials{[]string{to.RegistryStr()}}}
	digest, err := release.Promote(ctx, all[0].ref, to, open, f.tags, all[0].opts, target)
	if err != nil {
		return refused(err)
	}
	p.verified(facts)
	if !f.json {
		fmt.Fprintln(p.out, digest)
		return nil
	}
	return p.json(struct {
		From    string        `json:"from"`
		Digest  string        `json:"digest"`
		Tags    []string      `json:"tags"`
		Release *releaseFacts `json:"release"`
	}{all[0].text, digest.DigestStr(), append([]string{}, f.tags...), facts})
}
