package releasetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
)

// A stamper is an authority for timestamps.
// https://www.rfc-editor.org/rfc/rfc3161
type stamper struct {
	root, intermediate, leaf *x509.Certificate
	key                      *ecdsa.PrivateKey
}

func newStamper(t testing.TB) *stamper {
	t.Helper()
	s := &stamper{key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)}
	var above *ecdsa.PrivateKey
	var err error
	if s.root, above, err = ca.GenerateRootCa(); err != nil {
		t.Fatal(err)
	}
	if s.intermediate, above, err = ca.GenerateTSAIntermediate(s.root, above); err != nil {
		t.Fatal(err)
	}
	// It is good for ten minutes from then on.
	s.leaf = must(ca.GenerateTSALeafCert(time.Now().Add(-time.Minute), s.key, s.intermediate, above))(t)
	return s
}

func (s *stamper) authority() root.TimestampingAuthority {
	return &root.SigstoreTimestampingAuthority{
		Root: s.root, Intermediates: []*x509.Certificate{s.intermediate}, Leaf: s.leaf,
		URI: "https://timestamps.localhost", ValidityPeriodStart: time.Now().Add(-5 * time.Hour),
	}
}

// stamp says that the digest was seen now.
func (s *stamper) stamp(t testing.TB, hash crypto.Hash, digest []byte, certificate bool) []byte {
	t.Helper()
	now := timestamp.Timestamp{
		HashAlgorithm: hash, HashedMessage: digest, Time: time.Now(), AddTSACertificate: certificate,
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2},
	}
	return must(now.CreateResponseWithOpts(s.leaf, s.key, crypto.SHA256))(t)
}
