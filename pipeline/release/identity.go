package release

import (
	"errors"
	"fmt"

	"github.com/sigstore/sigstore-go/pkg/verify"
)

// An Identity is a signer who keeps no key: a certificate authority that asked
// the issuer vouches for who they were when they signed. Both are exact; there
// are no patterns, for a pattern that is not anchored lets others in.
type Identity struct {
	// Subject is the address of a mail account, or of a workflow, such as
	// https://github.com/acme/shop/.github/workflows/release.yaml@refs/heads/main.
	Subject string
	// Issuer is who says so, such as https://token.actions.githubusercontent.com.
	Issuer string
}

// String returns the subject, and the issuer in parentheses.
func (id Identity) String() string { return id.Subject + " (" + id.Issuer + ")" }

// NewIdentityVerifier returns the verifier that believes one identity. A
// signature counts if its certificate comes from an authority of the trusted
// root and names the identity, if a log of signatures holds it, and if the
// log's time or an authority's timestamp falls into the certificate's life. If
// the trusted root knows logs of certificates, one of them must hold the
// certificate. Nobody is asked: all of this comes with the signature.
func NewIdentityVerifier(id Identity, trusted *TrustedRoot) (*Verifier, error) {
	switch {
	case id.Subject == "":
		return nil, errors.New("an identity without a subject; name who signs, such as a mail address or a workflow")
	case id.Issuer == "":
		return nil, fmt.Errorf("identity %s without an issuer; name who vouches for it, such as https://accounts.google.com", id.Subject)
	case trusted == nil:
		return nil, errors.New("an identity without a trusted root")
	}
	exact, err := verify.NewShortCertificateIdentity(id.Issuer, "", id.Subject, "")
	if err != nil {
		return nil, fmt.Errorf("identity %s: %w", id, err)
	}
	options := []verify.VerifierOption{
		verify.WithTransparencyLog(1),
		verify.WithObserverTimestamps(1),
		verify.WithoutStatementPredicate(),
	}
	if len(trusted.material.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	bundle, err := verify.NewVerifier(trusted.material, options...)
	if err != nil {
		return nil, fmt.Errorf("making verifier: %w", err)
	}
	return &Verifier{name: id.String(), identity: id, bundle: bundle, policy: verify.WithCertificateIdentity(exact)}, nil
}

// Identity returns the identity that is believed, the zero value where it is a
// key.
func (v *Verifier) Identity() Identity { return v.identity }

// keyless tells whether an identity is believed and not a key.
func (v *Verifier) keyless() bool { return v.key == nil }
