package releasetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

// An issuer signs identity tokens, as the identity provider does which an
// authority asks.
type issuer struct{ key *ecdsa.PrivateKey }

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	return &issuer{must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)}
}

type tokenClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Expires  int64  `json:"exp"`
	Email    string `json:"email,omitempty"`
	Verified bool   `json:"email_verified,omitempty"`
}

// token says who somebody is, until then.
func (i *issuer) token(t testing.TB, by Signer, expires time.Time) string {
	t.Helper()
	claims := tokenClaims{Issuer: by.Issuer, Subject: by.Subject, Audience: "sigstore", Expires: expires.Unix()}
	if !strings.Contains(by.Subject, "://") {
		claims.Email, claims.Verified = by.Subject, true
	}
	part := func(v any) string { return base64.RawURLEncoding.EncodeToString(must(json.Marshal(v))(t)) }
	signed := part(map[string]string{"alg": "ES256", "typ": "JWT"}) + "." + part(claims)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	sig := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// read says who somebody is if the token is the issuer's, for Sigstore and good.
func (i *issuer) read(token string) (by Signer, err error) {
	at := strings.LastIndex(token, ".")
	if at < 0 {
		return by, errors.New("malformed token")
	}
	sig, err := base64.RawURLEncoding.DecodeString(token[at+1:])
	if err != nil || len(sig) != 64 {
		return by, errors.New("malformed signature")
	}
	digest := sha256.Sum256([]byte(token[:at]))
	if !ecdsa.Verify(&i.key.PublicKey, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return by, errors.New("the token is of another issuer")
	}
	_, payload, _ := strings.Cut(token[:at], ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return by, err
	}
	var claims tokenClaims
	if err := json.Unmarshal(raw, &claims); err != nil {
		return by, err
	}
	switch {
	case claims.Audience != "sigstore":
		return by, errors.New("the token is for somebody else")
	case time.Now().Unix() > claims.Expires:
		return by, errors.New("the token has expired")
	}
	return Signer{Subject: claims.Subject, Issuer: claims.Issuer}, nil
}
