package release

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
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
