package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"temper/pipeline/release/releasetest"
)

// doors are the services of the stories that run, by their folders, and proxies
// what counts those who go elsewhere.
var doors, proxies sync.Map

func doorsOf(ts *testscript.TestScript) *releasetest.Services {
	made, ok := doors.Load(ts.Getenv("WORK"))
	if !ok {
		ts.Fatalf("say serve first")
	}
	return made.(*releasetest.Services)
}

// serve: opens the services of the story's instance of Sigstore, and sets
// variables to their addresses.
func serveSigstore(ts *testscript.TestScript, _ bool, _ []string) {
	made, ok := sigstores.Load(ts.Getenv("WORK"))
	if !ok {
		ts.Fatalf("say sigstore FILE first")
	}
	d := made.(*releasetest.Sigstore).Serve(teller{ts: ts})
	ts.Defer(d.Close)
	doors.Store(ts.Getenv("WORK"), d)
	ts.Setenv("FULCIO", d.Authority())
	ts.Setenv("REKOR", d.Log())
	ts.Setenv("TILES", d.Tiles())
	ts.Setenv("TIMESTAMPS", d.Timestamps())
}

// token VARIABLE SUBJECT ISSUER [expired]: sets the variable to an identity token.
func newToken(ts *testscript.TestScript, _ bool, args []string) {
	good := 10 * time.Minute
	if len(args) > 3 {
		good = -good
	}
	ts.Setenv(args[0], doorsOf(ts).Token(teller{ts: ts}, releasetest.Signer{Subject: args[1], Issuer: args[2]}, good))
}

// ci SUBJECT ISSUER: makes the story a job of GitHub Actions.
func actAsCI(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", doorsOf(ts).CI(releasetest.Signer{Subject: args[0], Issuer: args[1]}))
	ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "please")
}

// answers PATH CODE WORDS: a service answers so from now on. Without arguments
// all do their work again.
func answerInstead(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		doorsOf(ts).Instead(nil)
		return
	}
	code, err := strconv.Atoi(args[1])
	ts.Check(err)
	doorsOf(ts).Instead(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, args[0]) {
			return false
		}
		http.Error(w, args[2], code)
		return true
	})
}

// asked PATH N: the service was asked so often since the last time.
func askedServices(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	asked := doorsOf(ts).Asked()
	if asked[args[0]] != want {
		ts.Fatalf("%s was asked %d times, want %d: %v", args[0], asked[args[0]], want, asked)
	}
}

// configure FILE [tiles]: writes the signing configuration of the instance.
func signingConfig(ts *testscript.TestScript, _ bool, args []string) {
	d := doorsOf(ts)
	service := func(url string, version int) map[string]any {
		return map[string]any{"url": url, "majorApiVersion": version, "operator": "story", "validFor": map[string]string{"start": "2020-01-01T00:00:00Z"}}
	}
	logs := []any{service(d.Log(), 1), service(d.Tiles(), 2)}
	if len(args) > 1 {
		logs = logs[1:]
	}
	one := map[string]any{"selector": "ANY"}
	raw, err := json.Marshal(map[string]any{
		"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
		"caUrls":    []any{service(d.Authority(), 1)}, "rekorTlogUrls": logs, "rekorTlogConfig": one,
		"tsaUrls": []any{service(d.Timestamps(), 1)}, "tsaConfig": one,
	})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), raw, 0o644))
}

// offline: what leaves for elsewhere than loopback goes to a proxy from now on,
// which lets nothing through. stayed: nothing left.
func offline(ts *testscript.TestScript, _ bool, _ []string) {
	var asked atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		http.Error(w, "there is no network", http.StatusBadGateway)
	}))
	ts.Defer(proxy.Close)
	proxies.Store(ts.Getenv("WORK"), &asked)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		ts.Setenv(name, proxy.URL)
	}
}

func stayed(ts *testscript.TestScript, neg bool, _ []string) {
	asked, ok := proxies.Load(ts.Getenv("WORK"))
	if !ok {
		ts.Fatalf("say offline first")
	}
	if n := asked.(*atomic.Int64).Load(); (n == 0) == neg {
		ts.Fatalf("%d requests left for elsewhere", n)
	}
}
