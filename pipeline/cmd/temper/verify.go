package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/spf13/cobra"

	"temper/checks"
	"temper/pipeline/evidence"
	"temper/pipeline/policy"
	"temper/pipeline/release"
)

// verifyFlags are those of temper verify.
type verifyFlags struct {
	believedFlags
	policy string
	// annotations are what the signature must carry, as KEY=VALUE.
	annotations []string
	recheck     bool
	insecure    []string
	offline     bool
	rebuild     string
	json        bool

	again *rebuilder // nil where nobody asked for one
}

func newVerify(p *person) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify {--key FILE | --identity ID --issuer URL | --policy FILE} [flags] REF|LAYOUT[#NAME]...",
		Short: "Signature, SBOM, provenance and report of an image, in one call",
		Long: `verify resolves each reference once, fetches its manifest and answers whether it
may be shipped: the image and every platform in it are signed, and its SBOM,
provenance and check report are there, about this very digest, by the same signer. The
SBOM is held against the modules of the binary inside. A reference with both a tag and
a digest (NAME:TAG@sha256:...) is also refused when the tag has moved.

The signer is a key, in a file or a service (temper help release), or who signed
without one (keyless): an identity, such as a workflow, for which an issuer vouched.
Both are exact, or expressions that match as a whole. An identity counts if its
certificate comes from an authority of the trusted root and a log or a timestamp
proves that it was good then; all of that comes with the signature, so that nothing
but the registry is asked. The trusted root is that of Sigstore's public instance, as
this Temper pins it, or --trusted-root.

With --annotation KEY=VALUE one signature of the image by that signer must carry all that
is asked for, such as the approval that cosign sign -a approved=yes writes.

A policy says more, in a file: who must all have signed, and from which source, on
which base, how long ago, through which rules and with which waivers a release must
have come. With --recheck the rules run again on the bytes that the registry holds, and
what the signed report waives is accepted until it expires.

An OCI layout, a folder or a tarball of one, is verified as a registry is, all images
in it or the one called NAME, if it was copied with its signatures: by temper export
--signed, oras backup --include-referrers, regctl image copy --referrers, cosign save,
or skopeo with the tags sha256-... No packet leaves for it. --offline keeps to the
registry for references: none leaves for anywhere else, and a registry that keeps its
blobs elsewhere, or has its tokens given out there, is an error; so is a key in a
service. Docker's credential helpers, where its configuration names some, do what they
do. A rebuild then makes do with the modules and the Go releases at hand.

On stdout it prints REPOSITORY@DIGEST for each image that verifies; what was signed,
by whom and from which source goes to stderr. Where one does not verify, verify exits
3 and says whether it is unsigned, untrusted, unannotated, incomplete, altered, moved or
refused. Where it could not look, as at a registry out of reach or an image that is not
there, it exits 1 (with --json the reason is "unseen").
` + rebuildHelp,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("no image to verify").hint("temper verify --key cosign.pub REF")
			}
			if f.rebuild == "" && c.Flags().Changed("rebuild") {
				return usagef("--rebuild names no folder").hint("temper verify --rebuild . %s", strings.Join(args, " "))
			}
			if _, err := f.annotated(); err != nil {
				return err
			}
			return f.check(args, f.policy)
		},
		RunE: func(c *cobra.Command, args []string) error { return verify(c.Context(), p, f, args) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.policy, "policy", "", "hold the release against the policy in `FILE`")
	flags.StringArrayVar(&f.annotations, "annotation", nil, "want the signature to carry `KEY=VALUE`, as cosign sign -a writes it (may be repeated)")
	flags.BoolVar(&f.recheck, "recheck", false, "run the rules again on what the registry holds")
	addInsecure(cmd, &f.insecure, "a registry")
	flags.BoolVar(&f.offline, "offline", false, "ask nothing but the registry, and follow it nowhere else")
	flags.StringVar(&f.rebuild, "rebuild", "", "build it again from its commit, which is in the git repository of the folder `SRC`, and compare")
	flags.BoolVar(&f.json, "json", false, "write one JSON object")
	return cmd
}

// An answer is what verify says of one image, in JSON.
type answer struct {
	Ref      string        `json:"ref"`
	Verified bool          `json:"verified"`
	Reason   string        `json:"reason,omitempty"`
	Detail   string        `json:"detail,omitempty"`
	Release  *releaseFacts `json:"release,omitempty"`
	Rebuild  *rebuilt      `json:"rebuild,omitempty"`
}

