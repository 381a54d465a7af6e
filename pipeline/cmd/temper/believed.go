package main

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"temper/pipeline/release"
)

// believedFlags say whose signatures count: a key's, or an identity's.
type believedFlags struct {
	key string
	release.Pattern
	trustedRoot string
	// verb is what is typed in hints, verify if it is empty.
	verb string
}

func (f *believedFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.key, "key", "", "verify with the public key in `REF`: a file, env://NAME or a key in a service")
	flags.StringVar(&f.Subject, "identity", "", "verify that `ID` signed, a mail address or a workflow, exactly")
	flags.StringVar(&f.SubjectRegexp, "identity-regexp", "", "verify that an identity signed which `RE` matches from its first character to its last")
	flags.StringVar(&f.Issuer, "issuer", "", "`URL` of who vouches for the identity, exactly")
	flags.StringVar(&f.IssuerRegexp, "issuer-regexp", "", "expression for the issuer, `RE`, matched likewise")
	flags.StringVar(&f.trustedRoot, "trusted-root", "", "hold identities against the trusted root in `FILE` in place of Sigstore's public one")
}

// named tells whether they name a signer.
func (f *believedFlags) named() bool { return f.key != "" || f.Pattern != (release.Pattern{}) }

// check wants a key or an identity, and not both; none where a policy may name
// them.
func (f *believedFlags) check(refs []string, policy string) error {
	with := func(flags string) string {
		return "temper " + cmp.Or(f.verb, "verify") + " " + flags + " " + strings.Join(refs, " ")
	}
	const issuer = "https://token.actions.githubusercontent.com"
	identity := f.Pattern != (release.Pattern{})
	switch {
	case !f.named() && policy != "":
		return nil
	case f.key == "" && !identity:
		return usagef("no key and no identity to verify with").hint("%s", with("--key cosign.pub"))
	case f.key != "" && identity:
		return usagef("--key and --identity name two signers; an image is verified by one of them").hint("%s", with("--key "+f.key))
	case f.key != "" && f.trustedRoot != "":
		return usagef("--trusted-root is for identities, and --key needs none").hint("%s", with("--key "+f.key))
	case f.key != "":
		return nil
	case f.Subject != "" && f.SubjectRegexp != "":
		return usagef("--identity and --identity-regexp are two ways to say one thing; give one")
	case f.Issuer != "" && f.IssuerRegexp != "":
		return usagef("--issuer and --issuer-regexp are two ways to say one thing; give one")
	case f.Subject == "" && f.SubjectRegexp == "":
		return usagef("an issuer vouches for anybody; say for whom").hint("%s", with("--identity ID --issuer "+f.Issuer+f.IssuerRegexp))
	case f.Issuer == "" && f.IssuerRegexp == "":
		return usagef("an identity is worth what its issuer is; say who vouches for %s", f.Subject+f.SubjectRegexp).
			hint("%s", with("--identity "+f.Subject+f.SubjectRegexp+" --issuer "+issuer))
	}
	return nil
}

// verifier returns who is believed.
func (f *believedFlags) verifier(ctx context.Context) (*release.Verifier, error) {
	if f.key != "" {
		return release.LoadVerifier(ctx, f.key)
	}
	trusted, err := trustedRoot(f.trustedRoot)
	if err != nil {
		return nil, err
	}
	v, err := release.NewPatternVerifier(f.Pattern, trusted)
	if err != nil {
		return nil, usagef("%v", err)
	}
	return v, nil
}

// trustedRoot reads the trusted root in a file, and takes that of Sigstore's
// public instance where no file is named.
func trustedRoot(file string) (*release.TrustedRoot, error) {
	if file == "" {
		return release.PublicGoodRoot()
	}
	return release.LoadTrustedRoot(file)
}
