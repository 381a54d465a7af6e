package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"temper/checks"
	"temper/checks/images"
	"temper/checks/sources"
	"temper/pipeline/evidence"
	"temper/pipeline/image"
	"temper/pipeline/release"
)

// releaseFlags are those of temper release.
type releaseFlags struct {
	signingFlags
	tags     []string
	services []string
	bare     bool
	format   string
	chosen   bool // the format was
	insecure []string
	waivers  string
	probed   []string
	strict   bool
	json     bool
}

func newRelease(p *person) *cobra.Command {
	var f releaseFlags
	cmd := &cobra.Command{
		Use:   "release {--key REF | --keyless | --identity-token REF} [flags] LAYOUT REPOSITORY",
		Short: "Publish, sign and attest the images of a layout, then tag them",
		Long: `release checks the images of an OCI layout again, pushes each by digest to
REPOSITORY/NAME, signs it and its evidence (SBOM, provenance, report), reads
everything back, verifies it as a stranger would, and only then moves the tags. So a
tag never names an image that does not verify.

A report in a folder is a claim, so the waivers in it are none: an image that breaks
a rule is released only where --waivers names a temper.yaml that accepts it. The
report that is signed is the one of this very check, waivers included, with what the
build found in the code: nobody else has seen that, and what it found must be waived as
all else.

A release starts nothing. What temper probe saw of the very images goes into the
signed reports with --probed, and what it found must be waived as all else.

It signs with a cosign key, a file or env://NAME, whose password is taken from
COSIGN_PASSWORD or asked for. A temper that is built with -tags kms also has services
sign that hold a key: awskms://, azurekms://, gcpkms://, hashivault:// or openbao://,
as cosign has them. Or it signs without a key, as an identity: --keyless takes that of
the CI job (GitHub Actions, GitLab and any that set SIGSTORE_ID_TOKEN), and
--identity-token the one in a token. A certificate authority then vouches for it, once
a run, and a log takes in who signed what: with Sigstore's public instance all the
world can read that. An instance of one's own is named by its addresses or its signing
configuration, and its trusted root. Verify with temper verify --identity.

Credentials for the registry are docker's: docker login, or podman login.
On stdout it prints REPOSITORY@DIGEST for each image.`,
		Args: exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(args[0], args[1]); err != nil {
				return err
			}
			f.chosen = c.Flags().Changed("signature-format")
			return publish(c.Context(), p, f, args[0], args[1])
		},
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&f.tags, "tag", nil, "move the tag `TAG` to the image (may be repeated); without one the image has its digest only")
	flags.StringArrayVar(&f.services, "service", nil, "release the service `NAME` only (may be repeated)")
	flags.BoolVar(&f.bare, "bare", false, "push the one service to REPOSITORY itself")
	flags.StringVar(&f.format, "signature-format", "both", "write signatures as `FORM`: both, bundle or legacy")
	addInsecure(cmd, &f.insecure, "a registry or a service that signs")
	flags.StringVar(&f.waivers, "waivers", "", "accept what the temper.yaml `FILE` waives")
	flags.StringArrayVar(&f.probed, "probed", nil, "add what temper probe --json wrote to `FILE` to the signed reports (may be repeated)")
	flags.BoolVar(&f.strict, "strict", false, "let warnings fail")
	flags.BoolVar(&f.json, "json", false, "write one JSON object")
	flags.BoolVarP(&p.verbose, "verbose", "v", false, "say more")
	return cmd
}

func publish(ctx context.Context, p *person, f releaseFlags, layout, repository string) error {
	format := release.Format(f.format)
	if !slices.Contains([]release.Format{release.Both, release.Bundle, release.Legacy}, format) {
		return usagef("--signature-format is %q, want both, bundle or legacy", f.format)
	}
	if err := notAddress(repository); err != nil {
		return err
	}
	signing := f.ahead(ctx, p, format)
	all, err := image.Read(layout)
	if err != nil {
		return err
	}
	list, err := chosen(all, f.services, layout)
	if err != nil {
		return err
	}
	if f.bare && len(list) != 1 {
		return usagef("--bare pushes one service, and %s holds %d", layout, len(list)).hint("add --service NAME")
	}
	targets := make([]name.Repository, len(list))
	for i, e := range list {
		path := repository
		if !f.bare {
			path += "/" + e.Name
		}
		if targets[i], err = name.NewRepository(path); err != nil {
			return usagef("%q is no repository: %v", path, err)
		}
	}
	opts := release.Options{
		Format:   format,
		Insecure: f.insecure,
		Keychain: credentials{[]string{targets[0].RegistryStr()}},
	}

	reports, err := f.judge(ctx, p, layout, list)
	if err != nil {
		return err
	}
	signer, format, err := signing()
	if err != nil {
		return err
	}
	opts.Format = format
	type released struct {
		Name   string   `json:"name"`
		Ref    string   `json:"ref"`
		Digest string   `json:"digest"`
		Tags   []string `json:"tags"`
	}
	out := struct {
		// Signer is as verify has it, and so are the two others, which are left out
		// where a key signed.
		Signer   string     `json:"signer"`
		Identity string     `json:"identity,omitempty"`
		Issuer   string     `json:"issuer,omitempty"`
		Released []released `json:"released"`
	}{}
	digests, err := f.publishAll(ctx, p, list, targets, reports, signer, opts)
	for i, digest := range digests {
		switch {
		case digest == (name.Digest{}): // it failed, or another did before
		case f.json:
			out.Released = append(out.Released, released{list[i].Name, digest.String(), digest.DigestStr(), append([]string{}, f.tags...)})
		default:
			fmt.Fprintln(p.out, digest)
		}
	}
	if err != nil {
		return refused(err)
	}
	if f.json {
		by := signer.Verifier() // which is there: it has signed
		out.Signer = by.String()
		out.Identity, out.Issuer = by.Identity().Subject, by.Identity().Issuer
		return p.json(out)
	}
	return nil
}

