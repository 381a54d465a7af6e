package release

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
)

// A registry that keeps its blobs elsewhere is followed there, but not by what is
// confined to the registry.
func TestConfined(t *testing.T) {
	h, elsewhere, p, signer := serve(t, true), serve(t, true), anImage(t, 1), newKey(t)
	p.publish(t, h, signer, h.options(), "v1")
	elsewhere.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		h.inner.ServeHTTP(w, r)
		return true
	})
	open := func(opts Options) error {
		_, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{}, opts)
		return err
	}
	free := Options{Keychain: authn.NewMultiKeychain()}
	within := free
	within.Transport = Confined(h.repo(t).RegistryStr())
	if err := open(within); err != nil {
		t.Fatalf("before the blobs moved: %v", err)
	}
	h.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/blobs/") {
			return false
		}
		http.Redirect(w, r, elsewhere.URL+r.URL.Path+"?signature=secret", http.StatusTemporaryRedirect)
		return true
	})
	if err := open(free); err != nil {
		t.Errorf("free: %v", err)
	}
	elsewhere.requests()
	err := open(within)
	if err == nil {
		t.Fatal("confined it verifies")
	}
	if says := "the registry leads to " + elsewhere.repo(t).RegistryStr(); !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
		t.Errorf("err is %v, want one that says that %s, and no more", err, says)
	}
	if got := elsewhere.requests(); len(got) > 0 {
		t.Errorf("elsewhere was asked for %v", got)
	}
}

// So it is with a registry whose tokens somebody else gives out.
func TestConfinedTokens(t *testing.T) {
	h := serve(t, true)
	h.answer(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("WWW-Authenticate", `Bearer realm="https://tokens.invalid/token",service="registry"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	opts := Options{Keychain: authn.NewMultiKeychain(), Transport: Confined(h.repo(t).RegistryStr())}
	_, err := Open(context.Background(), h.refTo(t, ":v1"), newKey(t).Verifier(), Policy{}, opts)
	if err == nil || !strings.Contains(err.Error(), "the registry leads to tokens.invalid, and nothing but "+h.repo(t).RegistryStr()) {
		t.Errorf("err is %v, want one that says where it leads", err)
	}
}
