//go:build kms && unix

package release

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"
)

// pluginName makes the test itself a plugin, which others have for services that
// Sigstore's libraries do not know.
const pluginName = "sigstore-kms-tempertest"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != pluginName {
		os.Exit(m.Run())
	}
	args, err := handler.GetPluginArgs(os.Args)
	if err == nil {
		var key plugin
		if key, err = openPlugin(args.InitOptions.KeyResourceID); err == nil {
			_, err = handler.Dispatch(os.Stdout, os.Stdin, args, key)
		} else {
			handler.WriteErrorResponse(os.Stdout, err)
		}
	}
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// A plugin signs with a key in a file.
type plugin struct{ signature.SignerVerifier }

func openPlugin(file string) (plugin, error) {
	raw, err := os.ReadFile("/" + file)
	if err != nil {
		return plugin{}, err
	}
	key, err := x509.ParseECPrivateKey(raw)
	if err != nil {
		return plugin{}, err
	}
	sv, err := signature.LoadECDSASignerVerifier(key, crypto.SHA256)
	return plugin{sv}, err
}

var errUnasked = errors.New("Temper does not ask for this")

func (plugin) DefaultAlgorithm() string      { return "" }
func (plugin) SupportedAlgorithms() []string { return nil }
func (plugin) CreateKey(context.Context, string) (crypto.PublicKey, error) {
	return nil, errUnasked
}
func (plugin) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	return nil, nil, errUnasked
}

// A service that no library knows signs by its plugin.
func TestPublishByPlugin(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, pluginName)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	ref := "tempertest:/" + write(t, "key.der", der)
	signer, err := LoadSigner(context.Background(), ref, password(""))
	if err != nil {
		t.Fatal(err)
	}
	h, p := serve(t, true), anImage(t, 1)
	p.publish(t, h, signer, h.options(), "v1")
	verifier, err := LoadVerifier(context.Background(), publicFile(t, private.Public()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), h.refTo(t, ":v1"), verifier, Policy{}, h.options()); err != nil {
		t.Error(err)
	}
	want := fmt.Sprintf("asking for %s.none: plugin returned error: open %s.none: no such file", ref, strings.TrimPrefix(ref, "tempertest:/"))
	if _, err := LoadSigner(context.Background(), ref+".none", password("")); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}