// publishing is how many images are published at a time. Much of it is waiting for the
// registry, which may be far away.
const publishing = 4

// publishAll publishes the images side by side, each into a repository of its own, and
// returns the digests of those that are, zero for the others. After the first error no more
// are begun.
func (f *releaseFlags) publishAll(ctx context.Context, p *person, list []image.Entry, targets []name.Repository,
	reports []*checks.Report, signer *release.Signer, opts release.Options) ([]name.Digest, error) {

	digests := make([]name.Digest, len(list))
	line := p.progress()
	defer line.end()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(publishing)
	for i, e := range list {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			statements, err := restate(e.Statements, reports[i])
			if err != nil {
				return err
			}
			opts := opts
			opts.Progress = line.of(targets[i].Name())
			if digests[i], err = release.Publish(ctx, targets[i], reports[i], e.Artifact, statements, signer, f.tags, opts); err != nil {
				return err
			}
			p.note("%s: pushed, signed, read back and verified", digests[i])
			return nil
		})
	}
	return digests, g.Wait()
}

// ahead opens a key while the images are judged and their layers uploaded, for all of
// it takes its time. Not where a person has to be asked for its password, and not for
// an identity: what is not released need not be in anybody's log.
func (f *releaseFlags) ahead(ctx context.Context, p *person, format release.Format) func() (*release.Signer, release.Format, error) {
	if _, said := os.LookupEnv("COSIGN_PASSWORD"); !said || f.key == "" {
		return func() (*release.Signer, release.Format, error) {
			return f.signer(ctx, p, format, f.chosen, f.insecure)
		}
	}
	signer := release.Later(func() (*release.Signer, error) {
		s, _, err := f.signer(ctx, p, format, f.chosen, f.insecure)
		return s, err
	})
	go signer.Verifier()
	return func() (*release.Signer, release.Format, error) { return signer, format, nil }
}

// judge runs the rules again on the very bytes, for a report in a folder is a
// claim and so are the waivers in it. All images are judged before the first is
// pushed.
func (f *releaseFlags) judge(ctx context.Context, p *person, layout string, list []image.Entry) ([]*checks.Report, error) {
	waived, err := readWaivers(f.waivers)
	if err != nil {
		return nil, err
	}
	probed, err := readProbed(f.probed)
	if err != nil {
		return nil, err
	}
	reports := make([]*checks.Report, len(list))
	no := &noError{next: "temper check " + layout}
	now := time.Now()
	// What services share is read once, and what earlier checks have read is
	// read again.
	opts := images.Options{}
	if opts.Memory, err = images.NewMemory(""); err != nil {
		return nil, err
	}
	judgements, err := judgeAll(ctx, list, opts)
	if err != nil {
		return nil, err
	}
	for i, e := range list {
		j := judgements[i]
		if len(f.probed) > 0 {
			seen := probed[j.Report.Subject.Digest]
			if seen == nil {
				return nil, hintf("temper probe --json "+layout, "no file of --probed holds a report of %s %s", e.Name, j.Report.Subject.Digest)
			}
			j.Report = checks.Join(j.Report, seen)
		}
		code, err := claimedOfCode(e)
		if err != nil {
			return nil, err
		}
		j.Report = checks.Join(j.Report, code)
		if reports[i], err = waive(j.Report, waived, now); err != nil {
			return nil, err
		}
		if err := p.report(reports[i]); err != nil {
			return nil, err
		}
		if lie := belied(e.Statements, binaries(j)); lie != nil {
			no.reasons = append(no.reasons, fmt.Sprintf("%s: %s", plainName(e.Name, layout), lie))
			no.next = "temper build, then temper release"
		}
		if err := disproved(e, now); err != nil {
			no.reasons = append(no.reasons, fmt.Sprintf("%s: %v", plainName(e.Name, layout), err))
			no.next = "temper build, then temper release"
		}
		if other := otherService(e); other != "" {
			no.reasons = append(no.reasons, fmt.Sprintf("%s is the service %s, as its provenance says", plainName(e.Name, layout), other))
			no.next = "temper build, then temper release"
		}
		if !reports[i].OK() || !reports[i].Passes(f.strict) {
			no.reasons = append(no.reasons, broken(reports[i], f.strict))
			if f.waivers == "" && claimsWaivers(e) {
				no.next = "if you stand by what temper.yaml waives: temper release --waivers temper.yaml " + f.again() + " " + layout + " REPOSITORY"
			}
		}
	}
	if len(no.reasons) > 0 {
		return nil, no
	}
	return reports, nil
}

