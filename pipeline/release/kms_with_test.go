//go:build kms

package release

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"temper/pipeline/release/releasetest"
)

// vaultKinds are the kinds of key that sign images in Vault, and what cosign has to
// be told of the digest: it takes SHA-256 for any.
var vaultKinds = map[string]string{
	"ecdsa-p256": "",
	"ecdsa-p384": " --signature-digest-algorithm sha384",
	"ecdsa-p521": " --signature-digest-algorithm sha512",
	"rsa-2048":   "",
}

// openVault makes a Vault the one that the environment names.
func openVault(t *testing.T) *releasetest.Vault {
	t.Helper()
	v := releasetest.NewVault(t)
	t.Cleanup(v.Close)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("VAULT_ADDR", v.URL)
	t.Setenv("VAULT_TOKEN", v.Token)
	return v
}

// publicFile writes a public key where the rest of the world has it.
func publicFile(t *testing.T, public crypto.PublicKey) string {
	t.Helper()
	raw, err := cryptoutils.MarshalPublicKeyToPEM(public)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "cosign.pub", raw)
}

// What a service signs others verify by the public key, from a file or asked for,
// and the service is asked for the key once, however much it signs.
func TestPublishByService(t *testing.T) {
	const path = "/v1/transit/keys/release"
	for kind := range vaultKinds {
		t.Run(kind, func(t *testing.T) {
			v := openVault(t)
			file := publicFile(t, v.Make(t, "release", kind))
			signer, err := LoadSigner(context.Background(), "hashivault://release", func() ([]byte, error) {
				return nil, errors.New("a service's key has no password")
			})
			if err != nil {
				t.Fatal(err)
			}
			h, one, other := serve(t, true), anIndex(t, 1), anImage(t, 2)
			one.publish(t, h, signer, h.options(), "v1")
			other.publish(t, h, signer, h.options(), "v2")
			asked := v.Asked()
			if diff := cmp.Diff(1, asked[path]); diff != "" {
				t.Errorf("times that the key was asked for (-want +got):\n%s", diff)
			}
			if len(asked) != 2 {
				t.Errorf("asked %v, want the key and signatures", asked)
			}

			fromFile, err := LoadVerifier(context.Background(), file)
			if err != nil {
				t.Fatal(err)
			}
			fromService, err := LoadVerifier(context.Background(), "hashivault://release")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]int{path: 1}, v.Asked()); diff != "" {
				t.Errorf("asked to verify (-want +got):\n%s", diff)
			}
			v.Make(t, "stranger", kind)
			stranger, err := LoadVerifier(context.Background(), "hashivault://stranger")
			if err != nil {
				t.Fatal(err)
			}
			v.Close() // nobody but the registry is asked any more
			for _, by := range []*Verifier{fromFile, fromService} {
				for _, form := range []Format{Bundle, Legacy} {
					for _, tag := range []string{":v1", ":v2"} {
						r, err := Open(context.Background(), h.refTo(t, tag), by, Policy{Format: form}, h.options())
						if err != nil {
							t.Fatal(err)
						}
						if diff := cmp.Diff(signer.Verifier().String(), r.Signer); diff != "" {
							t.Errorf("signer (-want +got):\n%s", diff)
						}
					}
				}
			}
			if _, err := Open(context.Background(), h.refTo(t, ":v1"), stranger, Policy{}, h.options()); reason(t, err) != Untrusted {
				t.Errorf("by another key: %v, want untrusted", err)
			}
		})
	}
}

