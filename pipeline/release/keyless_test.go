package release

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/pipeline/evidence"
	"temper/pipeline/release/releasetest"
)

// A foundry is an instance of Sigstore that can be asked, and somebody who may.
type foundry struct {
	*releasetest.Services
	sigstore *releasetest.Sigstore
	who      releasetest.Signer
}

func newFoundry(t testing.TB) foundry {
	t.Helper()
	s := releasetest.New(t)
	f := foundry{s.Serve(t), s, workflow}
	t.Cleanup(f.Close)
	return f
}

// keyless are options that sign with a log of version 1.
func (f foundry) keyless(t testing.TB) Keyless {
	t.Helper()
	trusted, err := ParseTrustedRoot(f.sigstore.TrustedRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	return Keyless{
		Token:    f.token(t, 5*time.Minute),
		Services: Services{Authority: f.Authority(), Logs: []Log{{f.Log(), 1}}},
		Trusted:  trusted,
		pause:    time.Millisecond,
	}
}

func (f foundry) token(t testing.TB, good time.Duration) TokenSource {
	return func(context.Context) (string, error) { return f.Token(t, f.who, good), nil }
}

func (f foundry) signer(t testing.TB, opts Keyless) *Signer {
	t.Helper()
	s, err := NewKeylessSigner(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instances are the ways in which an instance proves when something was signed.
var instances = []struct {
	name   string
	change func(f foundry, opts *Keyless)
	forms  []Format
	// trust changes what others trust.
	trust func(b map[string]any)
}{
	{"a log", func(foundry, *Keyless) {}, []Format{Both, Bundle, Legacy}, nil},
	{"a log and timestamps", func(f foundry, opts *Keyless) { opts.Services.Timestamps = []string{f.Timestamps()} }, []Format{Both, Bundle, Legacy}, nil},
	{"a log of tiles and timestamps", func(f foundry, opts *Keyless) {
		opts.Services.Logs, opts.Services.Timestamps = []Log{{f.Tiles(), 2}}, []string{f.Timestamps()}
	}, []Format{Bundle}, nil},
	{"both logs and timestamps", func(f foundry, opts *Keyless) {
		opts.Services.Logs, opts.Services.Timestamps = append(opts.Services.Logs, Log{f.Tiles(), 2}), []string{f.Timestamps()}
	}, []Format{Both}, nil},
	{"timestamps alone", func(f foundry, opts *Keyless) {
		opts.Services.Logs, opts.Services.Timestamps = nil, []string{f.Timestamps()}
	}, []Format{Both}, func(b map[string]any) { delete(b, "tlogs") }},
}

// What is published without a key others believe by its identity, in each form,
// and nobody else's word for it is taken.
func TestPublishKeyless(t *testing.T) {
	for _, instance := range instances {
		for _, form := range instance.forms {
			for _, kind := range kinds {
				t.Run(instance.name+", "+string(form)+", "+kind.name, func(t *testing.T) {
					f, h, p := newFoundry(t), serve(t, kind.referrers), anIndex(t, 1)
					opts := f.keyless(t)
					instance.change(f, &opts)
					trusted := f.sigstore.TrustedRoot(t)
					if instance.trust != nil {
						trusted = change(t, trusted, instance.trust)
					}
					var err error
					if opts.Trusted, err = ParseTrustedRoot(trusted); err != nil {
						t.Fatal(err)
					}
					before := time.Now().Add(-time.Second)
					signer := f.signer(t, opts)
					options := h.options()
					options.Format = form
					p.publish(t, h, signer, options, "v1")

					by, err := NewIdentityVerifier(Identity{f.who.Subject, f.who.Issuer}, opts.Trusted)
					if err != nil {
						t.Fatal(err)
					}
					f.Close() // nobody is asked to verify
					r, err := Open(context.Background(), h.refTo(t, ":v1"), by, Policy{Format: form}, h.options())
					if err != nil {
						t.Fatal(err)
					}
					if r.Signed.Before(before) || r.Signed.After(time.Now().Add(time.Second)) {
						t.Errorf("signed at %s, want after %s", r.Signed, before)
					}
					types := []string{evidence.TestResult, evidence.Provenance, evidence.SPDX}
					if diff := cmp.Diff(types, predicateTypes(r.Statements)); diff != "" {
						t.Errorf("statements (-want +got):\n%s", diff)
					}
					for _, who := range []Identity{{f.who.Subject + "x", f.who.Issuer}, {f.who.Subject, f.who.Issuer + "x"}} {
						other, err := NewIdentityVerifier(who, opts.Trusted)
						if err != nil {
							t.Fatal(err)
						}
						if _, err := Open(context.Background(), h.refTo(t, ":v1"), other, Policy{}, h.options()); reason(t, err) != Untrusted {
							t.Errorf("by %s: %v, want untrusted", who, err)
						}
					}
					if _, err := Open(context.Background(), h.refTo(t, ":v1"), believing(t, releasetest.New(t), f.who), Policy{}, h.options()); reason(t, err) != Untrusted {
						t.Errorf("by another instance's identity: %v, want untrusted", err)
					}
				})
			}
		}
	}
}

// One certificate is enough for all images, a statement about several manifests
// is signed once for both forms, and what is there is not signed again.
func TestPublishKeylessAsksLittle(t *testing.T) {
	f, h, one, other := newFoundry(t), serve(t, true), anIndex(t, 1), anIndex(t, 2)
	signer := f.signer(t, f.keyless(t))
	one.publish(t, h, signer, h.options(), "v1")
	other.publish(t, h, signer, h.options(), "v2")
	const certificates, entries = "/fulcio/api/v2/signingCert", "/rekor/api/v1/log/entries"
	// Of each index and the two images in it: the signature, twice; of the whole
	// an SBOM for each, the provenance and the report.
	if diff := cmp.Diff(map[string]int{certificates: 1, entries: 2 * (3*2 + 3 + 2)}, f.Asked()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	again := f.signer(t, f.keyless(t))
	one.publish(t, h, again, h.options(), "v1")
	if diff := cmp.Diff(map[string]int{certificates: 1}, f.Asked()); diff != "" {
		t.Errorf("asked again (-want +got):\n%s", diff)
	}
}

// A certificate that is about to expire is renewed, for the same identity only.
func TestKeylessRenews(t *testing.T) {
	f, h := newFoundry(t), serve(t, true)
	opts := f.keyless(t)
	who := f.who
	opts.Token = func(context.Context) (string, error) { return f.Token(t, who, time.Minute), nil }
	signer := f.signer(t, opts)
	first := signer.keyless.now
	if life := time.Until(first.renew); life < 8*time.Minute || life > 10*time.Minute {
		t.Errorf("it is renewed after %s, want nine minutes of ten", life)
	}
	first.renew = time.Time{}
	anImage(t, 1).publish(t, h, signer, h.options(), "v1")
	if signer.keyless.now == first {
		t.Error("it was not renewed")
	}
	signer.keyless.now.renew, who = time.Time{}, distroless
	p := anImage(t, 2)
	_, err := Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, signer, []string{"v2"}, h.options())
	if err == nil || !strings.Contains(err.Error(), "the next one is of keyless@distroless") {
		t.Errorf("err is %v", err)
	}
	if _, err := Open(context.Background(), h.refTo(t, ":v2"), signer.Verifier(), Policy{}, h.options()); !errors.Is(err, ErrNotFound) {
		t.Errorf("the tag: %v, want none", err)
	}
}

// answering answers under a path.
func answering(path string, code int, words string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, path) {
			return false
		}
		w.WriteHeader(code)
		w.Write([]byte(words))
		return true
	}
}

// breaking breaks the connection under a path, so many times, after the service
// did its work.
func breaking(f foundry, path string, times int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != path || times == 0 {
			return false
		}
		times--
		f.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
}

// Where a service does not help there is no tag, and the error names it, and
// says why in its words. A passing failure is tried again, and a no is not.
func TestPublishKeylessWhereServicesFail(t *testing.T) {
	const authority, log, tiles, stamps = "/fulcio/", "/rekor/", "/tiles/", "/timestamps"
	for _, tc := range []struct {
		name  string
		spoil func(f foundry, opts *Keyless)
		path  string
		asked int // how often the service was, at least once
		says  []string
	}{
		{"the authority is broken", func(f foundry, _ *Keyless) {
			f.Instead(answering(authority, 500, "out of\nentropy"))
		}, authority, 3, []string{"asking for a certificate: ", "/fulcio/api/v2/signingCert", "the certificate authority: it answers 500 Internal Server Error: out of entropy"}},
		{"the authority says no", func(f foundry, _ *Keyless) {
			f.Instead(answering(authority, 403, `{"code":7,"message":"not you"}`))
		}, authority, 1, []string{"asking for a certificate: ", `it answers 403 Forbidden: {"code":7,"message":"not you"}`}},
		{"the authority answers something else", func(f foundry, _ *Keyless) {
			f.Instead(answering(authority, 200, "<html>"))
		}, authority, 1, []string{"asking for a certificate: "}},
		{"the authority gives nothing", func(f foundry, _ *Keyless) {
			f.Instead(answering(authority, 200, "{}"))
		}, authority, 1, []string{"asking for a certificate: Fulcio returned no certificates"}},
		{"the authority is not there", func(f foundry, opts *Keyless) {
			opts.Services.Authority = "http://127.0.0.1:1"
		}, authority, 0, []string{"asking for a certificate: ", "127.0.0.1:1/api/v2/signingCert", "the certificate authority: ", "refused"}},
		{"the authority repeats the token", func(f foundry, opts *Keyless) {
			f.Instead(func(w http.ResponseWriter, r *http.Request) bool {
				w.WriteHeader(401)
				w.Write([]byte("I do not like " + r.Header.Get("Authorization")))
				return true
			})
		}, authority, 1, []string{"it answers 401 Unauthorized: I do not like Bearer ..."}},
		{"an expired token", func(f foundry, opts *Keyless) {
			opts.Token = f.token(t, -time.Hour)
		}, authority, 1, []string{"asking for a certificate with an identity token that expired at ", "the token has expired"}},
		{"a token of another issuer", func(f foundry, opts *Keyless) {
			opts.Token = newFoundry(t).token(t, time.Hour)
		}, authority, 1, []string{"the token is of another issuer"}},
		{"no token", func(_ foundry, opts *Keyless) {
			opts.Token = func(context.Context) (string, error) { return "", errors.New("the clerk is out") }
		}, authority, 0, []string{"the clerk is out"}},
		{"nobody to ask for a token", func(_ foundry, opts *Keyless) {
			opts.Token = nil
		}, authority, 0, []string{"no identity token to sign with"}},
		{"the log is broken", func(f foundry, _ *Keyless) {
			f.Instead(answering(log, 500, "the disk is full"))
		}, log, 3, []string{"signing: logging the signature in ", "/rekor", "the log: it answers 500 Internal Server Error: the disk is full"}},
		{"the log says no", func(f foundry, _ *Keyless) {
			f.Instead(answering(log, 400, `{"code":400,"message":"I do not like it"}`))
		}, log, 1, []string{"signing: logging the signature in ", "I do not like it"}},
		{"the log is not there", func(_ foundry, opts *Keyless) {
			opts.Services.Logs = []Log{{"http://127.0.0.1:1", 1}}
		}, log, 0, []string{"signing: logging the signature in http://127.0.0.1:1: ", "refused"}},
		{"the log of tiles is broken", func(f foundry, opts *Keyless) {
			opts.Services = Services{f.Authority(), []Log{{f.Tiles(), 2}}, []string{f.Timestamps()}}
			f.Instead(answering(tiles, 503, "back soon"))
		}, tiles, 3, []string{"signing: logging the signature in ", "/tiles: ", "503 back soon"}},
		{"the log of tiles says no", func(f foundry, opts *Keyless) {
			opts.Services = Services{f.Authority(), []Log{{f.Tiles(), 2}}, []string{f.Timestamps()}}
			f.Instead(answering(tiles, 400, "I do not like it"))
		}, tiles, 1, []string{"signing: logging the signature in ", "400 I do not like it"}},
		{"the authority for timestamps is broken", func(f foundry, opts *Keyless) {
			opts.Services.Timestamps = []string{f.Timestamps()}
			f.Instead(answering(stamps, 502, "the clock stopped"))
		}, stamps, 3, []string{"signing: ", "the timestamp authority: it answers 502 Bad Gateway: the clock stopped"}},
		{"the authority for timestamps says no", func(f foundry, opts *Keyless) {
			opts.Services.Timestamps = []string{f.Timestamps()}
			f.Instead(answering(stamps, 403, "not you"))
		}, stamps, 1, []string{"the timestamp authority: it answers 403 Forbidden: not you"}},
		{"the authority for timestamps is not there", func(_ foundry, opts *Keyless) {
			opts.Services.Timestamps = []string{"http://127.0.0.1:1"}
		}, stamps, 0, []string{"the timestamp authority: ", "refused"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, h, p := newFoundry(t), serve(t, true), anImage(t, 1)
			opts := f.keyless(t)
			tc.spoil(f, &opts)
			options := h.options()
			options.Jobs = 1
			if opts.Services.Logs[0].Version == 2 {
				options.Format = Bundle
			}
			signer, err := NewKeylessSigner(context.Background(), opts)
			if err == nil {
				_, err = Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, signer, []string{"v1"}, options)
			}
			if err == nil {
				t.Fatal("it published")
			}
			for _, want := range tc.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("it says %q, and nothing of %q", err, want)
				}
			}
			if opts.Token != nil {
				if token, e := opts.Token(context.Background()); e == nil && strings.Contains(err.Error(), token[:20]) {
					t.Errorf("it tells the token: %v", err)
				}
			}
			asked := 0
			for path, n := range f.Asked() {
				if strings.HasPrefix(path, tc.path) {
					asked += n
				}
			}
			if asked != tc.asked {
				t.Errorf("it asked %d times, want %d", asked, tc.asked)
			}
			_, err = Open(context.Background(), h.refTo(t, ":v1"), believing(t, f.sigstore, f.who), Policy{}, h.options())
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("the tag: %v, want none", err)
			}

			// And when the services are back the work is finished.
			f.Instead(nil)
			p.publish(t, h, f.signer(t, f.keyless(t)), h.options(), "v1")
		})
	}
}

