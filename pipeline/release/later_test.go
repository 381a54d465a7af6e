package release

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature"
)

// A signer that comes late is waited for, and the layers are there when it comes.
func TestLaterSigner(t *testing.T) {
	h, p, signer := serve(t, true), anIndex(t, 1), newKey(t)
	uploaded, once := make(chan struct{}), sync.Once{}
	h.answer(func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/blobs/uploads/") {
			once.Do(func() { close(uploaded) })
		}
		return false
	})
	later := Later(func() (*Signer, error) {
		<-uploaded
		return signer, nil
	})
	p.publish(t, h, later, h.options(), "v1")
	if later.Verifier() != signer.Verifier() {
		t.Error("it is not believed as the signer that it stands for")
	}
	if _, err := Open(context.Background(), h.repo(t).Tag("v1"), signer.Verifier(), Policy{}, h.options()); err != nil {
		t.Error(err)
	}
}

// Where none comes at last, no manifest has been written that somebody could pull.
func TestNoSignerAtLast(t *testing.T) {
	h, p := serve(t, true), anIndex(t, 1)
	want := errors.New("it does not open")
	later := Later(func() (*Signer, error) { return nil, want })
	_, err := Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, later, []string{"v1"}, h.options())
	if err != want {
		t.Errorf("err is %v, want what opening it said", err)
	}
	for _, r := range writes(h.requests()) {
		if strings.HasPrefix(r.path, "manifests/") {
			t.Errorf("it wrote %s", r.path)
		}
	}
	if later.Verifier() != nil {
		t.Error("somebody is believed")
	}
}

// A lyingKey signs with another key than the one that it says it is.
type lyingKey struct{ signature.SignerVerifier }

func (k lyingKey) SignMessage(message io.Reader, _ ...signature.SignOption) ([]byte, error) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := signature.LoadECDSASigner(other, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return signer.SignMessage(message)
}

// That somebody has just signed something does not make it good: what does not verify
// gets no tag, whatever it was that was read back.
func TestPublishOfALyingKey(t *testing.T) {
	for _, format := range []Format{Both, Bundle, Legacy} {
		t.Run(string(format), func(t *testing.T) {
			h, p := serve(t, true), anImage(t, 1)
			liar, err := NewSigner(lyingKey{newKey(t).key})
			if err != nil {
				t.Fatal(err)
			}
			opts := h.options()
			opts.Format = format
			_, err = Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, liar, []string{"v1"}, opts)
			if err == nil {
				t.Error("it was published")
			}
			for _, r := range writes(h.requests()) {
				if r.path == "manifests/v1" {
					t.Error("it was tagged")
				}
			}
		})
	}
}