func verify(ctx context.Context, p *person, f verifyFlags, refs []string) error {
	out := struct {
		Answers []answer `json:"answers"`
	}{}
	no := &noError{}
	where := whereabouts{insecure: f.insecure, offline: f.offline}
	defer where.done()
	all, err := where.find(refs)
	if err != nil {
		return err
	}
	wanted, err := f.wanted(ctx)
	if err != nil {
		return err
	}
	var unseen []error // what nobody could look at
	if f.again, err = newRebuilder(p, f.rebuild); err != nil {
		return err
	}
	defer f.again.close()
	if f.again != nil && f.offline {
		f.again.offline = true
		if err := keepOffline(); err != nil {
			return err
		}
	}
	for _, a := range all {
		facts, err := f.look(ctx, p, a.ref, wanted, a.opts)
		var refusal *release.Refusal
		switch {
		case errors.As(err, &refusal):
			no.reasons = append(no.reasons, refusal.Error())
			out.Answers = append(out.Answers, answer{Ref: a.text, Reason: string(refusal.Reason), Detail: refusal.Detail, Rebuild: facts.again()})
			if refusal.Reason == release.Unsigned && a.layout != "" {
				no.next = a.unsigned()
			}
			continue
		case err != nil && ctx.Err() == nil:
			unseen = append(unseen, err)
			out.Answers = append(out.Answers, answer{Ref: a.text, Reason: "unseen", Detail: err.Error()})
			continue
		case err != nil:
			return err
		}
		facts.Digest = a.shown(facts.Digest)
		out.Answers = append(out.Answers, answer{Ref: a.text, Verified: true, Release: facts, Rebuild: facts.again()})
		p.verified(facts)
		if !f.json {
			fmt.Fprintln(p.out, facts.Digest)
		}
	}
	if f.json {
		if err := p.json(out); err != nil {
			return err
		}
	}
	if len(no.reasons) > 0 { // a no is an answer, whatever else could not be seen
		for _, err := range unseen {
			p.fail(err)
		}
		return no
	}
	return errors.Join(unseen...)
}

// look answers for one reference. The error is a refusal if the answer is no;
// beside one there may be facts, for what came of a rebuild.
func (f *verifyFlags) look(ctx context.Context, p *person, ref name.Reference, wanted *policy.Policy, opts release.Options) (*releaseFacts, error) {
	now := time.Now()
	opened, err := wanted.Open(ctx, ref, opts, now)
	if err != nil {
		return nil, err
	}
	artifact, err := release.Fetch(ctx, opened.Digest, opts)
	if err != nil {
		return nil, err
	}
	looking, stop := context.WithCancel(ctx)
	defer stop()
	looked := make(chan error, 1)
	read := readOnce()
	go func() { looked <- inside(looking, opened.Release, artifact, read) }()
	facts, err := factsOf(opened, now, read)
	if err != nil {
		return nil, err
	}
	if err := <-looked; err != nil {
		return nil, err
	}
	if f.recheck {
		if err := recheck(ctx, p, facts, artifact, wanted, now); err != nil {
			return nil, err
		}
	}
	return facts, f.again.hold(ctx, facts, opened, artifact, f.policy == "")
}

