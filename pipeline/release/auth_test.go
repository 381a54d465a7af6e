package release

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
)

// A keychain holds one login.
type keychain authn.AuthConfig

func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig(k)), nil
}

// A registry that asks for a login gets it, for reading and for writing.
// Nobody else does: not the storage that it sends readers to. And an address
// in that storage, which is a key to it, is in no error.
func TestLogin(t *testing.T) {
	const secret, address = "registry-password", "X-Signature=storage-key"
	h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
	login := func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if _, password, _ := r.BasicAuth(); password == secret {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="shop"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	h.answer(login)
	opts := h.options()
	if _, err := Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, signer, nil, opts); err == nil {
		t.Error("it is published without a login")
	}
	opts.Keychain = keychain{Username: "shop", Password: secret}
	p.publish(t, h, signer, opts, "v1")

	var toStorage []string
	broken := false
	storage := serve(t, true)
	storage.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		toStorage = append(toStorage, r.Header.Get("Authorization"))
		if broken {
			panic(http.ErrAbortHandler)
		}
		w.Write(h.get(t, strings.TrimPrefix(r.URL.Path, "/")).body)
		return true
	})
	elsewhere := strings.Replace(storage.URL, "127.0.0.1", "localhost", 1) // another host
	h.answer(func(n int, w http.ResponseWriter, r *http.Request) bool {
		path, isBlob := strings.CutPrefix(r.URL.Path, "/v2/"+repository+"/blobs/")
		if !isBlob {
			return login(n, w, r)
		}
		http.Redirect(w, r, elsewhere+"/blobs/"+path+"?"+address, http.StatusTemporaryRedirect)
		return true
	})
	opts.Jobs = 1
	if _, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{Format: Both}, opts); err != nil {
		t.Error(err)
	}
	if len(toStorage) == 0 || strings.Join(toStorage, "") != "" {
		t.Errorf("the storage was sent %q", toStorage)
	}
	broken = true
	_, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{Format: Both}, opts)
	if err == nil || strings.Contains(err.Error(), "storage-key") || strings.Contains(err.Error(), secret) {
		t.Errorf("err is %v, want one without secrets", err)
	}
}
