package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// faults are what can become of one request. The step is how many requests lie
// between those that fail: some of the faults are much like others.
var faults = []struct {
	name   string
	step   int
	answer func(h *host, w http.ResponseWriter, r *http.Request)
}{
	{"an answer 500", 1, func(_ *host, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
	}},
	{"a connection that breaks before", 3, func(*host, http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}},
	{"a connection that breaks after", 1, func(h *host, _ http.ResponseWriter, r *http.Request) {
		h.inner.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}},
	{"half a request", 3, func(h *host, _ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if strings.Contains(r.URL.Path, "/manifests/") {
			panic(http.ErrAbortHandler) // it is no JSON, and no registry but the tests' takes it
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), iotest.ErrReader(io.ErrUnexpectedEOF)))
		h.inner.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}},
	{"half an answer", 3, func(h *host, w http.ResponseWriter, r *http.Request) {
		whole := httptest.NewRecorder()
		h.inner.ServeHTTP(whole, r)
		for key, values := range whole.Header() {
			w.Header()[key] = values
		}
		w.Header().Set("Content-Length", fmt.Sprint(whole.Body.Len()+1))
		w.WriteHeader(whole.Code)
		w.Write(whole.Body.Bytes())
		panic(http.ErrAbortHandler)
	}},
}

// Whichever request fails and however, a tag never names what does not verify,
// and publishing again finishes the work and leaves nothing twice.
func TestPublishWhereOneRequestFails(t *testing.T) {
	signer := newKey(t)
	for _, p := range []product{anImage(t, 1), anIndex(t, 1)} {
		for _, kind := range kinds {
			h := serve(t, kind.referrers)
			opts := h.options()
			opts.Jobs = 1 // the same requests in the same order
			p.publish(t, h, signer, opts, "v1")
			total := len(h.requests())
			want := h.allAttached(t, signer, p)
			for _, fault := range faults {
				step := fault.step
				if len(p.images) > 0 { // it takes the steps of an image three times over
					step *= 10
				}
				t.Run(fmt.Sprintf("%d manifests, %s, %s", len(p.images)+1, kind.name, fault.name), func(t *testing.T) {
					failures := 0
					for n := 1; n <= total; n += step {
						h := serve(t, kind.referrers)
						opts := h.options()
						opts.Jobs = 1
						var failed request
						h.answer(func(i int, w http.ResponseWriter, r *http.Request) bool {
							if i != n {
								return false
							}
							failed = request{r.Method, r.URL.Path}
							fault.answer(h, w, r)
							return true
						})
						_, err := Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, signer, []string{"v1"}, opts)
						h.answer(nil)
						_, notOpen := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{Format: Both}, h.options())
						switch {
						case err == nil && notOpen != nil:
							t.Errorf("request %d (%s): published, and then: %v", n, failed, notOpen)
						case err != nil && notOpen != nil && !errors.Is(notOpen, ErrNotFound):
							t.Errorf("request %d (%s): the tag names what does not verify: %v", n, failed, notOpen)
						}
						if err != nil {
							failures++
						}
						p.publish(t, h, signer, opts, "v1")
						if diff := cmp.Diff(want, h.allAttached(t, signer, p)); diff != "" {
							t.Errorf("request %d (%s): what is attached after publishing again (-want +got):\n%s", n, failed, diff)
						}
						h.Close()
					}
					if failures == 0 {
						t.Errorf("none of %d requests mattered", total)
					}
				})
			}
		}
	}
}

// Whenever the registry's disk is full, it is said in the registry's words, a tag
// never names what does not verify, and once there is space again publishing
// finishes the work.
func TestPublishIntoAFullRegistry(t *testing.T) {
	signer, p := newKey(t), anImage(t, 1)
	for _, kind := range kinds {
		for _, status := range []int{http.StatusInsufficientStorage, http.StatusInternalServerError} {
			t.Run(fmt.Sprintf("%s, %d", kind.name, status), func(t *testing.T) {
				h := serve(t, kind.referrers)
				opts := h.options()
				opts.Jobs = 1
				p.publish(t, h, signer, opts, "v1")
				total := len(writes(h.requests()))
				want := h.allAttached(t, signer, p)
				for n := 1; n <= total; n++ { // the first write that finds no space
					h := serve(t, kind.referrers)
					opts := h.options()
					opts.Jobs = 1
					var written atomic.Int64
					h.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
						if !(request{method: r.Method}).writes() {
							return false
						}
						if written.Add(1) < int64(n) {
							return false
						}
						w.WriteHeader(status)
						io.WriteString(w, `{"errors":[{"code":"UNKNOWN","message":"no space left on device"}]}`)
						return true
					})
					_, err := Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, signer, []string{"v1"}, opts)
					if err == nil || !strings.Contains(err.Error(), "no space left on device") {
						t.Errorf("write %d: err is %v, want one with the registry's words", n, err)
					}
					h.answer(nil)
					if _, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{}, h.options()); !errors.Is(err, ErrNotFound) {
						t.Errorf("write %d: there is a tag, of which Open says: %v", n, err)
					}
					p.publish(t, h, signer, opts, "v1")
					if diff := cmp.Diff(want, h.allAttached(t, signer, p)); diff != "" {
						t.Errorf("write %d: what is attached after publishing again (-want +got):\n%s", n, diff)
					}
					h.Close()
				}
			})
		}
	}
}

// What fails once for a passing reason is tried again.
func TestPublishTriesAgain(t *testing.T) {
	signer, p := newKey(t), anImage(t, 1)
	for _, kind := range kinds {
		h := serve(t, kind.referrers)
		opts := h.options()
		opts.Jobs = 1
		opts.backoff.Steps = 6 // an upload is several requests, and is tried again as one
		seen := make(map[request]bool)
		h.answer(func(n int, w http.ResponseWriter, r *http.Request) bool {
			path, _, _ := strings.Cut(r.URL.Path, "/uploads/") // each has an address of its own
			key := request{r.Method, path}
			if seen[key] {
				return false
			}
			seen[key] = true
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		})
		p.publish(t, h, signer, opts, "v1")
	}
}

func (h *host) allAttached(t testing.TB, signer *Signer, p product) map[v1.Hash]counts {
	t.Helper()
	all := make(map[v1.Hash]counts)
	for _, digest := range append([]v1.Hash{p.digest}, p.images...) {
		all[digest] = h.attached(t, signer, digest)
	}
	return all
}