// releaseFacts are what a verified release tells, for people and as JSON.
type releaseFacts struct {
	// Ref is what was asked for, Digest what it names: REPOSITORY@DIGEST.
	Ref    string `json:"ref"`
	Digest string `json:"digest"`
	// Service is what the provenance calls what was built: a repository can be
	// named anything.
	Service string `json:"service"`
	// Signer is "key sha256:..." with the fingerprint of the public key, or the
	// identity with its issuer in parentheses; Forms are those in which the
	// signature was found: bundle, legacy.
	Signer string   `json:"signer"`
	Forms  []string `json:"forms"`
	// Identity and Issuer are who signed without a key, and who vouched for them.
	// SignedAt is when a log or an authority for timestamps saw the signature
	// first, in RFC 3339. All three are left out where a key signed.
	Identity string `json:"identity,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	SignedAt string `json:"signedAt,omitempty"`
	// AlsoSignedBy are the other signers that a policy asks for, as Signer has
	// them.
	AlsoSignedBy []string       `json:"alsoSignedBy"`
	Platforms    []platformFact `json:"platforms"`
	// Source is git+URL@COMMIT, empty where the provenance names none.
	Source string `json:"source"`
	// Go is the release that compiled, Toolchain the hash of its programs as the
	// builder had them, empty where the provenance has none.
	Go        string `json:"go"`
	Toolchain string `json:"toolchain"`
	Builder   string `json:"builder"`
	// BuiltAt is when the build ended, in RFC 3339, as whoever built says; empty if
	// they do not.
	BuiltAt string `json:"builtAt"`
	Base    string `json:"base"`
	// BaseSigner is who signed the base, as whoever built saw; empty if they did
	// not look.
	BaseSigner string `json:"baseSigner"`
	// Modules counts the Go modules in the SBOM.
	Modules int `json:"modules"`
	// Rules are those that looked at the image, Probes those of them that looked
	// while it ran, Warnings what they advise.
	Rules    int `json:"rules"`
	Probes   int `json:"probes"`
	Warnings int `json:"warnings"`
	// Looked are the names of those rules, sorted.
	Looked []string `json:"looked"`
	// Waivers are what let errors through when the image was released.
	Waivers []waiverFact `json:"waivers"`
	// Rechecked is how many rules looked at it again, 0 where nobody asked.
	Rechecked int `json:"rechecked"`

	rebuilt *rebuilt // told beside the release; nil where nobody asked
}

type waiverFact struct {
	checks.Waiver
	// Expired is true from the day after Expires on, UTC.
	Expired bool `json:"expired"`
}

type platformFact struct {
	Platform string `json:"platform"`
	Digest   string `json:"digest"`
}

// factsOf reads the statements of a release.
func factsOf(r *policy.Opened, now time.Time, read moduleReader) (*releaseFacts, error) {
	facts := &releaseFacts{Ref: r.Ref, Digest: r.Digest.String(), Signer: r.Signer, AlsoSignedBy: append([]string{}, r.Also...), Forms: []string{}, Platforms: []platformFact{}, Waivers: []waiverFact{}, Looked: []string{}}
	if who := r.Identity; who != (release.Identity{}) {
		facts.Identity, facts.Issuer, facts.SignedAt = who.Subject, who.Issuer, r.Signed.UTC().Format(time.RFC3339)
	}
	for _, form := range r.Forms {
		facts.Forms = append(facts.Forms, string(form))
	}
	for _, platform := range r.Platforms {
		facts.Platforms = append(facts.Platforms, platformFact{platform.Name, platform.Digest.String()})
	}
	if r.Provenance != nil {
		if err := facts.provenance(r.Provenance); err != nil {
			return nil, err
		}
	}
	if r.Report != nil {
		report, err := r.Report.Report()
		if err != nil {
			return nil, err
		}
		facts.Rules, facts.Probes, facts.Warnings = len(report.Rules), countProbes(report.Rules), report.Count(checks.Warning)
		facts.Looked = report.Rules
	}
	for _, s := range policy.Reports(r.Release) {
		report, err := s.Report()
		if err != nil {
			return nil, err
		}
		for _, w := range report.Waivers() {
			// Released twice, an image has two reports.
			if fact := (waiverFact{w, w.Expired(now)}); !slices.Contains(facts.Waivers, fact) {
				facts.Waivers = append(facts.Waivers, fact)
			}
		}
	}
	if s := r.Statement(evidence.SPDX); s != nil {
		modules, err := read(s)
		if err != nil {
			return nil, err
		}
		facts.Modules = len(modules)
	}
	return facts, nil
}

func (f *releaseFacts) provenance(s *evidence.Statement) error {
	from, err := s.Origin()
	if err != nil {
		return err
	}
	f.Builder, f.Service, f.Go, f.Toolchain, f.BaseSigner = from.Builder, from.Service, from.Go, from.Toolchain, from.Signed.String()
	if from.Source.Commit != "" {
		f.Source = from.Source.String()
	}
	if !from.Finished.IsZero() {
		f.BuiltAt = from.Finished.UTC().Format(time.RFC3339)
	}
	f.Base = from.Base.Name
	if !strings.Contains(f.Base, "@") && from.Base.Digest.Hex != "" {
		f.Base += "@" + from.Base.Digest.String()
	}
	return nil
}
