// Package policy says what a release must be to be shipped, as a file states it
// that a release manager writes once: who must have signed, what must be
// attested, and from which source, on which base, by which builder and through
// which rules it must have come.
//
// [Load] reads the file and the keys that it names. [Policy.Open] is
// [release.Open] for all of its signers, and holds what they signed against the
// rest. What the file does not speak of is not asked for; a signature, and
// evidence of everything that it speaks of, always are.
package policy

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"temper/pipeline/release"
)

// A Policy is what a release must be. Lists that are nil ask for nothing.
type Policy struct {
	// Signers must all have signed.
	Signers []Signer
	// TrustedRoot is the file of what identities are held against, as the policy
	// names it; empty for that of the public instance, or of the command line.
	TrustedRoot string
	// Format is the form in which they must have: empty means that either will
	// do. Bundle refuses an image for which only the older form is there.
	Format release.Format
	// Predicates are the types of the statements that must be there; nil stands
	// for SBOM, provenance and check report.
	Predicates []string
	// Services are those that it may be.
	Services []string
	// Builders are the URIs of those who may have built it.
	Builders []string
	// Sources are the addresses of the repositories that it may come from.
	Sources []Source
	// Uncommitted lets changes pass that were in no commit.
	Uncommitted bool
	// Bases are those that it may stand on.
	Bases []Base
	// MaxAge is how long ago the build may have ended; 0 means any time.
	MaxAge time.Duration
	// Rules must have looked at it.
	Rules []string
	// Strict lets warnings fail.
	Strict bool
	// Waivers are those that are accepted while they have not expired; nil accepts
	// all, and an empty list none.
	Waivers []Waiver
}

// A Signer is one of several who will do, often there is only one.
type Signer struct {
	// AnyOf are they; the first whose signature is there counts.
	AnyOf []Believed
	// Annotations are what their signature of the image must say, as cosign sign -a
	// has it say.
	Annotations map[string]string `json:",omitempty"`
	// SignatureOnly asks them for a signature and for no evidence: they agree to
	// what others made.
	SignatureOnly bool
}

// Believed is one key, or the identities that a pattern matches.
type Believed struct {
	// Key is where the public key stands, as in the file; empty for identities.
	Key     string
	Pattern release.Pattern
	by      *release.Verifier
}

// String returns the key's fingerprint, or the pattern.
func (b Believed) String() string { return b.by.String() }

// PublicKey returns the key as PEM, nil for identities.
func (b Believed) PublicKey() ([]byte, error) {
	key := b.by.Key()
	if key == nil {
		return nil, nil
	}
	public, err := key.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("asking for the public key: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("encoding public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// A Waiver is one that is accepted.
type Waiver struct {
	// Rule is the rule's name, Subject that of the service; empty stands for all.
	Rule, Subject string
}
