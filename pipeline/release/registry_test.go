package release

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// kinds are the two kinds of registry.
var kinds = []struct {
	name      string
	referrers bool
}{
	{"referrers API", true},
	{"referrers tag", false},
}

// A host is a real registry in process, which writes down what it is asked.
type host struct {
	*httptest.Server
	inner http.Handler

	mu    sync.Mutex
	asked []request
	// instead answers a request in the registry's place where it returns true.
	// The request's number counts from 1.
	instead func(n int, w http.ResponseWriter, r *http.Request) bool
}

// A request is what a host was asked, with the repository left out of the path:
// "manifests/v1".
type request struct{ method, path string }

var asRequests = cmp.AllowUnexported(request{})

func (r request) writes() bool { return r.method != http.MethodGet && r.method != http.MethodHead }

const repository = "shop/orders"

func serve(t testing.TB, referrers bool) *host {
	t.Helper()
	silent := log.New(io.Discard, "", 0)
	h := &host{inner: registry.New(registry.WithReferrersSupport(referrers), registry.Logger(silent))}
	h.Server = httptest.NewUnstartedServer(h)
	h.Config.ErrorLog = silent
	h.Start()
	t.Cleanup(h.Close)
	return h
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.asked = append(h.asked, request{r.Method, strings.TrimPrefix(r.URL.Path, "/v2/"+repository+"/")})
	n, instead := len(h.asked), h.instead
	h.mu.Unlock()
	if instead != nil && instead(n, w, r) {
		return
	}
	h.inner.ServeHTTP(w, r)
}

// requests returns what was asked since the last time, and forgets it.
func (h *host) requests() []request {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.asked
	h.asked = nil
	return all
}

// answer lets a function answer in the registry's place, or with nil no more.
func (h *host) answer(instead func(n int, w http.ResponseWriter, r *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked, h.instead = nil, instead
}

// writes returns those of the requests that change something.
func writes(all []request) []request {
	return slices.DeleteFunc(slices.Clone(all), func(r request) bool { return !r.writes() })
}

func (h *host) repo(t testing.TB) name.Repository {
	t.Helper()
	repo, err := name.NewRepository(strings.TrimPrefix(h.URL, "http://") + "/" + repository)
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

// options speak to the host without credentials, and try each request once.
func (h *host) options() Options {
	return Options{
		Keychain:  authn.NewMultiKeychain(),
		Transport: h.Client().Transport,
		backoff:   remote.Backoff{Steps: 1},
		patience:  time.Millisecond,
	}
}

// Content is what a registry serves under a path.
type content struct {
	mediaType string
	body      []byte
}

// get and put go past what is written down and what answers instead.
func (h *host) get(t testing.TB, path string) content {
	t.Helper()
	w := httptest.NewRecorder()
	h.inner.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v2/"+repository+"/"+path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("getting %s: %d", path, w.Code)
	}
	return content{w.Header().Get("Content-Type"), w.Body.Bytes()}
}

func (h *host) put(t testing.TB, path string, c content) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPut, "/v2/"+repository+"/"+path, bytes.NewReader(c.body))
	r.Header.Set("Content-Type", c.mediaType)
	w := httptest.NewRecorder()
	h.inner.ServeHTTP(w, r)
	if w.Code != http.StatusCreated {
		t.Fatalf("putting %s: %d %s", path, w.Code, w.Body)
	}
}

func (h *host) remove(t testing.TB, path string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.inner.ServeHTTP(w, httptest.NewRequest(http.MethodDelete, "/v2/"+repository+"/"+path, nil))
	if w.Code != http.StatusAccepted {
		t.Fatalf("removing %s: %d", path, w.Code)
	}
}