// Whichever request to a service fails, there is no tag, and publishing again
// finishes the work.
func TestPublishKeylessWhereOneRequestFails(t *testing.T) {
	p := anIndex(t, 1)
	for n := 1; ; n++ {
		f, h := newFoundry(t), serve(t, true)
		opts := f.keyless(t)
		opts.Services.Timestamps = []string{f.Timestamps()}
		count, failed := 0, ""
		f.Instead(func(w http.ResponseWriter, r *http.Request) bool {
			if count++; count != n {
				return false
			}
			failed = r.URL.Path
			http.Error(w, "not now", http.StatusForbidden)
			return true
		})
		options := h.options()
		options.Jobs = 1
		signer, err := NewKeylessSigner(context.Background(), opts)
		if err == nil {
			_, err = Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, signer, []string{"v1"}, options)
		}
		if failed == "" {
			// A certificate; of each of three manifests two signatures and an SBOM; the
			// provenance and the report: each with a timestamp.
			if want := 1 + 2*(3*3+2); err != nil || count != want {
				t.Errorf("it took %d requests, want %d: %v", count, want, err)
			}
			return
		}
		if err == nil || !strings.Contains(err.Error(), "not now") {
			t.Errorf("request %d (%s): err is %v", n, failed, err)
		}
		by := believing(t, f.sigstore, f.who)
		if _, err := Open(context.Background(), h.refTo(t, ":v1"), by, Policy{}, h.options()); !errors.Is(err, ErrNotFound) {
			t.Errorf("request %d (%s): the tag: %v, want none", n, failed, err)
		}
		f.Instead(nil)
		again := f.signer(t, opts)
		p.publish(t, h, again, h.options(), "v1")
		want := map[string]counts{"whole": {4, 1, 3}, "image": {3, 1, 2}}
		got := map[string]counts{"whole": h.attached(t, again, p.digest), "image": h.attached(t, again, p.images[0])}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("request %d (%s): attached after publishing again (-want +got):\n%s", n, failed, diff)
		}
	}
}

