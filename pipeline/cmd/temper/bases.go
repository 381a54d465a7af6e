package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"temper/pipeline/evidence"
	"temper/pipeline/image"
	"temper/pipeline/release"
	"temper/pipeline/service"
)

// A signedBase is a base whose signer has been checked, if there is one to
// check.
type signedBase struct {
	*image.Base
	signer evidence.Signer
}

// openBase opens what the repository builds upon and checks who signed it.
func openBase(ctx context.Context, p *person, repo *service.Repository, trusted string) (*signedBase, error) {
	base, err := image.OpenBase(ctx, repo.Base, remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return nil, err
	}
	by, err := verifierOf(ctx, repo, trusted)
	if err != nil || by == nil {
		return &signedBase{Base: base}, err
	}
	return checkSigner(ctx, p, base, by)
}

// verifierOf returns who must have signed the base, nil where nobody is named.
// Distroless always has a signer.
func verifierOf(ctx context.Context, repo *service.Repository, file string) (*release.Verifier, error) {
	var s service.Signer
	if repo.Signer != nil {
		s = *repo.Signer
	}
	if repo.Base == service.DistrolessBase {
		s.Identity, s.Issuer = image.DistrolessIdentity, image.DistrolessIssuer
	}
	if file != "" {
		s.TrustedRoot = file
	}
	if file != "" && s.Identity == "" {
		return nil, usagef("--trusted-root: temper.yaml names no identity that must have signed the base %s", repo.Base)
	}
	switch {
	case s.Key != "":
		return release.LoadVerifier(ctx, s.Key)
	case s.Identity == "":
		return nil, nil
	}
	trusted, err := trustedRoot(s.TrustedRoot)
	if err != nil {
		return nil, err
	}
	return release.NewIdentityVerifier(release.Identity{Subject: s.Identity, Issuer: s.Issuer}, trusted)
}

// checkSigner says no where the base is not signed as it must be.
func checkSigner(ctx context.Context, p *person, base *image.Base, by *release.Verifier) (*signedBase, error) {
	var sig *release.Signature
	var err error
	if ref, ok := base.Remote(); ok {
		sig, err = release.VerifySigner(ctx, ref, by, release.Options{})
	} else {
		sig, err = release.VerifyAttached(ctx, base.Name, base.Digest, base.Attached(), by)
	}
	if no := (*release.Refusal)(nil); errors.As(err, &no) {
		next := "if the image has another signer now, name them in temper.yaml, base: {image: ..., identity: ..., issuer: ...}"
		if no.Reason == release.Unsigned && len(base.Attached()) == 0 && filepath.IsAbs(base.Name) {
			next = "copy the image with its signature: cosign save --dir " + base.Name + " IMAGE"
		}
		return nil, &noError{reasons: []string{"base " + no.Error()}, next: next}
	}
	if err != nil {
		return nil, err
	}
	signed := &signedBase{Base: base, signer: signerOf(sig)}
	p.note("base %s %s: signed by %s (%s)", base.Name, base.Digest, sig.Signer, forms(sig))
	return signed, nil
}

func signerOf(sig *release.Signature) evidence.Signer {
	if sig.Identity == (release.Identity{}) {
		return evidence.Signer{Key: strings.TrimPrefix(sig.Signer, "key ")}
	}
	return evidence.Signer{Identity: sig.Identity.Subject, Issuer: sig.Identity.Issuer}
}

func forms(sig *release.Signature) string {
	var all []string
	for _, form := range sig.Forms {
		all = append(all, fmt.Sprint(form))
	}
	return strings.Join(all, ", ")
}

// sameRepository tells whether two bases are images of one repository.
func sameRepository(a, b string) bool {
	one, err := name.NewDigest(a)
	if err != nil {
		return false
	}
	other, err := name.NewDigest(b)
	return err == nil && one.Context() == other.Context()
}
