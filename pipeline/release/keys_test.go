package release

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

func password(text string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(text), nil }
}

func write(t testing.TB, name string, content []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What GenerateKey returns loads again, from a file and from the environment,
// and its two halves belong together.
func TestGenerateKey(t *testing.T) {
	for _, secret := range []string{"correct horse battery staple", ""} {
		private, public, err := GenerateKey([]byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		if block, _ := pem.Decode(private); block == nil || block.Type != "ENCRYPTED SIGSTORE PRIVATE KEY" {
			t.Errorf("the private key is %v, want one that is encrypted", block)
		}
		t.Setenv("TEMPER_TEST_KEY", string(private))
		t.Setenv("TEMPER_TEST_PUB", string(public))
		var names []string
		for _, ref := range []string{write(t, "cosign.key", private), "env://TEMPER_TEST_KEY"} {
			signer, err := LoadSigner(context.Background(), ref, password(secret))
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, signer.Verifier().String())
		}
		for _, ref := range []string{write(t, "cosign.pub", public), "env://TEMPER_TEST_PUB"} {
			verifier, err := LoadVerifier(context.Background(), ref)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, verifier.String())
		}
		if !strings.HasPrefix(names[0], "key sha256:") {
			t.Errorf("the key is called %q", names[0])
		}
		for _, name := range names[1:] {
			if diff := cmp.Diff(names[0], name); diff != "" {
				t.Errorf("name of the key (-want +got):\n%s", diff)
			}
		}
	}
}

// Whatever is wrong with a key, the error says so, and says nothing that was
// secret.
func TestLoadSignerRefuses(t *testing.T) {
	const secret, wrong = "correct-horse-battery-staple", "Tr0ub4dor&3"
	private, public, err := GenerateKey([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(private)
	encode := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	plain, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(plain)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TEMPER_TEST_KEY", string(private))
	t.Setenv("TEMPER_TEST_EMPTY", "")
	for _, tc := range []struct {
		name, ref, want string
	}{
		{"a wrong password", write(t, "k", private), "does not open with this password"},
		{"a wrong password for the environment", "env://TEMPER_TEST_KEY", "env://TEMPER_TEST_KEY does not open"},
		{"no file", filepath.Join(t.TempDir(), "cosign.key"), "there is no file"},
		{"a folder", t.TempDir(), "reading private key"},
		{"no name", "", "no key was named"},
		{"no variable", "env://TEMPER_TEST_NONE", "the environment has no TEMPER_TEST_NONE"},
		{"an empty variable", "env://TEMPER_TEST_EMPTY", "holds no PEM block"},
		{"no PEM", write(t, "k", []byte("hunter2")), "holds no PEM block"},
		{"half a PEM", write(t, "k", private[:len(private)/2]), "holds no PEM block"},
		{"the public half", write(t, "k", public), "is a public key"},
		{"a key that is not encrypted", write(t, "k", encode("PRIVATE KEY", pkcs8)), "cosign import-key-pair"},
		{"a certificate", write(t, "k", encode("CERTIFICATE", pkcs8)), "holds a CERTIFICATE"},
		{"encrypted nonsense", write(t, "k", encode(block.Type, []byte("nonsense"))), "opening "},
		{"an altered key", write(t, "k", encode(block.Type, bytes.Replace(block.Bytes, []byte(`"ciphertext":"`), []byte(`"ciphertext":"AAAA`), 1))), "does not open"},
		{"a large file", write(t, "k", append(private, make([]byte, maxKey)...)), "too large for a key"},
		{"a file without end", "/dev/zero", "too large for a key"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := os.Stat(tc.ref); tc.ref == "/dev/zero" && err != nil {
				t.Skip("this system has none")
			}
			signer, err := LoadSigner(context.Background(), tc.ref, password(wrong))
			if signer != nil || err == nil {
				t.Fatalf("got %v, %v", signer, err)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("err is %q, want one with %q", err, tc.want)
			}
			for _, private := range []string{secret, wrong, "hunter2", string(block.Bytes)} {
				if strings.Contains(err.Error(), private) {
					t.Errorf("err tells a secret: %q", err)
				}
			}
		})
	}
}

// The password is asked for once, and only where there is a key to open.
func TestLoadSignerAsksOnce(t *testing.T) {
	private, public, err := GenerateKey([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	ask := func() ([]byte, error) { asked++; return []byte("secret"), nil }
	for _, ref := range []string{write(t, "k", public), write(t, "k", nil), "env://TEMPER_TEST_NONE"} {
		LoadSigner(context.Background(), ref, ask)
	}
	if asked != 0 {
		t.Errorf("it asked %d times for a password that opens nothing", asked)
	}
	if _, err := LoadSigner(context.Background(), write(t, "k", private), ask); err != nil || asked != 1 {
		t.Errorf("it asked %d times, err is %v", asked, err)
	}
	errNobody := errors.New("nobody answers")
	if _, err := LoadSigner(context.Background(), write(t, "k", private), func() ([]byte, error) { return nil, errNobody }); !errors.Is(err, errNobody) {
		t.Errorf("err is %v, want %v", err, errNobody)
	}
}

func TestLoadVerifierRefuses(t *testing.T) {
	private, public, err := GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(public)
	for _, tc := range []struct {
		name, want string
		content    []byte
	}{
		{"the private half", "is a private key", private},
		{"no PEM", "holds no PEM block", []byte("a key")},
		{"a certificate", "holds a CERTIFICATE", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes})},
		{"half a key", "is not a public key", pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes[:20]})},
	} {
		verifier, err := LoadVerifier(context.Background(), write(t, "k", tc.content))
		if verifier != nil || err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, %v, want an error with %q", tc.name, verifier, err, tc.want)
		}
	}
}

// Keys of every kind that cosign can encrypt sign and verify, in both forms.
func TestKindsOfKeys(t *testing.T) {
	ec := func(curve elliptic.Curve) crypto.PrivateKey {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.PrivateKey{
		"ECDSA P-256": ec(elliptic.P256()), "ECDSA P-384": ec(elliptic.P384()), "ECDSA P-521": ec(elliptic.P521()),
		"RSA 2048": rsaKey, "Ed25519": edKey,
	} {
		t.Run(name, func(t *testing.T) {
			der, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			path := write(t, "plain.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
			pair, err := cosign.ImportKeyPair(path, func(bool) ([]byte, error) { return []byte("secret"), nil })
			if err != nil {
				t.Fatal(err)
			}
			signer, err := LoadSigner(context.Background(), write(t, "import.key", pair.PrivateBytes), password("secret"))
			if err != nil {
				t.Fatal(err)
			}
			public, err := cryptoutils.MarshalPublicKeyToPEM(key.(crypto.Signer).Public())
			if err != nil {
				t.Fatal(err)
			}
			verifier, err := LoadVerifier(context.Background(), write(t, "import.pub", public))
			if err != nil {
				t.Fatal(err)
			}
			h, p := serve(t, true), anImage(t, 1)
			p.publish(t, h, signer, h.options(), "v1")
			if _, err := Open(context.Background(), h.refTo(t, ":v1"), verifier, Policy{Format: Both}, h.options()); err != nil {
				t.Error(err)
			}
		})
	}
}
