package releasetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Vault stands in for HashiCorp's, which manages keys in its transit engine:
// https://developer.hashicorp.com/vault/api-docs/secret/transit. Its keys are
// real, and what they sign is.
type Vault struct {
	*httptest.Server
	// Token is the word that lets in.
	Token string

	visits

	mu sync.Mutex
	// keys are the versions of each key, the first of which is number 1.
	keys map[string][]crypto.Signer
}

// NewVault returns a service without keys, for the time of a test.
func NewVault(t testing.TB) *Vault {
	t.Helper()
	v := &Vault{Token: rand.Text(), keys: make(map[string][]crypto.Signer)}
	v.Server = httptest.NewServer(v)
	return v
}

// Make makes a key by the name of its kind, such as ecdsa-p256; where there is
// one of this name it is rotated.
func (v *Vault) Make(t testing.TB, name, kind string) crypto.PublicKey {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "ecdsa-p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ecdsa-p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ecdsa-p521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "rsa-2048":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = fmt.Errorf("there is no kind %s", kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys[name] = append(v.keys[name], key)
	return key.Public()
}

func (v *Vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if v.answered(w, r) {
		return
	}
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/transit/"), "/")
	switch {
	case r.Header.Get("X-Vault-Token") != v.Token:
		deny(w, http.StatusForbidden, "permission denied")
	case path[0] == "keys" && len(path) == 2 && r.Method == http.MethodGet:
		v.describe(w, path[1])
	case path[0] == "sign" && len(path) == 3 && r.Method == http.MethodPut:
		v.sign(w, r, path[1], path[2])
	default:
		deny(w, http.StatusNotFound)
	}
}

// deny is how a Vault says what is wrong.
func deny(w http.ResponseWriter, code int, why ...string) {
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string][]string{"errors": append([]string{}, why...)})
}

func (v *Vault) versions(name string) []crypto.Signer {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.keys[name]
}

// describe gives the public halves of a key.
func (v *Vault) describe(w http.ResponseWriter, name string) {
	type version struct {
		Name      string    `json:"name"`
		PublicKey string    `json:"public_key"`
		Created   time.Time `json:"creation_time"`
	}
	all := make(map[string]version)
	versions := v.versions(name)
	for i, key := range versions {
		one := version{Created: time.Now()}
		switch public := key.Public().(type) {
		case ed25519.PublicKey:
			one.Name, one.PublicKey = "ed25519", base64.StdEncoding.EncodeToString(public)
		default:
			der, err := x509.MarshalPKIXPublicKey(public)
			if err != nil {
				deny(w, http.StatusInternalServerError, err.Error())
				return
			}
			one.Name, one.PublicKey = "P-256", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		}
		all[fmt.Sprint(i+1)] = one
	}
	if len(all) == 0 {
		deny(w, http.StatusNotFound)
		return
	}
	json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"name": name, "latest_version": len(versions), "keys": all}})
}

// digests are the algorithms that may stand in the path.
var digests = map[string]crypto.Hash{"sha2-256": crypto.SHA256, "sha2-384": crypto.SHA384, "sha2-512": crypto.SHA512}

// sign signs a digest with the latest version of a key.
func (v *Vault) sign(w http.ResponseWriter, r *http.Request, name, algorithm string) {
	var asked struct {
		Input     []byte `json:"input"`
		Prehashed bool   `json:"prehashed"`
		Algorithm string `json:"signature_algorithm"`
	}
	err := json.NewDecoder(r.Body).Decode(&asked)
	versions, digest := v.versions(name), digests[algorithm]
	switch {
	case err != nil:
		deny(w, http.StatusBadRequest, err.Error())
		return
	case len(versions) == 0:
		deny(w, http.StatusBadRequest, "signing key not found")
		return
	case digest == 0 || !asked.Prehashed || asked.Algorithm != "pkcs1v15" || len(asked.Input) != digest.Size():
		deny(w, http.StatusBadRequest, "this stand-in signs digests, as sigstore's library asks for it")
		return
	}
	sig, err := versions[len(versions)-1].Sign(rand.Reader, asked.Input, digest)
	if err != nil {
		deny(w, http.StatusBadRequest, err.Error())
		return
	}
	json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{
		"signature": fmt.Sprintf("vault:v%d:%s", len(versions), base64.StdEncoding.EncodeToString(sig)), "key_version": len(versions),
	}})
}