// The real commands verify what a service signed.
func TestCosignVerifiesService(t *testing.T) {
	b := newWorkbench(t)
	for kind, digest := range vaultKinds {
		t.Run(kind, func(t *testing.T) {
			v := openVault(t)
			public, err := cryptoutils.MarshalPublicKeyToPEM(v.Make(t, "release", kind))
			if err != nil {
				t.Fatal(err)
			}
			b.write(t, "service.pub", public)
			signer, err := LoadSigner(context.Background(), "hashivault://release", password(""))
			if err != nil {
				t.Fatal(err)
			}
			flags := " --insecure-ignore-tlog=true --allow-insecure-registry" + digest + " --key "
			for form, lines := range map[Format][]string{
				Legacy: {"cosign2 verify" + flags, "cosign3 verify" + flags},
				Bundle: {"cosign2 verify --new-bundle-format --trusted-root root.json" + flags, "cosign3 verify" + flags},
			} {
				h, p := serve(t, true), anImage(t, 1)
				options := h.options()
				options.Format = form
				p.publish(t, h, signer, options, "v1")
				for _, line := range lines {
					if !b.has(line) {
						continue
					}
					ref := h.repo(t).Tag("v1")
					if out, err := b.run(t, line+"service.pub REF", ref); err != nil {
						t.Errorf("%s: %s: %v\n%s", form, line, err, out)
					}
					if out, err := b.run(t, line+"other.pub REF", ref); err == nil {
						t.Errorf("%s: %s: it verifies by another key:\n%s", form, line, out)
					}
				}
			}
		})
	}
}

// Whatever is wrong with a service, the error holds its words and where to get
// access, and nothing that was secret.
func TestServiceRefuses(t *testing.T) {
	answer := func(code int, words string) func(t *testing.T, v *releasetest.Vault) {
		return func(t *testing.T, v *releasetest.Vault) {
			v.Instead(func(w http.ResponseWriter, _ *http.Request) bool {
				words, err := json.Marshal(map[string][]string{"errors": {strings.ReplaceAll(words, "TOKEN", v.Token)}})
				if err != nil {
					t.Error(err)
				}
				http.Error(w, string(words), code)
				return true
			})
		}
	}
	for _, tc := range []struct {
		name, ref string
		before    func(t *testing.T, v *releasetest.Vault)
		want      []string
	}{
		{"a wrong token", "hashivault://release", func(t *testing.T, _ *releasetest.Vault) { t.Setenv("VAULT_TOKEN", "s.stale") },
			[]string{"asking HashiCorp Vault for hashivault://release: ", "Code: 403", "permission denied", "(access: VAULT_ADDR, and VAULT_TOKEN or vault login)"}},
		{"no token", "hashivault://release", func(t *testing.T, _ *releasetest.Vault) { t.Setenv("VAULT_TOKEN", "") },
			[]string{".vault-token", "VAULT_TOKEN or vault login"}},
		{"no address", "hashivault://release", func(t *testing.T, _ *releasetest.Vault) { t.Setenv("VAULT_ADDR", "") },
			[]string{"VAULT_ADDR or BAO_ADDR is not set"}},
		{"an Ed25519 key", "hashivault://ed25519", func(t *testing.T, v *releasetest.Vault) { v.Make(t, "ed25519", "ed25519") },
			[]string{"hashivault://ed25519 is an Ed25519 key", "take one of ECDSA P-256"}},
		{"no such key", "hashivault://nothing", nil, []string{"hashivault://nothing", "/transit/keys/nothing"}},
		{"a reference that is none", "hashivault://a b", nil, []string{"hashivault://a b", "hashivault://<key>"}},
		{"another reference that is none", "gcpkms://orders", nil, []string{"asking Google Cloud KMS for gcpkms://orders", "cryptoKeyVersions/[VERSION]"}},
		{"a service that does not exist", "vault://release", nil,
			[]string{"vault://release: a key is a file, env://NAME, or in a service (awskms://, ", "no plugin sigstore-kms-vault on the PATH"}},
		{"a service that tells all", "hashivault://release", answer(http.StatusBadRequest, "TOKEN\n\x1b[2J is no token"), []string{"Code: 400", "* ... \ufffd[2J is no token"}},
		{"no answer of a Vault", "hashivault://release", func(_ *testing.T, v *releasetest.Vault) {
			v.Instead(func(w http.ResponseWriter, _ *http.Request) bool { io.WriteString(w, "{}"); return true })
		}, []string{"corrupted response"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := openVault(t)
			v.Make(t, "release", "ecdsa-p256")
			if tc.before != nil {
				tc.before(t, v)
			}
			_, sign := LoadSigner(context.Background(), tc.ref, password(""))
			_, verify := LoadVerifier(context.Background(), tc.ref)
			for _, err := range []error{sign, verify} {
				if err == nil {
					t.Fatal("it is a key")
				}
				for _, want := range tc.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%v\nwant %q", err, want)
					}
				}
				if strings.Contains(err.Error(), v.Token) || strings.Contains(err.Error(), "s.stale") || strings.Contains(err.Error(), "\n") {
					t.Errorf("it holds a token or several lines: %v", err)
				}
			}
		})
	}
}

