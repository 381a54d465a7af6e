package policy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"temper/pipeline/release"
)

var update = flag.Bool("update", false, "write what Load says into testdata/*.txtar")

// Every testdata/*.txtar is a policy and what Load makes of it, in want.json or
// want.err. Beside it lie the keys ours.pub and theirs.pub.
func TestLoad(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	cases, err := filepath.Glob(filepath.Join(here, "testdata", "*.txtar"))
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := loaded(t, archive.Files[0])
			if *update {
				archive.Files = append(archive.Files[:1], got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(archive.Files[len(archive.Files)-1], got); diff != "" || len(archive.Files) != 2 {
				t.Errorf("Load (-want +got):\n%s", diff)
			}
		})
	}
}

// known is what the words of the cases stand for.
func known() Known {
	return Known{
		Rules:  []string{"entrypoint", "probe-host", "shell"},
		Groups: map[string][]string{"images": {"entrypoint", "shell"}, "probes": {"probe-host"}},
		Root:   release.PublicGoodRoot,
	}
}

// publicKey is that of a key that nobody has any more.
func publicKey(t *testing.T) string {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// loaded loads a policy, and returns it or the error as a case has it.
func loaded(t *testing.T, policy txtar.File) txtar.File {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range map[string]string{policy.Name: string(policy.Data), "ours.pub": publicKey(t), "theirs.pub": publicKey(t), "private.key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Load(context.Background(), policy.Name, known())
	if err != nil {
		return txtar.File{Name: "want.err", Data: []byte(err.Error() + "\n")}
	}
	raw, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return txtar.File{Name: "want.json", Data: append(raw, '\n')}
}

// Where both the file and the command line name the signers, nobody knows whose
// word counts.
func TestLoadTakesSignersFromOneSide(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for name, content := range map[string]string{"ours.pub": publicKey(t), "none.yaml": "strict: true\n", "some.yaml": "signers: [{key: ours.pub}]\n", "root.yaml": "trusted-root: root.json\n"} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.ReadFile(filepath.Join(here, "..", "release", "trusted_root.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("root.json", root, 0o644); err != nil {
		t.Fatal(err)
	}
	by, err := release.LoadVerifier(context.Background(), "ours.pub")
	if err != nil {
		t.Fatal(err)
	}
	with := known()
	with.Signer = func() (Signer, error) { return NewSigner(by), nil }
	p, err := Load(context.Background(), "none.yaml", with)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Signers) != 1 || p.Signers[0].AnyOf[0].String() != by.String() || !p.Strict {
		t.Errorf("Load: %+v", p)
	}
	var twice *TwiceError
	_, err = Load(context.Background(), "some.yaml", with)
	if want := "some.yaml names the signers, and so does the command line; leave one of the two out"; !errors.As(err, &twice) || err.Error() != want {
		t.Errorf("Load: %v, want %s", err, want)
	}
	for _, with := range []Known{with, {Root: release.PublicGoodRoot, RootNamed: true}} {
		_, err = Load(context.Background(), "root.yaml", with)
		if want := "root.yaml names a trusted-root, and who is believed by another stands on the command line; leave one of the two out"; !errors.As(err, &twice) || err.Error() != want {
			t.Errorf("Load: %v, want %s", err, want)
		}
	}
	_, err = Load(context.Background(), "none.yaml", known())
	if want := "none.yaml does not say who must have signed; write signers: [{key: cosign.pub}]"; err == nil || err.Error() != want {
		t.Errorf("Load: %v, want %s", err, want)
	}
}
