package releasetest

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"strings"
	"time"
)

// who says whose token a request comes with.
func (d *Services) who(w http.ResponseWriter, r *http.Request) (Signer, bool) {
	by, err := d.issuer.read(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if err != nil {
		say(w, http.StatusUnauthorized, "There was an error processing the identity token: "+err.Error())
		return by, false
	}
	by.Made = time.Now().Truncate(time.Second)
	return by, true
}

// owns tells whether somebody has the key: it signed their name.
func owns(key any, by Signer, signature []byte) bool {
	digest := sha256.Sum256([]byte(by.Subject))
	public, ok := key.(*ecdsa.PublicKey)
	return ok && ecdsa.VerifyASN1(public, digest[:], signature)
}

func (d *Services) certify(w http.ResponseWriter, r *http.Request, body []byte) {
	by, ok := d.who(w, r)
	if !ok {
		return
	}
	var asked struct {
		PublicKeyRequest struct {
			PublicKey         struct{ Content string }
			ProofOfPossession []byte
		}
	}
	t := bad{}
	if err := json.Unmarshal(body, &asked); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(asked.PublicKeyRequest.PublicKey.Content))
	if block == nil {
		t.Fatal("no public key")
	}
	key := must(x509.ParsePKIXPublicKey(block.Bytes))(t)
	if !owns(key, by, asked.PublicKeyRequest.ProofOfPossession) {
		t.Fatal("the signature is not by the key")
	}
	leaf := d.sigstore.certify(t, by, key)
	chain := []string{pemOf(leaf), pemOf(d.sigstore.authority), pemOf(d.sigstore.root)}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": chain}}})
}

// certifyOld is the first version, which cosign v2 speaks.
func (d *Services) certifyOld(w http.ResponseWriter, r *http.Request, body []byte) {
	by, ok := d.who(w, r)
	if !ok {
		return
	}
	var asked struct {
		PublicKey          struct{ Content []byte }
		SignedEmailAddress []byte
	}
	t := bad{}
	if err := json.Unmarshal(body, &asked); err != nil {
		t.Fatal(err)
	}
	der := asked.PublicKey.Content
	if block, _ := pem.Decode(der); block != nil { // either will do
		der = block.Bytes
	}
	key := must(x509.ParsePKIXPublicKey(der))(t)
	if !owns(key, by, asked.SignedEmailAddress) {
		t.Fatal("the signature is not by the key")
	}
	leaf := d.sigstore.certify(t, by, key)
	w.Header().Set("Content-Type", "application/pem-certificate-chain")
	w.WriteHeader(http.StatusCreated)
	io.WriteString(w, pemOf(leaf)+pemOf(d.sigstore.authority)+pemOf(d.sigstore.root))
}
