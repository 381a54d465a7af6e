package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/evidence"
)

// builtin is what a provenance calls Temper's own base.
const builtin = "builtin"

// A Base is one that releases may stand on: Temper's own, one by its digest, or
// any of a repository's that was seen to be signed.
type Base struct {
	// Builtin is Temper's own.
	Builtin bool
	// Digest is that of the one; the zero value where a signer is named.
	Digest v1.Hash
	// Repository holds those that Signer signed.
	Repository string
	Signer     evidence.Signer
}

// String returns the base as people are told.
func (b Base) String() string {
	switch {
	case b.Builtin:
		return builtin
	case b.Digest != v1.Hash{}:
		return b.Digest.String()
	}
	return b.Repository + " signed by " + b.Signer.String()
}

// parseBase takes a base that stands for itself.
func parseBase(text string) (Base, error) {
	if text == builtin {
		return Base{Builtin: true}, nil
	}
	digest, err := v1.NewHash(text[strings.LastIndex(text, "@")+1:])
	if err != nil || digest.Algorithm != "sha256" {
		repository := "gcr.io/distroless/static-debian13"
		if ref, err := name.ParseReference(text); err == nil && strings.Contains(text, "/") {
			repository = ref.Context().Name()
		}
		return Base{}, fmt.Errorf("base %q is neither %s nor a digest; write sha256:..., or {image: %s, identity: ..., issuer: https://...} for any that is signed", text, builtin, repository)
	}
	return Base{Digest: digest}, nil
}

// parseRepository takes the repository of bases.
func parseRepository(text string) (string, error) {
	repo, err := name.NewRepository(text)
	if err != nil {
		return "", errors.New("image: " + err.Error() + "; write a repository without a tag, such as gcr.io/distroless/static-debian13")
	}
	return repo.Name(), nil
}

// allows tells whether a release from there stands on it.
func (b Base) allows(from *evidence.Origin) bool {
	switch {
	case b.Builtin:
		return from.Base.Name == builtin
	case b.Digest != v1.Hash{}:
		return from.Base.Digest == b.Digest
	}
	ref, err := name.ParseReference(from.Base.Name)
	return err == nil && ref.Context().Name() == b.Repository && from.Signed == b.Signer
}
