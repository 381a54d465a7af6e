package release

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/bundle"
)

// conformance names a folder with a copy of github.com/sigstore/sigstore-conformance.
const conformance = "TEMPER_SIGSTORE_CONFORMANCE"

// conformancePath is where the bundles are in it, each in a folder of its own that
// says what it takes to verify it. The folder's name ends in _fail if it must not.
// https://github.com/sigstore/sigstore-conformance/tree/main/test/assets/bundle-verify
const conformancePath = "test/assets/bundle-verify"

// Sigstore's own bundles are believed or not as they should be. They are of blobs
// and not of images, so that what judges a bundle is asked, and not Open; of those
// that hold statements what reads them as evidence says the same, and the rest it
// never believes: images are not signed so.
func TestConformance(t *testing.T) {
	folder := os.Getenv(conformance)
	if folder == "" {
		t.Skipf("set %s to a copy of github.com/sigstore/sigstore-conformance to have this test", conformance)
	}
	folder = filepath.Join(folder, conformancePath)
	bundles, err := filepath.Glob(filepath.Join(folder, "*", "bundle.sigstore.json"))
	if err != nil || len(bundles) == 0 {
		t.Fatalf("%s holds no bundles: %v", folder, err)
	}
	verdicts := make(map[bool]int)
	var messages []string
	for _, file := range bundles {
		name := filepath.Base(filepath.Dir(file))
		t.Run(name, func(t *testing.T) {
			want := !strings.HasSuffix(name, "_fail")
			verdicts[want]++
			bundled, evident := judge(t, folder, filepath.Dir(file))
			if (bundled == nil) != want {
				t.Errorf("verifies is %t, want %t: %v", bundled == nil, want, bundled)
			}
			if errors.Is(evident, errMessage) {
				messages = append(messages, name)
			} else if (evident == nil) != want {
				t.Errorf("is evidence is %t, want %t: %v", evident == nil, want, evident)
			}
		})
	}
	if verdicts[true] == 0 || verdicts[false] == 0 {
		t.Errorf("%s holds %d bundles that verify and %d that must not, want some of both", folder, verdicts[true], verdicts[false])
	}
	t.Logf("%d bundles that verify, %d that do not; these sign messages, which are no evidence about an image: %s",
		verdicts[true], verdicts[false], strings.Join(messages, ", "))
}

// judge verifies a bundle with what lies beside it: by itself, and as evidence.
func judge(t *testing.T, folder, dir string) (bundled, evident error) {
	t.Helper()
	artifact, err := os.ReadFile(filepath.Join(dir, "artifact"))
	if errors.Is(err, fs.ErrNotExist) {
		artifact, err = os.ReadFile(filepath.Join(folder, "a.txt"))
	}
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "bundle.sigstore.json"))
	if err != nil {
		t.Fatal(err)
	}
	by, err := conformingVerifier(t, dir)
	if err != nil {
		return err, err
	}
	_, evident = (&claims{form: Bundle}).addBundle(raw, hash(artifact), by)
	var b bundle.Bundle
	if err := untripped(func() error { return b.UnmarshalJSON(raw) }); err != nil {
		return err, evident
	}
	_, bundled = by.verifyBundle(&b, hash(artifact))
	return bundled, evident
}

// conformingVerifier believes the key in the folder, or the identity.
func conformingVerifier(t *testing.T, dir string) (*Verifier, error) {
	t.Helper()
	read := func(name, otherwise string) string {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return otherwise
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(bytes.TrimSpace(raw))
	}
	if read("key.pub", "") != "" {
		return LoadVerifier(context.Background(), filepath.Join(dir, "key.pub"))
	}
	trusted, err := PublicGoodRoot()
	if read("trusted_root.json", "") != "" {
		trusted, err = LoadTrustedRoot(filepath.Join(dir, "trusted_root.json"))
	}
	if err != nil {
		return nil, err
	}
	return NewIdentityVerifier(Identity{
		Subject: read("identity", "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"),
		Issuer:  read("issuer", "https://token.actions.githubusercontent.com"),
	}, trusted)
}