// What fails once for a passing reason is tried again.
func TestPublishKeylessTriesAgain(t *testing.T) {
	for _, path := range []string{"/fulcio/", "/rekor/", "/tiles/", "/timestamps"} {
		f, h, p := newFoundry(t), serve(t, true), anImage(t, 1)
		opts := f.keyless(t)
		opts.Services.Logs = append(opts.Services.Logs, Log{f.Tiles(), 2})
		opts.Services.Timestamps = []string{f.Timestamps()}
		failures := 0
		f.Instead(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasPrefix(r.URL.Path, path) || failures == 2 {
				return false
			}
			failures++
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		})
		options := h.options()
		options.Jobs = 1
		p.publish(t, h, f.signer(t, opts), options, "v1")
		if failures != 2 {
			t.Errorf("%s failed %d times, want 2", path, failures)
		}
	}
}

// A log of version 1 that took an entry in, and could not say so, gives the one
// that it has.
func TestKeylessLogsWhatIsThere(t *testing.T) {
	f, h, p := newFoundry(t), serve(t, true), anImage(t, 1)
	const entries = "/rekor/api/v1/log/entries"
	f.Instead(breaking(f, entries, 1))
	options := h.options()
	options.Jobs = 1
	p.publish(t, h, f.signer(t, f.keyless(t)), options, "v1")
	asked := f.Asked()
	fetched := 0
	for path, n := range asked {
		if strings.HasPrefix(path, entries+"/") {
			fetched += n
		}
	}
	// Two signatures and three statements; one was tried again, and counts once
	// more for the work that the broken connection hid.
	if fetched != 1 || asked[entries] != 7 {
		t.Errorf("asked %v, want 7 entries and one fetched", asked)
	}
}

