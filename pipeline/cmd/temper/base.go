package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"temper/pipeline/image"
	"temper/pipeline/service"
)

// baseFlags are those of temper base.
type baseFlags struct {
	dir     string
	trusted string
	json    bool
}

// add gives them to a command.
func (f *baseFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.dir, "chdir", "C", ".", "look at what is in `DIR`")
	flags.StringVar(&f.trusted, "trusted-root", "", "hold the base's signer against the trusted root in `FILE` in place of Sigstore's public one")
	flags.BoolVar(&f.json, "json", false, "write one JSON object")
}

func newBase(p *person) *cobra.Command {
	var f baseFlags
	cmd := &cobra.Command{
		Use:   "base [flags]",
		Short: "What images stand on: the base, its signer and its packages; update pins a newer one",
		Long: `base opens the base that temper.yaml names, checks its signer if one is named, and
tells what is in it for the first platform.

On stdout it prints the base with its digest. Where it is not signed as it must be,
base exits 3.`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error { return showBase(c.Context(), p, f) },
	}
	f.add(cmd)
	cmd.AddCommand(newBaseUpdate(p))
	return cmd
}

// baseFacts are what temper base tells, for people and as JSON.
type baseFacts struct {
	// Base is what temper.yaml names, with its digest.
	Base   string `json:"base"`
	Digest string `json:"digest"`
	// Signer is who signed it, as was checked; empty if nobody is named.
	Signer string `json:"signer"`
	// Platform is the one that the rest is about.
	Platform string `json:"platform"`
	User     string `json:"user"`
	// Files counts all but folders, Size is that of their contents in bytes.
	Files    int           `json:"files"`
	Size     int64         `json:"size"`
	Packages []packageFact `json:"packages"`
	// Unread are databases of packages that Temper cannot read, by path.
	Unread []string `json:"unread,omitempty"`
}

type packageFact struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

func showBase(ctx context.Context, p *person, f baseFlags) error {
	repo, err := service.Load(ctx, f.dir, ruleNames()...)
	if err != nil {
		return err
	}
	base, err := openBase(ctx, p, repo, f.trusted)
	if err != nil {
		return err
	}
	contents, err := base.Contents(ctx, repo.Platforms[0])
	if err != nil {
		return err
	}
	facts := &baseFacts{
		Base: fullName(base.Base), Digest: base.Digest.String(), Signer: base.signer.String(),
		Platform: repo.Platforms[0].String(), User: contents.Config.User,
		Files: contents.Files, Size: contents.Size, Packages: []packageFact{}, Unread: contents.Unread,
	}
	for _, one := range contents.Packages {
		facts.Packages = append(facts.Packages, packageFact{one.Name, one.Version})
	}
	if f.json {
		return p.json(facts)
	}
	p.base(facts)
	fmt.Fprintln(p.out, facts.Base)
	return nil
}

// fullName is the name of a base with its digest.
func fullName(b *image.Base) string {
	name := b.Name
	switch {
	case name == service.DistrolessBase:
		return image.DistrolessReference
	case filepath.IsAbs(name):
		name = baseName(b)
	case name != service.BuiltinBase:
		return name // it has its digest
	}
	return name + "@" + b.Digest.String()
}
