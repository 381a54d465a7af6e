package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"temper/pipeline/release"
)

// signingFlags say who signs: the holder of a key, or an identity.
type signingFlags struct {
	key string

	keyless       bool
	token         string
	authority     string
	log           release.Log
	timestamps    []string
	signingConfig string
	trustedRoot   string
}

func (f *signingFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.key, "key", "", "sign with the private key in `REF`: a file, env://NAME or a key in a service")
	flags.BoolVar(&f.keyless, "keyless", false, "sign as the identity that the CI system gives this job, without a key")
	flags.StringVar(&f.token, "identity-token", "", "sign as the identity of the token in `REF`, a file or env://NAME, without a key")
	flags.StringVar(&f.authority, "fulcio-url", "", "ask for the certificate at `URL`, and not at Sigstore's public instance")
	flags.StringVar(&f.log.URL, "rekor-url", "", "log the signatures at `URL`")
	flags.Uint32Var(&f.log.Version, "rekor-version", 1, "version `N` of that log: 1, or 2 for one of tiles")
	flags.StringArrayVar(&f.timestamps, "timestamp-url", nil, "get a timestamp from the authority at `URL` (may be repeated)")
	flags.StringVar(&f.signingConfig, "signing-config", "", "take these addresses from the signing configuration in `FILE`")
	flags.StringVar(&f.trustedRoot, "trusted-root", "", "read back by the trusted root in `FILE` in place of Sigstore's public one")
}

// check wants a key or an identity, and for an identity one whole instance of
// Sigstore: what is meant for one's own must not end in the public log.
func (f *signingFlags) check(layout, repository string) error {
	with := func(flags string) string { return "temper release " + flags + " " + layout + " " + repository }
	identity := f.keyless || f.token != ""
	addresses := f.authority != "" || f.log.URL != "" || f.log.Version != 1 || len(f.timestamps) > 0
	switch {
	case f.key == "" && !identity:
		return usagef("no key and no identity to sign with").hint("temper keygen, then %s; or in CI %s", with("--key cosign.key"), with("--keyless"))
	case f.key != "" && identity:
		return usagef("--key and --keyless name two signers; a release has one").hint("%s", with("--key "+f.key))
	case f.key != "" && (addresses || f.signingConfig != "" || f.trustedRoot != ""):
		return usagef("a key needs no services and no trusted root; they are for --keyless").hint("%s", with("--key "+f.key))
	case f.key != "":
		return nil
	case f.signingConfig != "" && addresses:
		return usagef("--signing-config holds the addresses of all services; it goes with no other")
	case f.log.URL != "" && f.authority == "":
		return usagef("--rekor-url is the log of an instance of Sigstore; name its authority too").hint("--fulcio-url URL --rekor-url %s", f.log.URL)
	case f.log.Version != 1 && f.log.URL == "":
		return usagef("--rekor-version is that of the log at --rekor-url, and there is none")
	case f.authority != "" && f.log.URL == "" && len(f.timestamps) == 0:
		return usagef("--fulcio-url is the authority of an instance of Sigstore; name its log or its timestamp authority too").hint("--fulcio-url %s --rekor-url URL", f.authority)
	case f.authority != "" && f.trustedRoot == "":
		return usagef("nobody believes %s without its trusted root", f.authority).hint("--trusted-root FILE, as its operators hand it out")
	case f.token != "":
		if _, err := release.TokenIn(f.token); err != nil {
			return usagef("--identity-token: %v", err).hint("%s", with("--identity-token env://NAME"))
		}
	}
	return nil
}

// services returns those that sign without a key.
func (f *signingFlags) services(format release.Format) (release.Services, error) {
	if f.signingConfig != "" {
		return release.LoadServices(f.signingConfig, format)
	}
	s := release.PublicGoodServices()
	if f.authority != "" {
		s = release.Services{Authority: f.authority}
		if f.log.URL != "" {
			s.Logs = []release.Log{f.log}
		}
	}
	s.Timestamps = slices.Clone(f.timestamps)
	return s, nil
}

// tokens returns what says who signs.
func (f *signingFlags) tokens(ctx context.Context) (release.TokenSource, error) {
	if f.token != "" {
		return release.TokenIn(f.token)
	}
	if ambient := release.AmbientToken(ctx); ambient != nil {
		return ambient, nil
	}
	return nil, hintf("GitHub Actions: permissions: {id-token: write}; GitLab: id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}; elsewhere: --identity-token FILE or env://NAME",
		"no CI system here says who this job is")
}

// signer opens the key, or asks for a certificate. It returns the format too, for
// an instance may make bundles only; chosen means that the format was asked for.
func (f *signingFlags) signer(ctx context.Context, p *person, format release.Format, chosen bool, insecure []string) (*release.Signer, release.Format, error) {
	if f.key != "" {
		s, err := release.LoadSigner(ctx, f.key, func() ([]byte, error) { return p.password(false) })
		return s, format, err
	}
	services, err := f.services(format)
	if err != nil {
		return nil, format, err
	}
	if format != release.Bundle && !services.Legacy() {
		if chosen {
			return nil, format, usagef("--signature-format %s: the log %s (Rekor v2) gives no promise for the legacy form to hold", format, services.Logs[0].URL).
				hint("--signature-format bundle")
		}
		format = release.Bundle
		p.note("the log %s (Rekor v2) gives no promise for the legacy form to hold: signatures are written as bundles", services.Logs[0].URL)
	}
	trusted, err := trustedRoot(f.trustedRoot)
	if err != nil {
		return nil, format, err
	}
	token, err := f.tokens(ctx)
	if err != nil {
		return nil, format, err
	}
	s, err := release.NewKeylessSigner(ctx, release.Keyless{Token: token, Services: services, Trusted: trusted, Insecure: insecure})
	if err != nil {
		return nil, format, err
	}
	p.note("signing as %s", s.Verifier())
	return s, format, nil
}

// again is how the signer was named, for what to type next.
func (f *signingFlags) again() string {
	switch {
	case f.key != "":
		return "--key " + f.key
	case f.token != "":
		return "--identity-token " + f.token
	}
	return "--keyless"
}
