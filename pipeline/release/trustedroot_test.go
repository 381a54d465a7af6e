package release

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"

	"temper/pipeline/evidence"
)

// The pinned root is that of the public instance: it verifies a signature that
// the world can see, of a package of sigstore's own.
func TestPublicGoodRoot(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/sigstore/sigstore-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "examples", "bundle-provenance.json"))
	if err != nil {
		t.Fatal(err)
	}
	var b bundle.Bundle
	if err := b.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	var s evidence.Statement
	if err := json.Unmarshal(b.GetDsseEnvelope().GetPayload(), &s); err != nil {
		t.Fatal(err)
	}
	about := v1.Hash{Algorithm: "sha512", Hex: s.Subject[0].Digest["sha512"]}
	trusted, err := PublicGoodRoot()
	if err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[string]bool{
		"https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main": true,
		"https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/mai":  false,
	} {
		v, err := NewIdentityVerifier(Identity{subject, "https://token.actions.githubusercontent.com"}, trusted)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.verifyBundle(&b, about); (err == nil) != want {
			t.Errorf("%s: %v, want %v", subject, err, want)
		}
	}
	if n := len(trusted.material.RekorLogs()); n != 2 {
		t.Errorf("it names %d logs, want 2: rekor.sigstore.dev and log2025-1.rekor.sigstore.dev", n)
	}
	if n := len(trusted.material.TimestampingAuthorities()); n != 1 {
		t.Errorf("it names %d timestamp authorities, want 1", n)
	}
}

func TestLoadTrustedRootRefuses(t *testing.T) {
	for _, tc := range []struct{ name, content, want string }{
		{"no JSON", "-----BEGIN CERTIFICATE-----", "is not a trusted root"},
		{"empty", `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`, "names no certificate authority"},
		{"of another kind", `{"mediaType":"application/json"}`, "is not a trusted root"},
		{"without logs", withoutLogs(t), "names no transparency log"},
		{"large", strings.Repeat(" ", maxTrustedRoot+1), "too large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := LoadTrustedRoot(write(t, "root.json", []byte(tc.content)))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("err is %v, want %q", err, tc.want)
			}
		})
	}
	if _, err := LoadTrustedRoot("nowhere.json"); err == nil || !strings.Contains(err.Error(), "there is no trusted root nowhere.json") {
		t.Errorf("err is %v", err)
	}
}

func withoutLogs(t *testing.T) string {
	return string(change(t, publicGood, func(b map[string]any) { delete(b, "tlogs"); delete(b, "timestampAuthorities") }))
}

func TestNewIdentityVerifierRefuses(t *testing.T) {
	trusted, err := PublicGoodRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []Identity{{}, {Subject: "a@example.com"}, {Issuer: "https://accounts.google.com"}} {
		if _, err := NewIdentityVerifier(id, trusted); err == nil {
			t.Errorf("%+v is a verifier", id)
		}
	}
	if _, err := NewIdentityVerifier(Identity{"a@example.com", "https://accounts.google.com"}, nil); err == nil {
		t.Error("there is a verifier without a trusted root")
	}
}
