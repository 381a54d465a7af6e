package release

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
)

// opener opens by the signer.
func opener(signer *Signer, policy Policy) Opener {
	return func(ctx context.Context, ref name.Reference, opts Options) (name.Digest, error) {
		r, err := Open(ctx, ref, signer.Verifier(), policy, opts)
		if err != nil {
			return name.Digest{}, err
		}
		return r.Digest, nil
	}
}

// A release is promoted between registries of either kind, and out of a layout,
// with all that belongs to it and no key; promoting again writes nothing.
func TestPromote(t *testing.T) {
	for _, from := range append(kinds[:2:2], struct {
		name      string
		referrers bool
	}{"layout", true}) {
		for _, to := range kinds {
			t.Run(from.name+" to "+to.name, func(t *testing.T) {
				h, there, p, signer := serve(t, from.referrers), serve(t, to.referrers), anIndex(t, 1), newKey(t)
				p.publish(t, h, signer, h.options(), "v1")
				ref, source := h.refTo(t, ":v1"), h.options()
				open := opener(signer, Policy{Format: Both})
				if from.name == "layout" {
					f := newFolder(t)
					shapes[0].write(t, f, h, p)
					shapes[3].write(t, f, h, p)
					l, err := OpenLayout(f.dir, "")
					if err != nil {
						t.Fatal(err)
					}
					defer l.Close()
					if ref, err = l.Image("v1"); err != nil {
						t.Fatal(err)
					}
					source = Options{Layout: l}
				}
				want := h.allAttached(t, signer, p)
				promote := func() {
					t.Helper()
					r, err := Promote(context.Background(), ref, there.repo(t), open, []string{"stable", "v1"}, source, there.options())
					if err != nil {
						t.Fatal(err)
					}
					if want := there.repo(t).Digest(p.digest.String()).String(); r.String() != want {
						t.Errorf("promoted is %s, want %s", r, want)
					}
				}
				promote()
				all := writes(there.requests())
				if diff := cmp.Diff([]request{{http.MethodPut, "manifests/stable"}, {http.MethodPut, "manifests/v1"}}, all[len(all)-2:], asRequests); diff != "" {
					t.Errorf("what was written last (-want +got):\n%s", diff)
				}
				h.Close() // it stands on its own
				for _, tag := range []string{":stable", ":v1"} {
					if _, err := open(context.Background(), there.refTo(t, tag), there.options()); err != nil {
						t.Error(err)
					}
				}
				if diff := cmp.Diff(want, there.allAttached(t, signer, p)); diff != "" {
					t.Errorf("what is attached (-source +target):\n%s", diff)
				}
				if from.name != "layout" {
					return
				}
				there.requests()
				promote()
				if got := writes(there.requests()); len(got) > 0 {
					t.Errorf("promoting again wrote %v", got)
				}
			})
		}
	}
}

// What others signed in the target stays beside what is promoted.
func TestPromoteBesideOthers(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			h, there, p, ours, theirs := serve(t, true), serve(t, kind.referrers), anIndex(t, 1), newKey(t), newKey(t)
			p.publish(t, h, ours, h.options(), "v1")
			p.publish(t, there, theirs, there.options(), "theirs")
			if _, err := Promote(context.Background(), h.refTo(t, ":v1"), there.repo(t), opener(ours, Policy{Format: Both}), []string{"v1"}, h.options(), there.options()); err != nil {
				t.Fatal(err)
			}
			for _, signer := range []*Signer{ours, theirs} {
				if _, err := Open(context.Background(), there.refTo(t, ":v1"), signer.Verifier(), Policy{Format: Both}, there.options()); err != nil {
					t.Error(err)
				}
			}
			want := counts{8, 2, 6}
			if diff := cmp.Diff(want, there.attached(t, ours, p.digest)); diff != "" {
				t.Errorf("what is attached (-want +got):\n%s", diff)
			}
		})
	}
}