// judgeAll runs the rules on the images, one on each core. What one of them has in common
// with another is waited for.
func judgeAll(ctx context.Context, list []image.Entry, opts images.Options) ([]*images.Judgement, error) {
	judgements := make([]*images.Judgement, len(list))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, e := range list {
		g.Go(func() (err error) {
			judgements[i], err = images.Check(ctx, e.Name, e.Artifact, opts)
			return err
		})
	}
	return judgements, g.Wait()
}

// otherService is what a provenance in the layout calls the image, where that is
// not the name under which it would be pushed; empty where it is. Whoever can write
// index.json could have one service released in the place of another.
func otherService(e image.Entry) string {
	for _, s := range e.Statements {
		if s.PredicateType != evidence.Provenance {
			continue
		}
		if from, err := s.Origin(); err == nil && from.Service != "" && from.Service != e.Name {
			return from.Service
		}
	}
	return ""
}

// claimedOfCode is what the build reported about the code, which nobody else has seen: it
// is the builder's word, as the provenance is. What a comment in the source accepts stays
// accepted; the waivers of a temper.yaml are for whoever releases to give.
func claimedOfCode(e image.Entry) (*checks.Report, error) {
	about := namesOf(sources.AllRules())
	out := new(checks.Report)
	for _, s := range e.Statements {
		if s.PredicateType != evidence.TestResult {
			continue
		}
		r, err := s.Report()
		if err != nil {
			return nil, fmt.Errorf("reading the report of %s: %w", e.Name, err)
		}
		for _, rule := range r.Rules {
			if slices.Contains(about, rule) && !slices.Contains(out.Rules, rule) {
				out.Rules = append(out.Rules, rule)
			}
		}
		for _, f := range r.Findings {
			if !slices.Contains(about, f.Rule) {
				continue
			}
			if f.Baseline = false; f.Waived != nil && f.Waived.Source == "" {
				f.Waived = nil
			}
			out.Findings = append(out.Findings, f)
		}
		for _, n := range r.Notices {
			if n.Kind == checks.LeftOut || n.Kind == checks.RuleUndecided && slices.Contains(about, n.Rule) {
				out.Notices = append(out.Notices, n)
			}
		}
	}
	return out, nil
}

// claimsWaivers tells whether the report in the layout speaks of waivers.
func claimsWaivers(e image.Entry) bool {
	for _, s := range e.Statements {
		if s.PredicateType != evidence.TestResult {
			continue
		}
		if r, err := s.Report(); err == nil && len(r.Waivers()) > 0 {
			return true
		}
	}
	return false
}

// restate puts the report of this check in the place of the one that the
// layout claims: what is signed is what was seen.
func restate(statements []*evidence.Statement, r *checks.Report) ([]*evidence.Statement, error) {
	var out []*evidence.Statement
	stated := false
	for _, s := range statements {
		if s.PredicateType != evidence.TestResult {
			out = append(out, s)
			continue
		}
		if stated {
			continue
		}
		own, err := evidence.StateReport(r)
		if err != nil {
			return nil, err
		}
		out, stated = append(out, own), true
	}
	return out, nil
}

// chosen are the entries of a layout by the names asked for, or all.
func chosen(all []image.Entry, names []string, layout string) ([]image.Entry, error) {
	if len(all) == 0 {
		return nil, fmt.Errorf("%s holds no image", layout)
	}
	if len(names) == 0 {
		return all, nil
	}
	var list []image.Entry
	for _, want := range names {
		found := false
		for _, e := range all {
			if e.Name == want {
				list, found = append(list, e), true
			}
		}
		if !found {
			var have []string
			for _, e := range all {
				have = append(have, e.Name)
			}
			return nil, fmt.Errorf("%s holds no service %q; it holds: %v", layout, want, have)
		}
	}
	return list, nil
}

// refused turns a refusal into the answer no, and leaves other errors alone.
func refused(err error) error {
	var r *release.Refusal
	if errors.As(err, &r) {
		return &noError{reasons: []string{r.Error()}}
	}
	return err
}
