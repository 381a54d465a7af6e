package release

import (
	"context"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Who opens a release and then reads it greets the registry once in a session, and
// each time without one.
func TestSession(t *testing.T) {
	for _, tc := range []struct {
		session *Session
		want    int
	}{{nil, 3}, {new(Session), 1}} {
		h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
		p.publish(t, h, signer, h.options(), "v1")
		opts := h.options()
		opts.Session = tc.session
		h.requests()
		r, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{}, opts)
		if err != nil {
			t.Fatal(err)
		}
		artifact, err := Fetch(context.Background(), r.Digest, opts)
		if err != nil {
			t.Fatal(err)
		}
		layers, err := artifact.(v1.Image).Layers()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := layers[0].Uncompressed(); err != nil {
			t.Error(err)
		}
		if _, err := Open(context.Background(), r.Digest, signer.Verifier(), Policy{}, opts); err != nil {
			t.Error(err)
		}
		greetings := 0
		for _, r := range h.requests() {
			if strings.HasSuffix(r.path, "/v2/") {
				greetings++
			}
		}
		if greetings != tc.want {
			t.Errorf("session %v: the registry is greeted %d times, want %d", tc.session != nil, greetings, tc.want)
		}
	}
}

// A registry that was out of reach is greeted again.
func TestSessionForgetsErrors(t *testing.T) {
	h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
	p.publish(t, h, signer, h.options(), "v1")
	opts := h.options()
	opts.Session = new(Session)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, h.refTo(t, ":v1"), signer.Verifier(), Policy{}, opts); err == nil {
		t.Error("nobody was asked, and it is open")
	}
	if _, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{}, opts); err != nil {
		t.Error(err)
	}
}
