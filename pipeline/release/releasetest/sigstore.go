// Package releasetest signs images as those do who keep no key: in tests.
//
// A [Sigstore] is an instance of one's own, in memory: an authority that
// writes down in certificates who signs, a log of certificates, two logs of
// signatures and an authority for timestamps. What it signs is real, and
// verifies with its [Sigstore.TrustedRoot] and with no other. It signs by itself,
// or, once it is served, for those who ask: see [Sigstore.Serve].
package releasetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
)

// A Sigstore is an instance of Sigstore for tests.
type Sigstore struct {
	// logs is the log of signatures, tiles the key of another, of version 2.
	logs   *ca.VirtualSigstore
	tiles  *ecdsa.PrivateKey
	stamps *stamper
	// authority and its key sign certificates, which certificates logs.
	root, authority *x509.Certificate
	key             *ecdsa.PrivateKey
	certificates    *ecdsa.PrivateKey
}

// New returns an instance with keys of its own, which has been there for five
// hours.
func New(t testing.TB) *Sigstore {
	t.Helper()
	s := &Sigstore{
		logs:         must(ca.NewVirtualSigstore())(t),
		tiles:        must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t),
		stamps:       newStamper(t),
		certificates: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t),
	}
	s.authorise(t)
	return s
}

// Impostor returns an instance whose authority has the same names and another
// key, while the logs are the same: they take in what anybody signs.
func (s *Sigstore) Impostor(t testing.TB) *Sigstore {
	t.Helper()
	other := &Sigstore{logs: s.logs, tiles: s.tiles, stamps: s.stamps, certificates: s.certificates}
	other.authorise(t)
	return other
}

// authorise makes the authority.
func (s *Sigstore) authorise(t testing.TB) {
	t.Helper()
	top, topKey, err := ca.GenerateRootCa()
	if err != nil {
		t.Fatal(err)
	}
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	der := must(x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber:          big.NewInt(2),
		Subject:               pkix.Name{CommonName: "authority", Organization: []string{"localhost"}},
		NotBefore:             top.NotBefore,
		NotAfter:              top.NotAfter,
		KeyUsage:              x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}, top, key.Public(), topKey))(t)
	s.root, s.authority, s.key = top, must(x509.ParseCertificate(der))(t), key
}

// TrustedRoot returns what an operator would hand out, in Sigstore's format.
func (s *Sigstore) TrustedRoot(t testing.TB) []byte {
	t.Helper()
	signatures := make(map[string]*root.TransparencyLog)
	for id, log := range s.logs.RekorLogs() {
		log.ID = must(hex.DecodeString(id))(t)
		signatures[id] = log
	}
	tiles := keyID(t, s.tiles.Public())
	signatures[hex.EncodeToString(tiles)] = &root.TransparencyLog{
		BaseURL: "https://" + tilesOrigin, ID: tiles, HashFunc: crypto.SHA256, PublicKey: s.tiles.Public(),
		SignatureHashFunc: crypto.SHA256, ValidityPeriodStart: time.Now().Add(-5 * time.Hour),
	}
	id := keyID(t, s.certificates.Public())
	certificates := map[string]*root.TransparencyLog{hex.EncodeToString(id): {
		BaseURL: "https://certificates.localhost", ID: id, HashFunc: crypto.SHA256, PublicKey: s.certificates.Public(),
		SignatureHashFunc: crypto.SHA256, ValidityPeriodStart: time.Now().Add(-5 * time.Hour),
	}}
	authority := &root.FulcioCertificateAuthority{
		URI: "https://authority.localhost", Root: s.root, Intermediates: []*x509.Certificate{s.authority},
		ValidityPeriodStart: time.Now().Add(-5 * time.Hour),
	}
	trusted := must(root.NewTrustedRoot(root.TrustedRootMediaType01, []root.CertificateAuthority{authority}, certificates,
		[]root.TimestampingAuthority{s.stamps.authority()}, signatures))(t)
	return must(json.Marshal(trusted))(t)
}

// keyID is a log's name: the digest of its public key.
func keyID(t testing.TB, public crypto.PublicKey) []byte {
	t.Helper()
	sum := sha256.Sum256(must(x509.MarshalPKIXPublicKey(public))(t))
	return sum[:]
}

// must returns a function that returns the value, or ends the test.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
