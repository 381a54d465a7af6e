package releasetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sigstore/rekor/pkg/generated/models"
)

// Services are the doors of an instance on loopback: what signs without a key
// asks for a certificate, a timestamp and a place in a log. They are addressed
// as the real ones, https://github.com/sigstore/fulcio/blob/main/fulcio.proto and
// https://github.com/sigstore/rekor/blob/main/openapi.yaml.
type Services struct {
	*httptest.Server
	sigstore *Sigstore
	issuer   *issuer

	visits

	mu sync.Mutex
	// ci is who the CI system says that its job is.
	ci Signer
	// entries are those of the log of version 1.
	entries map[string]models.LogEntryAnon
}

// Serve opens the doors for the time of a test.
func (s *Sigstore) Serve(t testing.TB) *Services {
	t.Helper()
	doors := &Services{sigstore: s, issuer: newIssuer(t), entries: make(map[string]models.LogEntryAnon)}
	doors.Server = httptest.NewServer(doors)
	return doors
}

// Authority, Log, Tiles and Timestamps are the addresses of the services, CI
// that of a CI system.
func (d *Services) Authority() string { return d.URL + "/fulcio" }

// Log is the address of the log of version 1.
func (d *Services) Log() string { return d.URL + "/rekor" }

// Tiles is the address of the log of version 2.
func (d *Services) Tiles() string { return d.URL + "/tiles" }

// Timestamps is the address of the authority for timestamps.
func (d *Services) Timestamps() string { return d.URL + "/timestamps" }

// CI is where a job of GitHub Actions gets a token, with the word "please".
func (d *Services) CI(by Signer) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ci = by
	return d.URL + "/ci?job=1"
}

// Token says who somebody is, for so long.
func (d *Services) Token(t testing.TB, by Signer, good time.Duration) string {
	t.Helper()
	return d.issuer.token(t, by, time.Now().Add(good))
}

// A bad request ends an answer, which is no matter for the test.
type bad struct{ testing.TB }

func (bad) Helper() {}

func (bad) Fatal(args ...any) { panic(badRequest(fmt.Sprint(args...))) }

type badRequest string

func (d *Services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.answered(w, r) {
		return
	}
	defer func() {
		switch why := recover().(type) {
		case nil:
		case badRequest:
			say(w, http.StatusBadRequest, string(why))
		default:
			panic(why)
		}
	}()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	switch path := r.URL.Path; {
	case path == "/fulcio/api/v2/signingCert":
		d.certify(w, r, body)
	case path == "/fulcio/api/v1/signingCert":
		d.certifyOld(w, r, body)
	case path == "/rekor/api/v1/log/entries" && r.Method == http.MethodPost:
		d.log(w, body)
	case strings.HasPrefix(path, "/rekor/api/v1/log/entries/"):
		d.logged(w, path[strings.LastIndex(path, "/")+1:])
	case path == "/tiles/api/v2/log/entries":
		d.tile(w, body)
	case path == "/timestamps":
		d.stamp(w, body)
	case path == "/ci":
		d.job(w, r)
	default:
		http.NotFound(w, r)
	}
}

// say is how the services say what is wrong.
func say(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"code":%d,"message":%q}`, code, message)
}

// job is the door of GitHub Actions.
func (d *Services) job(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "bearer please" || r.URL.Query().Get("audience") != "sigstore" {
		say(w, http.StatusForbidden, "the job may not have a token")
		return
	}
	d.mu.Lock()
	by := d.ci
	d.mu.Unlock()
	json.NewEncoder(w).Encode(map[string]string{"value": d.issuer.token(bad{}, by, time.Now().Add(5*time.Minute))})
}
