// Package release puts images in registries and gets them back.
//
// [Publish] takes an image, the report that approves it and the statements
// about it. It pushes by digest, signs and attests, reads everything back and
// verifies it, and only then moves the tags: a tag never names an image whose
// signature cannot be verified. [Open] is its mirror: the only way to get a
// [Release] from a registry is to verify it.
//
// # What is written
//
// The artifact is an image, or an index and every manifest in it. Each of
// these manifests gets a signature, and those statements that name it as a
// subject. Both are written in two forms, because the field reads two:
//
//   - bundle: a Sigstore bundle v0.3 as an OCI 1.1 referrer of the manifest. A
//     signature is the statement with predicate type
//     https://sigstore.dev/cosign/sign/v1, as cosign v3 writes it.
//   - legacy: the tags sha256-<hex>.sig (simple signing payloads) and
//     sha256-<hex>.att (DSSE envelopes), as cosign v2 writes them.
//
// What is there already stays, be it ours or someone else's; what is ours and
// there already is not written twice.
//
// # Who signs
//
// A [Signer] has a private key, or it is [Keyless]: an authority gives it a
// certificate for minutes, for who the identity token says that it is, and a log
// or an authority for timestamps keeps proof that it signed in those. Both forms
// then carry the certificate and the proof. That takes several services, and
// where one of them fails there is an error and no tag.
//
// # What is believed
//
// Open judges each form on its own, so that nothing a stranger puts beside a
// good signature makes it fail. It hashes what it fetches, looks at the signed
// statement and never at the annotations that describe it, and bounds how
// much it reads. A "no" is a [*Refusal], which says why; any other error means
// that nobody could look.
//
// Who is believed is a [Verifier]: one key, or one [Identity] whose certificate,
// log entries and timestamps are held against a [TrustedRoot] that is at hand,
// so that nothing is asked of but the registry. A [Pattern] may match several
// identities, but all that belongs to one image is one's. [VerifySigner] answers the same
// about what others made and signed: a base image.
//
// # Without a registry
//
// An image that was copied into an OCI layout with what belongs to it is opened
// from there, by the same code: see [Layout]. [Confined] keeps to the registry
// that was named.
//
// # Registries without a referrers API
//
// There the bundles of a manifest are listed under one tag, and tags have no
// compare-and-swap: of two releasers that write at the same moment, one can
// overwrite the other's list. The legacy tags are the same on every registry.
// Publish reads back what it wrote, and writes again until its own entries,
// and those of others that it saw, are there. What remains is the moment after
// its last look: a releaser that read before and writes after it takes ours
// away. Open then refuses the image, and running Publish again mends it.
package release

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"temper/pipeline/evidence"
)

// A Format is a form that signatures and attestations take in a registry.
type Format string

const (
	// Both is a Sigstore bundle and the legacy tags beside each other.
	Both Format = "both"
	// Bundle is a Sigstore bundle v0.3 as an OCI 1.1 referrer.
	Bundle Format = "bundle"
	// Legacy is the .sig and .att tags of cosign v2.
	Legacy Format = "legacy"
)

func (f Format) has(form Format) bool { return f == "" || f == Both || f == form }

// known refuses a word that is no format: as a policy it would ask for nothing.
func (f Format) known() error {
	switch f {
	case "", Both, Bundle, Legacy:
		return nil
	}
	return fmt.Errorf("%q is not a format of signatures; those are %s, %s and %s", f, Both, Bundle, Legacy)
}

// Options say how to speak to a registry. The zero value is the usual choice.
type Options struct {
	// Format is what Publish writes; empty means Both. What Open wants to find
	// is a matter of its Policy.
	Format Format
	// Keychain finds credentials; nil means docker's configuration and helpers.
	Keychain authn.Keychain
	// Transport carries the requests; nil means go-containerregistry's, which
	// honours the proxy of the environment, and for plain HTTP one that dials no
	// public address. Any other answers for what it dials.
	Transport http.RoundTripper
	// Layout, if there is one, is read in the place of any registry, and no
	// credentials are looked for. Nothing can be published into it.
	Layout *Layout
	// Insecure names the registries, as host or host:port, that may be spoken
	// to over plain HTTP, if all their addresses are private. Loopback hosts need
	// not be named.
	Insecure []string
	// Session remembers the registries that were read from; nil means that they are
	// greeted each time.
	Session *Session
	// Jobs is how many requests may run at a time; 0 means 8.
	Jobs int
	// Progress, if it is set, is told how far Publish has come, from several
	// goroutines.
	Progress func(Progress)

	// backoff is between attempts at a request that failed for a passing
	// reason; the zero value means go-containerregistry's, 1 s and then 3 s.
	backoff remote.Backoff
	// patience is the longest pause between attempts at a tag that others write
	// too; 0 means 2 s.
	patience time.Duration
}

func (o Options) jobs() int {
	if o.Jobs <= 0 {
		return 8
	}
	return o.Jobs
}

// named returns the repository with plain HTTP allowed if its host is among
// the insecure ones.
func (o Options) named(repo name.Repository) (name.Repository, error) {
	if !slices.Contains(o.Insecure, repo.RegistryStr()) {
		return repo, nil
	}
	if err := CheckInsecure(repo.RegistryStr()); err != nil {
		return name.Repository{}, err
	}
	return name.NewRepository(repo.Name(), name.Insecure)
}

// A Release is an image whose signature and evidence have been verified.
type Release struct {
	// Ref is what was asked for.
	Ref string
	// Digest names the bytes that were verified.
	Digest name.Digest
	// Signer says whose signature it is: "key sha256:..." and the fingerprint
	// of the public key, or the identity.
	Signer string
	// Identity is the signer's, the zero value if it is a key.
	Identity Identity
	// Signed is when the whole was signed first, as a log of signatures or an
	// authority for timestamps saw it; the zero time if it was signed by a key.
	Signed time.Time
	// Forms are those in which the signature of the whole was found.
	Forms []Format
	// Statements are those about the whole, verified, each once, sorted by
	// predicate type.
	Statements []*evidence.Statement
	// Platforms are the images in an index, or the one image.
	Platforms []Platform
}

// A Platform is one image of a release.
type Platform struct {
	// Name is os/arch, with the variant where there is one.
	Name   string
	Digest v1.Hash
	// Statements are those about this image, sorted likewise.
	Statements []*evidence.Statement
}

// Statement returns the first statement about the whole with the predicate
// type, or nil.
func (r *Release) Statement(predicateType string) *evidence.Statement {
	for _, s := range r.Statements {
		if s.PredicateType == predicateType {
			return s
		}
	}
	return nil
}
