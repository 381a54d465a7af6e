package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/spf13/cobra"

	"temper/pipeline/image"
	"temper/pipeline/service"
)

// updateFlags are those of temper base update.
type updateFlags struct {
	baseFlags
	tag   string
	check bool
	pin   bool
}

func newBaseUpdate(p *person) *cobra.Command {
	var f updateFlags
	cmd := &cobra.Command{
		Use:   "update [flags]",
		Short: "Pin the image that the base's tag names now, after checking its signer",
		Long: `update asks the registry what the tag of the base (NAME:TAG@sha256:...) names now,
checks the signer if temper.yaml names one, tells what changed between the two images
(packages, configuration, files) and writes the new digest into temper.yaml. Every
other byte of the file stays as it was.

"base: distroless" stands for the image that Temper pins. For it update tells whether
Google has a newer one and changes nothing; with --pin it writes that image and its
signer in its place.

On stdout it prints the newest image by its digest. With --check it only tells, and
exits 3 if there is a newer one.`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error { return updateBase(c.Context(), p, f) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.tag, "tag", "", "follow `TAG` in place of the one that the base has")
	flags.BoolVar(&f.check, "check", false, "change nothing, and exit 3 if there is a newer one")
	flags.BoolVar(&f.pin, "pin", false, "write the newest distroless into temper.yaml in place of the one that Temper pins")
	return cmd
}

// updateFacts are what temper base update tells, for people and as JSON.
type updateFacts struct {
	// Base is the image that is pinned and Newest the one that its tag names
	// now, both by their digests; Newer tells whether they differ.
	Base   string `json:"base"`
	Newest string `json:"newest"`
	Newer  bool   `json:"newer"`
	// Signer is who signed the newest, as was checked; empty if nobody is named.
	Signer string `json:"signer"`
	// Changes is null where nothing is newer, or the old image cannot be read
	// any more; Unread says why.
	Platform string         `json:"platform"`
	Changes  *image.Changes `json:"changes"`
	Unread   string         `json:"unread,omitempty"`
	// Written tells whether temper.yaml was changed.
	Written bool `json:"written"`
}

func updateBase(ctx context.Context, p *person, f updateFlags) error {
	if f.check && f.pin {
		return usagef("--check changes nothing, and --pin asks for a change").hint("temper base update --check")
	}
	repo, err := service.Load(ctx, f.dir, ruleNames()...)
	if err != nil {
		return err
	}
	distroless := repo.Base == service.DistrolessBase
	if f.pin && !distroless {
		return usagef("--pin is for base: distroless, and the base is %s", repo.Base).hint("temper base update")
	}
	switch {
	case repo.Base == service.BuiltinBase:
		return builtinIsNewest(p, f, repo)
	case filepath.IsAbs(repo.Base):
		folder := relative(repo.Dir, repo.Base)
		return hintf("cosign save --dir "+folder+" IMAGE", "base %s is an OCI layout, which no tag names; copy the newer image into it", folder)
	}
	facts, err := newest(ctx, p, f, repo)
	if err != nil {
		return err
	}
	if facts.Newer && !f.check && !distroless || f.pin {
		if err := writeBase(repo, facts.Newest, f.pin); err != nil {
			return err
		}
		facts.Written = true
	}
	if f.json {
		err = p.json(facts)
	} else {
		p.update(facts, distroless)
		_, err = fmt.Fprintln(p.out, facts.Newest)
	}
	if err == nil && f.check && facts.Newer {
		next := "temper base update"
		if distroless {
			next += " --pin"
		}
		return &noError{reasons: []string{fmt.Sprintf("base %s is not the newest", facts.Base)}, next: next}
	}
	return err
}

// builtinIsNewest tells that the built-in base is as new as Temper.
func builtinIsNewest(p *person, f updateFlags, repo *service.Repository) error {
	if f.tag != "" {
		return usagef("--tag: the built-in base has no tags")
	}
	base, err := image.Builtin()
	if err != nil {
		return err
	}
	facts := &updateFacts{Base: fullName(base), Newest: fullName(base), Platform: repo.Platforms[0].String()}
	if f.json {
		return p.json(facts)
	}
	p.builtin()
	_, err = fmt.Fprintln(p.out, facts.Newest)
	return err
}

// newest asks what the base's tag names now, checks who signed it and compares.
func newest(ctx context.Context, p *person, f updateFlags, repo *service.Repository) (*updateFacts, error) {
	login := remote.WithAuthFromKeychain(authn.DefaultKeychain)
	facts := &updateFacts{Base: repo.Base, Platform: repo.Platforms[0].String()}
	if repo.Base == service.DistrolessBase {
		facts.Base = image.DistrolessReference
	}
	var err error
	facts.Newest, err = image.Newest(ctx, facts.Base, f.tag, login)
	if errors.Is(err, image.ErrNoTag) {
		return nil, usagef("%v", err).hint("temper base update --tag latest")
	}
	if err != nil {
		return nil, err
	}
	facts.Newer = facts.Newest != facts.Base
	by, err := verifierOf(ctx, repo, f.trusted)
	if err != nil {
		return nil, err
	}
	now, err := image.OpenBase(ctx, facts.Newest, login)
	if err != nil {
		return nil, err
	}
	if by != nil {
		signed, err := checkSigner(ctx, p, now, by)
		if err != nil {
			return nil, err
		}
		facts.Signer = signed.signer.String()
	}
	if !facts.Newer {
		return facts, nil
	}
	holds, err := now.Contents(ctx, repo.Platforms[0])
	if err != nil {
		return nil, err
	}
	held, err := contentsOf(ctx, facts.Base, repo.Platforms[0], login)
	if err != nil { // registries drop what no tag names
		facts.Unread = err.Error()
		return facts, nil
	}
	facts.Changes = held.To(holds)
	return facts, nil
}

func contentsOf(ctx context.Context, ref string, platform v1.Platform, opts ...remote.Option) (*image.Contents, error) {
	base, err := image.OpenBase(ctx, ref, opts...)
	if err != nil {
		return nil, err
	}
	return base.Contents(ctx, platform)
}

// writeBase puts another image into temper.yaml.
func writeBase(repo *service.Repository, ref string, pin bool) error {
	data, err := os.ReadFile(repo.Config)
	if err != nil {
		return err
	}
	var signer *service.Signer
	if pin {
		signer = &service.Signer{Identity: image.DistrolessIdentity, Issuer: image.DistrolessIssuer}
	}
	changed, err := service.Repin(data, ref, signer)
	if err != nil {
		return err
	}
	return writeFile(repo.Config, changed)
}
