package release

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/sign"
)

// A Keyless is what it takes to sign as an identity, without a key to keep.
type Keyless struct {
	// Token says who signs.
	Token TokenSource
	// Services vouch for it and take it in.
	Services Services
	// Trusted is the trusted root by which others will believe what is signed,
	// and by which a release reads it back.
	Trusted *TrustedRoot
	// Insecure names services, as host or host:port, that may be asked over plain
	// HTTP, if all their addresses are private. Loopback hosts need not be named.
	Insecure []string

	// pause is between attempts at asking a service; 0 means half a second.
	pause time.Duration
}

// NewKeylessSigner asks for a certificate, once, and returns the signer that
// signs with it. The certificate says who that is: see [Signer.Verifier]. When it
// is about to expire the signer asks for another, of the same identity.
func NewKeylessSigner(ctx context.Context, opts Keyless) (*Signer, error) {
	switch {
	case opts.Token == nil:
		return nil, errors.New("no identity token to sign with")
	case opts.Trusted == nil:
		return nil, errors.New("no trusted root to verify with what is signed")
	}
	if err := opts.Services.known(opts.Insecure); err != nil {
		return nil, err
	}
	k := &keyless{Keyless: opts}
	k.pause = cmp.Or(k.pause, 500*time.Millisecond)
	for _, log := range opts.Services.Logs {
		one, err := newLog(ctx, log, k.pause)
		if err != nil {
			return nil, err
		}
		k.logs = append(k.logs, one)
	}
	first, err := k.renew(ctx)
	if err != nil {
		return nil, err
	}
	k.now = first
	verifier, err := NewIdentityVerifier(first.identity, opts.Trusted)
	if err != nil {
		return nil, err
	}
	return &Signer{verifier: verifier, keyless: k}, nil
}

// A keyless is the hand of a signer that keeps no key.
type keyless struct {
	Keyless
	logs []sign.Transparency

	mu  sync.Mutex
	now *certified
}

// A certified key is good for minutes, and is kept in memory only.
type certified struct {
	sign.Keypair
	identity Identity
	leaf     []byte // DER
	chain    []*x509.Certificate
	// renew is when to ask for another, by this machine's clock. It is the
	// certificate's life that counts, not its dates: the clock may be wrong.
	renew time.Time
}

// GetCertificate returns the certificate for the key.
func (c *certified) GetCertificate(context.Context, sign.Keypair, *sign.CertificateProviderOptions) ([]byte, error) {
	return c.leaf, nil
}

// current returns a key whose certificate will not expire before it has signed.
func (k *keyless) current(ctx context.Context) (*certified, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Now().Before(k.now.renew) {
		return k.now, nil
	}
	next, err := k.renew(ctx)
	if err != nil {
		return nil, fmt.Errorf("the certificate is about to expire: %w", err)
	}
	if next.identity != k.now.identity {
		return nil, fmt.Errorf("the certificate is about to expire, and the next one is of %s, not of %s", next.identity, k.now.identity)
	}
	k.now = next
	return next, nil
}

// renew makes a key and asks for a certificate.
func (k *keyless) renew(ctx context.Context) (*certified, error) {
	token, err := k.Token(ctx)
	if err != nil {
		return nil, err
	}
	key, err := sign.NewEphemeralKeypair(nil)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	asked := time.Now()
	authority := sign.NewFulcio(&sign.FulcioOptions{
		BaseURL:   strings.TrimSuffix(k.Services.Authority, "/"),
		Transport: asking{ctx: ctx, what: "the certificate authority", pause: k.pause},
	})
	leaf, err := authority.GetCertificate(ctx, key, &sign.CertificateProviderOptions{IDToken: token})
	if err != nil {
		return nil, unanswered(token, plain(err))
	}
	parsed, err := x509.ParseCertificate(leaf)
	if err != nil {
		return nil, fmt.Errorf("asking for a certificate: what %s gave is none: %w", k.Services.Authority, err)
	}
	who, err := certificate.SummarizeCertificate(parsed)
	if err != nil {
		return nil, fmt.Errorf("asking for a certificate: that of %s names nobody: %w", k.Services.Authority, err)
	}
	c := &certified{Keypair: key, identity: Identity{who.SubjectAlternativeName, who.Issuer}, leaf: leaf}
	if c.chain, err = k.Trusted.chain(parsed); err != nil {
		return nil, fmt.Errorf("the certificate of %s is of no authority in the trusted root, so that nobody would believe it: %w", k.Services.Authority, err)
	}
	life := parsed.NotAfter.Sub(parsed.NotBefore)
	c.renew = asked.Add(life - min(life/4, time.Minute))
	return c, nil
}

// unanswered says that there is no certificate, and nothing of the token, but
// that it has expired if it has: the authority may not say so.
func unanswered(token string, err error) error {
	text := strings.ReplaceAll(err.Error(), token, "...")
	if expires, _ := claimed(token); !expires.IsZero() && time.Now().After(expires) {
		return fmt.Errorf("asking for a certificate with an identity token that expired at %s: %s", expires.Format(time.RFC3339), text)
	}
	return fmt.Errorf("asking for a certificate: %s", text)
}

// chain returns the certificates above that of a signer, the root last.
func (t *TrustedRoot) chain(leaf *x509.Certificate) ([]*x509.Certificate, error) {
	var errs []error
	for _, authority := range t.material.FulcioCertificateAuthorities() {
		chains, err := authority.Verify(leaf, leaf.NotBefore)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		return chains[0][1:], nil
	}
	return nil, errors.Join(errs...)
}

// sign signs what there is, lets the authorities stamp it and the logs take it
// in. Where a log of tiles did not take an entry, or took it and did not say so,
// it signs again: such a log refuses what it has, and another signature is
// another entry.
func (k *keyless) sign(ctx context.Context, content sign.Content) (*protobundle.Bundle, *certified, error) {
	wait := k.pause
	for attempt := 1; ; attempt++ {
		by, err := k.current(ctx)
		if err != nil {
			return nil, nil, err
		}
		opts := sign.BundleOptions{Context: ctx, CertificateProvider: by, TransparencyLogs: k.logs}
		for _, address := range k.Services.Timestamps {
			opts.TimestampAuthorities = append(opts.TimestampAuthorities, sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{
				URL: address, Transport: asking{ctx: ctx, what: "the timestamp authority", pause: k.pause},
			}))
		}
		b, err := sign.Bundle(content, by, opts)
		var unlogged *logError
		switch {
		case err == nil:
			return b, by, nil
		case !errors.As(err, &unlogged):
			return nil, nil, plain(err)
		case !unlogged.again || attempt == maxAsked:
			return nil, nil, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(wait):
			wait *= 3
		}
	}
}

// pemOf is a certificate as the legacy form has it.
func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
