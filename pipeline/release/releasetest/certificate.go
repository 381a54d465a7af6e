package releasetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"
)

var (
	// issuerOID is where a certificate says who vouches for its subject, and
	// oldIssuerOID where it says so for those who look no further: Fulcio writes
	// both. https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
	issuerOID    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}
	oldIssuerOID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}
	// timestampsOID is where it holds the promises of logs of certificates.
	// https://www.rfc-editor.org/rfc/rfc6962#section-3.3
	timestampsOID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}
)

// certificate returns a certificate of a new key.
func (s *Sigstore) certificate(t testing.TB, by Signer) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	return s.certify(t, by, key.Public()), key
}

// certify returns a certificate for ten minutes.
func (s *Sigstore) certify(t testing.TB, by Signer, key crypto.PublicKey) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(by.made().UnixNano()),
		NotBefore:    by.made(),
		NotAfter:     by.made().Add(10 * time.Minute),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{
			{Id: oldIssuerOID, Value: []byte(by.Issuer)},
			{Id: issuerOID, Value: must(asn1.MarshalWithParams(by.Issuer, "utf8"))(t)},
		},
	}
	if strings.Contains(by.Subject, "://") {
		template.URIs = []*url.URL{must(url.Parse(by.Subject))(t)}
	} else {
		template.EmailAddresses = []string{by.Subject}
	}
	if !by.Unlogged {
		s.promise(t, template, key)
	}
	return s.issue(t, template, key)
}

func (s *Sigstore) issue(t testing.TB, template *x509.Certificate, key crypto.PublicKey) *x509.Certificate {
	t.Helper()
	der := must(x509.CreateCertificate(rand.Reader, template, s.authority, key, s.key))(t)
	return must(x509.ParseCertificate(der))(t)
}

// promise adds to the template what the log of certificates promises: it signs
// the certificate as it is without that promise.
// https://www.rfc-editor.org/rfc/rfc6962#section-3.2
func (s *Sigstore) promise(t testing.TB, template *x509.Certificate, key crypto.PublicKey) {
	t.Helper()
	before := s.issue(t, template, key)
	issuer := sha256.Sum256(s.authority.RawSubjectPublicKeyInfo)
	at := uint64(template.NotBefore.UnixMilli())

	signed := []byte{0, 0} // version 1, a timestamp
	signed = binary.BigEndian.AppendUint64(signed, at)
	signed = append(signed, 0, 1) // of a certificate before it was issued
	signed = append(signed, issuer[:]...)
	signed = append(signed, sized(3, before.RawTBSCertificate)...)
	signed = append(signed, 0, 0) // no extensions
	digest := sha256.Sum256(signed)
	signature := must(s.certificates.Sign(rand.Reader, digest[:], crypto.SHA256))(t)

	stamp := append([]byte{0}, keyID(t, s.certificates.Public())...)
	stamp = binary.BigEndian.AppendUint64(stamp, at)
	stamp = append(stamp, 0, 0, 4, 3) // no extensions; SHA-256, ECDSA
	stamp = append(stamp, sized(2, signature)...)
	list := sized(2, sized(2, stamp))
	template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: timestampsOID, Value: must(asn1.Marshal(list))(t)})
}

// sized puts the length of b before it, in so many bytes.
func sized(bytes int, b []byte) []byte {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(b)))
	return append(length[8-bytes:], b...)
}