// managedIn opens the key with hardly a pause between attempts.
func managedIn(t *testing.T, ref string) (*managedKey, error) {
	t.Helper()
	service, err := openService(context.Background(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return newManagedKey(context.Background(), ref, service, time.Millisecond)
}

// A service that fails for a passing reason is asked again, and one that says no is
// not.
func TestServiceIsAskedAgain(t *testing.T) {
	for _, tc := range []struct {
		name        string
		fails, code int
		asked       int
		ok          bool
	}{
		{"once", 1, http.StatusServiceUnavailable, 2, true},
		{"twice", 2, http.StatusTooManyRequests, 3, true},
		{"always", 9, http.StatusBadGateway, 3, false},
		{"a no", 9, http.StatusForbidden, 1, false},
		{"a broken connection", 1, 0, 2, true},
	} {
		for _, path := range []string{"/v1/transit/keys/release", "/v1/transit/sign/release/sha2-256"} {
			t.Run(tc.name+", "+path, func(t *testing.T) {
				v := openVault(t)
				v.Make(t, "release", "ecdsa-p256")
				left := tc.fails
				v.Instead(func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path != path || left == 0 {
						return false
					}
					left--
					if tc.code == 0 {
						panic(http.ErrAbortHandler)
					}
					http.Error(w, `{"errors":["not now"]}`, tc.code)
					return true
				})
				key, err := managedIn(t, "hashivault://release")
				if err == nil {
					_, err = key.SignMessage(strings.NewReader("orders"))
				}
				if diff := cmp.Diff(tc.ok, err == nil); diff != "" {
					t.Errorf("whether it signs (-want +got):\n%s%v", diff, err)
				}
				if err != nil && !strings.Contains(err.Error(), "not now") {
					t.Errorf("%v, want the service's words", err)
				}
				if diff := cmp.Diff(tc.asked, v.Asked()[path]); diff != "" {
					t.Errorf("times asked (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A key that is rotated during a run signs what its public key does not verify.
func TestServiceRotates(t *testing.T) {
	v := openVault(t)
	v.Make(t, "release", "ecdsa-p256")
	signer, err := LoadSigner(context.Background(), "hashivault://release", password(""))
	if err != nil {
		t.Fatal(err)
	}
	v.Make(t, "release", "ecdsa-p256")
	h, p := serve(t, true), anImage(t, 1)
	_, err = Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, signer, []string{"v1"}, h.options())
	if err == nil || !strings.Contains(err.Error(), "if the key was rotated just now, run it again") {
		t.Errorf("%v, want that the key was rotated", err)
	}
	if _, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{}, h.options()); err == nil {
		t.Error("the tag was moved")
	}
	if signer, err = LoadSigner(context.Background(), "hashivault://release", password("")); err != nil {
		t.Fatal(err)
	}
	p.publish(t, h, signer, h.options(), "v1")
}

// Whoever waits for a service can stop waiting.
func TestServiceIsNotWaitedFor(t *testing.T) {
	v := openVault(t)
	v.Make(t, "release", "ecdsa-p256")
	ctx, cancel := context.WithCancelCause(context.Background())
	release := make(chan struct{})
	defer close(release)
	enough := errors.New("enough")
	v.Instead(func(http.ResponseWriter, *http.Request) bool { cancel(enough); <-release; return false })
	if _, err := LoadSigner(ctx, "hashivault://release", password("")); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("%v, want that it was enough", err)
	}
}
