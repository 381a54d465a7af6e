package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"

	"temper/pipeline/release"
)

// A deadly registry kills whoever asks for the nth time, on its way in or out.
type deadly struct {
	inner  http.Handler
	asked  atomic.Int64
	n      int64
	before bool
	mu     sync.Mutex
	victim *os.Process
}

func (d *deadly) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.asked.Add(1) != d.n {
		d.inner.ServeHTTP(w, r)
		return
	}
	if !d.before {
		d.inner.ServeHTTP(httptest.NewRecorder(), r)
	}
	d.mu.Lock()
	d.victim.Kill()
	d.mu.Unlock()
	panic(http.ErrAbortHandler)
}

// killed KEY COMMAND...: runs a command that releases to HOST/killed:v1 with a
// registry of its own, and kills it, each time at a later request, until it lives
// to its end. Every time the tag names nothing or what verifies, and running the
// command again finishes the work, as if nothing had been.
func killed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: killed KEY COMMAND...")
	}
	by, err := release.LoadVerifier(context.Background(), ts.MkAbs(args[0]))
	ts.Check(err)
	for _, referrers := range []bool{true, false} {
		var want tally
		deaths := 0
		for n := int64(0); ; n += 13 { // the first lives
			d := &deadly{n: n, before: n%2 == 0,
				inner: registry.New(registry.WithReferrersSupport(referrers), registry.Logger(log.New(io.Discard, "", 0)))}
			server := httptest.NewUnstartedServer(d)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.Start()
			host := strings.TrimPrefix(server.URL, "http://")
			tag, err := name.NewTag(host + "/killed:v1")
			ts.Check(err)

			out, died := d.run(ts, host, args[1:])
			if died {
				deaths++
				if _, err := release.Open(context.Background(), tag, by, release.Policy{}, release.Options{}); err != nil && !errors.Is(err, release.ErrNotFound) {
					ts.Fatalf("killed at request %d, the tag names what does not verify: %v", n, err)
				}
				out, died = d.run(ts, host, args[1:])
			}
			if died || out != "" {
				ts.Fatalf("after it was killed at request %d it cannot be finished:\n%s", n, out)
			}
			if _, err := release.Open(context.Background(), tag, by, release.Policy{Format: release.Both}, release.Options{}); err != nil {
				ts.Fatalf("killed at request %d and finished: %v", n, err)
			}
			got := tallyOf(ts, tag)
			server.Close()
			if n == 0 {
				want = got
			} else if diff := cmp.Diff(want, got); diff != "" {
				ts.Fatalf("killed at request %d and finished (-want +got):\n%s", n, diff)
			}
			if n > d.asked.Load() { // it lived
				break
			}
		}
		if deaths < 6 {
			ts.Fatalf("it was killed %d times", deaths)
		}
		ts.Logf("with referrers API %v it was killed %d times", referrers, deaths)
	}
}

// run runs the command, and tells what it said if it could not, and whether it
// was killed.
func (d *deadly) run(ts *testscript.TestScript, host string, args []string) (said string, died bool) {
	path, err := exec.LookPath(args[0]) // testscript.Main put it there
	ts.Check(err)
	cmd := exec.Command(path)
	for _, arg := range args[1:] {
		cmd.Args = append(cmd.Args, strings.ReplaceAll(arg, "HOST", host))
	}
	cmd.Dir = ts.Getenv("WORK")
	for _, key := range []string{"PATH", "HOME", "COSIGN_PASSWORD", "TEMPER_CACHE", "TMPDIR", "GOCACHE"} {
		cmd.Env = append(cmd.Env, key+"="+ts.Getenv(key))
	}
	var out strings.Builder
	cmd.Stderr = &out
	d.mu.Lock() // it may ask before we know whom to kill
	err = cmd.Start()
	d.victim = cmd.Process
	d.mu.Unlock()
	ts.Check(err)
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == -1 {
		return out.String(), true
	}
	if err != nil {
		return fmt.Sprintf("%v\n%s", err, out.String()), false
	}
	return "", false
}

// A tally counts what belongs to an image.
type tally struct {
	Tags []string
	// Layers of the tags, and referrers.
	Layers, Referrers int
}

func tallyOf(ts *testscript.TestScript, tag name.Tag) tally {
	var all tally
	var err error
	all.Tags, err = remote.List(tag.Context())
	ts.Check(err)
	for _, one := range all.Tags {
		desc, err := remote.Get(tag.Context().Tag(one))
		ts.Check(err)
		if desc.MediaType.IsIndex() {
			continue // the list of what refers to it
		}
		img, err := desc.Image()
		ts.Check(err)
		m, err := img.Manifest()
		ts.Check(err)
		all.Layers += len(m.Layers)
	}
	desc, err := remote.Head(tag)
	ts.Check(err)
	list, err := remote.Referrers(tag.Context().Digest(desc.Digest.String()))
	ts.Check(err)
	m, err := list.IndexManifest()
	ts.Check(err)
	all.Referrers = len(m.Manifests)
	return all
}
