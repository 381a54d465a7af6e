package image

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// A registryOf is a registry in this process that remembers what it was asked
// for, and alters what it is told to.
type registryOf struct {
	host string

	mu      sync.Mutex
	fetched []string
	altered string
}

func newRegistry(t testing.TB) *registryOf {
	t.Helper()
	r := &registryOf{}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		alter := r.altered != "" && strings.HasSuffix(req.URL.Path, r.altered)
		if req.Method == http.MethodGet {
			r.fetched = append(r.fetched, req.URL.Path)
		}
		r.mu.Unlock()
		if alter {
			w = &altering{w}
		}
		handler.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	r.host = strings.TrimPrefix(server.URL, "http://")
	return r
}

// push puts an image or an index there and returns its reference by digest.
func (r *registryOf) push(t testing.TB, repository string, a artifact) string {
	t.Helper()
	ref := must(name.ParseReference(r.host + "/" + repository))(t)
	switch a := a.(type) {
	case v1.Image:
		check(t, remote.Write(ref, a))
	case v1.ImageIndex:
		check(t, remote.WriteIndex(ref, a))
	}
	return r.host + "/" + repository + "@" + digestOf(t, a)
}

// pulls tells how often the blob or manifest was fetched.
func (r *registryOf) pulls(h v1.Hash) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(r.fetched), func(path string) bool { return !strings.HasSuffix(path, h.String()) }))
}

// alter makes the registry answer with other bytes of the same number.
func (r *registryOf) alter(h v1.Hash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.altered = h.String()
}

type altering struct{ http.ResponseWriter }

func (a *altering) Write(p []byte) (int, error) {
	p = slices.Clone(p)
	if len(p) > 0 {
		p[len(p)-1] ^= 1
	}
	return a.ResponseWriter.Write(p)
}
