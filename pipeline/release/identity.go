package release

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// An Identity is a signer who keeps no key: a certificate authority that asked
// the issuer vouches for who they were when they signed.
type Identity struct {
	// Subject is the address of a mail account, or of a workflow, such as
	// https://github.com/acme/shop/.github/workflows/release.yaml@refs/heads/main.
	Subject string
	// Issuer is who says so, such as https://token.actions.githubusercontent.com.
	Issuer string
}

// String returns the subject, and the issuer in parentheses.
func (id Identity) String() string { return id.Subject + " (" + id.Issuer + ")" }

// A Pattern matches identities: by their subject or by an expression that
// matches it, and by their issuer or by an expression that matches that.
// Expressions, in Go's syntax, have to match from the first character to the
// last: https://github.com/acme/shop does not match .../acme/shop-evil.
type Pattern struct {
	// Exactly one of these two is set.
	Subject, SubjectRegexp string
	// Exactly one of these two is set.
	Issuer, IssuerRegexp string
}

func (p Pattern) String() string {
	said := func(exact, expression string) string {
		if expression != "" {
			return "what matches " + expression
		}
		return exact
	}
	return said(p.Subject, p.SubjectRegexp) + " (" + said(p.Issuer, p.IssuerRegexp) + ")"
}

func (p Pattern) known() error {
	switch {
	case p.Subject == "" && p.SubjectRegexp == "":
		return errors.New("an identity without a subject; name who signs, such as a mail address or a workflow")
	case p.Issuer == "" && p.IssuerRegexp == "":
		return fmt.Errorf("identity %s%s without an issuer; name who vouches for it, such as https://accounts.google.com", p.Subject, p.SubjectRegexp)
	case p.Subject != "" && p.SubjectRegexp != "":
		return fmt.Errorf("identity %s has an expression for its subject too, %s; it takes one of the two", p.Subject, p.SubjectRegexp)
	case p.Issuer != "" && p.IssuerRegexp != "":
		return fmt.Errorf("issuer %s has an expression beside it, %s; it takes one of the two", p.Issuer, p.IssuerRegexp)
	}
	return nil
}

// anchored makes an expression match as a whole. It has to be one for itself,
// for otherwise it could close the parenthesis.
func anchored(expression string) (string, error) {
	if expression == "" {
		return "", nil
	}
	if _, err := regexp.Compile(expression); err != nil {
		return "", fmt.Errorf("%s is no regular expression: %w", expression, err)
	}
	return "^(?:" + expression + ")$", nil
}

// NewIdentityVerifier returns the verifier that believes one identity, as
// [NewPatternVerifier] does what a pattern matches.
func NewIdentityVerifier(id Identity, trusted *TrustedRoot) (*Verifier, error) {
	v, err := NewPatternVerifier(Pattern{Subject: id.Subject, Issuer: id.Issuer}, trusted)
	if err != nil {
		return nil, err
	}
	v.identity = id
	return v, nil
}

// NewPatternVerifier returns the verifier that believes the identities which a
// pattern matches. A signature counts if its certificate comes from an authority
// of the trusted root and names such an identity, if a log of signatures holds
// it, and if the log's time or an authority's timestamp falls into the
// certificate's life. A trusted root that knows no log asks for the timestamp
// alone, and one that knows logs of certificates asks that one of them holds the
// certificate. Nobody is asked: all of this comes with the signature.
//
// Where several identities match, what belongs together is still one's: see
// [Open].
func NewPatternVerifier(p Pattern, trusted *TrustedRoot) (*Verifier, error) {
	if err := p.known(); err != nil {
		return nil, err
	}
	if trusted == nil {
		return nil, errors.New("an identity without a trusted root")
	}
	subject, err := anchored(p.SubjectRegexp)
	if err != nil {
		return nil, err
	}
	issuer, err := anchored(p.IssuerRegexp)
	if err != nil {
		return nil, err
	}
	who, err := verify.NewShortCertificateIdentity(p.Issuer, issuer, p.Subject, subject)
	if err != nil {
		return nil, fmt.Errorf("identity %s: %w", p, err)
	}
	options := []verify.VerifierOption{verify.WithoutStatementPredicate()}
	logged := len(trusted.material.RekorLogs()) > 0
	if logged {
		options = append(options, verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
	} else {
		options = append(options, verify.WithSignedTimestamps(1))
	}
	if len(trusted.material.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	bundle, err := verify.NewVerifier(trusted.material, options...)
	if err != nil {
		return nil, fmt.Errorf("making verifier: %w", err)
	}
	return &Verifier{name: p.String(), logged: logged, bundle: bundle, policy: verify.WithCertificateIdentity(who)}, nil
}

// Identity returns the identity that is believed, the zero value where it is a
// key, or what a pattern matches.
func (v *Verifier) Identity() Identity { return v.identity }

// keyless tells whether an identity is believed and not a key.
func (v *Verifier) keyless() bool { return v.key == nil }

// timeless says what is missing of the proof that a certificate was good when
// it signed. What is there is for the library to judge.
func (v *Verifier) timeless(b *bundle.Bundle) error {
	if !v.keyless() {
		return nil
	}
	content, err := b.VerificationContent()
	if err != nil {
		return err
	}
	certificate := content.Certificate()
	stamps := b.GetVerificationMaterial().GetTimestampVerificationData().GetRfc3161Timestamps()
	entries := b.GetVerificationMaterial().GetTlogEntries()
	switch {
	case certificate == nil:
		return errors.New("it has no certificate, so it is by a key if it is by anybody")
	case len(entries) == 0 && len(stamps) == 0 && time.Now().After(certificate.NotAfter):
		return fmt.Errorf("its certificate expired at %s, and neither a log entry nor a timestamp proves that it signed before", certificate.NotAfter.UTC().Format(time.RFC3339))
	case len(entries) == 0 && len(stamps) == 0:
		return errors.New("neither a log entry nor a timestamp proves when it was signed")
	case len(entries) == 0 && v.logged:
		return errors.New("no transparency log holds it")
	case len(stamps) == 0 && !v.logged:
		return errors.New("no timestamp proves when it was signed, and the trusted root knows no log")
	case len(stamps) == 0 && !slices.ContainsFunc(entries, dated):
		return errors.New("no timestamp proves when it was signed, and the log does not say")
	}
	return nil
}

// dated tells whether a log says when it took an entry in. One of tiles (Rekor
// v2) does not.
func dated(entry *rekor.TransparencyLogEntry) bool { return entry.GetInclusionPromise() != nil }

// signingIn is who signed, and when somebody saw it first.
func signingIn(result *verify.VerificationResult) (signing, error) {
	if result.Signature == nil || result.Signature.Certificate == nil {
		return signing{}, errors.New("it has no certificate")
	}
	sig := signing{by: Identity{Subject: result.Signature.Certificate.SubjectAlternativeName, Issuer: result.Signature.Certificate.Issuer}}
	for _, stamp := range result.VerifiedTimestamps {
		if sig.at.IsZero() || stamp.Timestamp.Before(sig.at) {
			sig.at = stamp.Timestamp.UTC()
		}
	}
	return sig, nil
}