// What does not verify is not promoted, and the target hears nothing of it.
func TestPromoteRefuses(t *testing.T) {
	h, there, p := serve(t, true), serve(t, true), anIndex(t, 1)
	p.publish(t, h, newKey(t), h.options(), "v1")
	_, err := Promote(context.Background(), h.refTo(t, ":v1"), there.repo(t), opener(newKey(t), Policy{}), []string{"v1"}, h.options(), there.options())
	if reason(t, err) != Untrusted {
		t.Errorf("err is %v, want %s", err, Untrusted)
	}
	if got := there.requests(); len(got) > 0 {
		t.Errorf("the target was asked for %v", got)
	}
}

// Whichever request to the target fails, no tag there names what does not verify,
// and promoting again finishes the work.
func TestPromoteWhereOneRequestFails(t *testing.T) {
	h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
	p.publish(t, h, signer, h.options(), "v1")
	open := opener(signer, Policy{Format: Both})
	want := h.allAttached(t, signer, p)
	for _, kind := range kinds {
		for _, fault := range faults[:3] {
			t.Run(kind.name+", "+fault.name, func(t *testing.T) {
				failures := 0
				for n := 1; ; n += 5 {
					there := serve(t, kind.referrers)
					opts := there.options()
					opts.Jobs = 1
					var asked atomic.Bool // for the nth time
					there.answer(func(i int, w http.ResponseWriter, r *http.Request) bool {
						if i != n {
							return false
						}
						asked.Store(true)
						fault.answer(there, w, r)
						return true
					})
					promote := func() error {
						_, err := Promote(context.Background(), h.refTo(t, ":v1"), there.repo(t), open, []string{"v1"}, h.options(), opts)
						return err
					}
					err := promote()
					there.answer(nil)
					if err != nil {
						failures++
					}
					if _, notOpen := open(context.Background(), there.refTo(t, ":v1"), there.options()); notOpen != nil && (err == nil || !errors.Is(notOpen, ErrNotFound)) {
						t.Errorf("request %d: promoting says %v, and the tag: %v", n, err, notOpen)
					}
					if err := promote(); err != nil {
						t.Errorf("request %d: promoting again: %v", n, err)
					}
					if diff := cmp.Diff(want, there.allAttached(t, signer, p)); diff != "" {
						t.Errorf("request %d: what is attached (-source +target):\n%s", n, diff)
					}
					there.Close()
					if !asked.Load() {
						break
					}
				}
				if failures == 0 {
					t.Error("no request mattered")
				}
			})
		}
	}
}

func TestPromoteParameters(t *testing.T) {
	h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
	p.publish(t, h, signer, h.options(), "v1")
	h.requests()
	for _, tag := range []string{"", "a/b", referrersTag(p.digest), referrersTag(p.digest) + ".sig"} {
		_, err := Promote(context.Background(), h.refTo(t, ":v1"), h.repo(t), opener(signer, Policy{}), []string{tag}, h.options(), h.options())
		if err == nil || !strings.Contains(err.Error(), "tag") {
			t.Errorf("tag %q: err is %v", tag, err)
		}
	}
	if got := h.requests(); len(got) > 0 {
		t.Errorf("the registry was asked for %v", got)
	}
}

// What another releaser overwrites meanwhile is written again.
func TestPromoteNoticesThatItWasOverwritten(t *testing.T) {
	h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
	p.publish(t, h, signer, h.options(), "v1")
	want := h.attached(t, signer, p.digest)
	for _, suffix := range []string{"", signatureSuffix, attestationSuffix} {
		t.Run(suffix, func(t *testing.T) {
			there := serve(t, false)
			path := "manifests/" + referrersTag(p.digest) + suffix
			overwritten := false
			there.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if overwritten || r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, "/"+path) {
					return false
				}
				overwritten = true
				there.inner.ServeHTTP(w, r)
				there.remove(t, path)
				return true
			})
			if _, err := Promote(context.Background(), h.refTo(t, ":v1"), there.repo(t), opener(signer, Policy{Format: Both}), []string{"v1"}, h.options(), there.options()); err != nil {
				t.Fatal(err)
			}
			if !overwritten {
				t.Fatal("nothing was written under the tag")
			}
			if diff := cmp.Diff(want, there.attached(t, signer, p.digest)); diff != "" {
				t.Errorf("what is attached (-source +target):\n%s", diff)
			}
		})
	}
}