func TestNewKeylessSignerRefuses(t *testing.T) {
	f := newFoundry(t)
	for _, tc := range []struct {
		name   string
		change func(opts *Keyless)
		says   string
	}{
		{"no trusted root", func(o *Keyless) { o.Trusted = nil }, "no trusted root"},
		{"no authority", func(o *Keyless) { o.Services.Authority = "" }, "no certificate authority"},
		{"nothing that proves a time", func(o *Keyless) { o.Services.Logs = nil }, "no log and no timestamp authority"},
		{"tiles alone", func(o *Keyless) { o.Services.Logs = []Log{{f.Tiles(), 2}} }, "takes a timestamp authority too"},
		{"a log of the future", func(o *Keyless) { o.Services.Logs[0].Version = 3 }, "known are 1 and 2"},
		{"in the clear", func(o *Keyless) { o.Services.Authority = "http://fulcio.example.com" }, "is asked in the clear"},
		{"a log in the clear", func(o *Keyless) { o.Services.Logs[0].URL = "http://rekor.example.com" }, "is asked in the clear"},
		{"no address", func(o *Keyless) { o.Services.Authority = "fulcio.example.com" }, "is no address of a service"},
		{"a password", func(o *Keyless) { o.Services.Authority = "https://a:b@fulcio.example.com" }, "holds a password"},
		{"another's authority", func(o *Keyless) {
			trusted, err := ParseTrustedRoot(releasetest.New(t).TrustedRoot(t))
			if err != nil {
				t.Fatal(err)
			}
			o.Trusted = trusted
		}, "is of no authority in the trusted root"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opts := f.keyless(t)
			tc.change(&opts)
			if _, err := NewKeylessSigner(context.Background(), opts); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("err is %v, want %q", err, tc.says)
			}
		})
	}
	opts := f.keyless(t)
	opts.Services.Logs, opts.Services.Timestamps = []Log{{f.Tiles(), 2}}, []string{f.Timestamps()}
	h, p := serve(t, true), anImage(t, 1)
	for _, format := range []Format{"", Both, Legacy} {
		options := h.options()
		options.Format = format
		_, err := Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, f.signer(t, opts), nil, options)
		if err == nil || !strings.Contains(err.Error(), "(Rekor v2) gives no promise for the legacy form") {
			t.Errorf("in %q form err is %v", format, err)
		}
		if writes(h.requests()) != nil {
			t.Errorf("in %q form something was pushed", format)
		}
	}
}
