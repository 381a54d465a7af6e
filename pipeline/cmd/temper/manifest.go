package main

import (
	"slices"

	"github.com/spf13/cobra"
)

// manifestFlags are those of temper manifest: of writing manifests, of putting
// digests into them (with those of verify), and of writing a policy.
type manifestFlags struct {
	generateFlags
	verifyFlags // policy is a file with --resolve, and an engine without
	resolve     string
	tag         string
}

func newManifest(p *person) *cobra.Command {
	var f manifestFlags
	cmd := &cobra.Command{
		Use: `manifest --repository REPOSITORY [flags] [SERVICE]...
  temper manifest --resolve LAYOUT|REPOSITORY {--key FILE | --identity ID --issuer URL | --policy FILE} [flags] FILE|-...
  temper manifest --policy kyverno|policy-controller [flags] RELEASE.yaml REPOSITORY...`,
		Short: "Kubernetes manifests as hard as the image, with digests that verify, and admission policies",
		Long: `manifest writes what runs the services of a repository, or those that are named: a
Deployment, a Service, a ServiceAccount, a NetworkPolicy and a PodDisruptionBudget,
which pass every rule of temper check --strict. User, ports and health come from
temper.yaml, the digest from the layout that temper build wrote, and the image is
REPOSITORY/NAME@DIGEST, where temper release puts it. From one number for memory follow
limit, request and GOMEMLIMIT. What whoever runs it knows better is there to be changed,
such as whom the service calls (NetworkPolicy). It prints YAML, or with -o writes a base
for kustomize into DIR/NAME and prints that path; a file that is there and differs is
left alone without --overwrite.

--resolve prints manifests, in files or on the standard input as "-", with the digest of
each image that is REPOSITORY/NAME: that of the tag that stands there, or of --tag, if
what it names verifies as temper verify has it. For a LAYOUT (temper export --signed) it
is every image whose last part is the name of one in it. No other byte changes. Where
one does not verify, nothing is printed and it exits 3. Images of others are left alone,
and told.

--policy writes what an admission engine asks of images below REPOSITORY, so that it
lets in what temper verify --policy RELEASE.yaml would. What the engine cannot express is
told on stderr and at the top of what is printed.`,
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			switch {
			case c.Flags().Changed("resolve"):
				if err = refuse(c, "does not go with --resolve", generating); err == nil {
					err = resolve(c.Context(), p, f, args)
				}
			case c.Flags().Changed("policy"):
				if err = refuse(c, "does not go with --policy and an engine", notAdmitting); err == nil {
					err = admit(c.Context(), p, f, args)
				}
			default:
				if err = refuse(c, "goes with --resolve", resolving); err == nil {
					err = generate(c.Context(), p, f.generateFlags, args)
				}
			}
			return err
		},
	}
	f.generateFlags.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.resolve, "resolve", "", "put the digests of what verifies in `LAYOUT|REPOSITORY` into manifests")
	flags.StringVar(&f.tag, "tag", "", "with --resolve, take the images with the tag `TAG` in place of those that stand there")
	flags.StringVar(&f.policy, "policy", "", "write the policy for the engine `NAME`, kyverno or policy-controller; with --resolve, verify by the policy in a file")
	f.verb = "manifest --resolve REPOSITORY"
	f.believedFlags.add(cmd)
	addInsecure(cmd, &f.insecure, "a registry")
	flags.BoolVar(&f.offline, "offline", false, "ask nothing but the registry, and follow it nowhere else")
	return cmd
}

// generating are the flags of writing manifests alone, and resolving those of
// verifying what is in them.
var (
	generating = []string{"chdir", "layout", "repository", "bare", "memory", "cpu", "replicas", "namespace", "output", "overwrite"}
	resolving  = []string{"tag", "policy", "insecure", "offline", "key", "identity", "identity-regexp", "issuer", "issuer-regexp", "trusted-root"}
)

// notAdmitting are those that mean nothing to an engine: who is believed stands in
// the release policy.
var notAdmitting = slices.Concat(generating, []string{"tag", "insecure", "offline", "key", "identity", "identity-regexp", "issuer", "issuer-regexp"})

// refuse refuses flags that mean nothing with what is to be done.
func refuse(c *cobra.Command, wrong string, names []string) error {
	for _, name := range names {
		if c.Flags().Changed(name) {
			return usagef("--%s %s", name, wrong).hint("temper manifest --help")
		}
	}
	return nil
}
