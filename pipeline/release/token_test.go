package release

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// jwt is a token with that in its middle.
func jwt(middle string) string {
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(middle)) + ".c2ln"
}

func TestTokenIn(t *testing.T) {
	dir := t.TempDir()
	token := jwt(`{"sub":"me","exp":1}`)
	file := filepath.Join(dir, "token")
	for name, content := range map[string]string{
		"token": token + "\n", "text": "hello", "two": "a.b", "binary": "a.!!.c", "array": "a.WzFd.c", "large": strings.Repeat("a", maxToken+1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("TOKEN", " "+token+"\n")
	t.Setenv("EMPTY", "")
	t.Setenv("TEXT", "hello")
	for _, tc := range []struct{ ref, err string }{
		{file, ""},
		{"env://TOKEN", ""},
		{"env://EMPTY", "the environment has no EMPTY"},
		{"env://NOWHERE", "the environment has no NOWHERE"},
		{"env://TEXT", "env://TEXT is no identity token (a JWT): it has 1 parts, not 3"},
		{"env://", "is empty"},
		{"", "is empty"},
		{"https://a.example/token", "an identity token is in a file or in env://NAME"},
		{filepath.Join(dir, "nowhere"), "there is no file"},
		{filepath.Join(dir, "text"), "no identity token (a JWT)"},
		{filepath.Join(dir, "two"), "it has 2 parts, not 3"},
		{filepath.Join(dir, "binary"), "its middle is not base64"},
		{filepath.Join(dir, "array"), "its middle is not JSON"},
		{filepath.Join(dir, "large"), "too large"},
		{dir, "reading identity token"},
		{token, ErrToken.Error()},
		{" " + token + "\n", ErrToken.Error()},
	} {
		source, err := TokenIn(tc.ref)
		var got string
		if err == nil {
			got, err = source(context.Background())
		}
		switch {
		case tc.err == "" && (err != nil || got != token):
			t.Errorf("%s: %q, %v", tc.ref, got, err)
		case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
			t.Errorf("%s: err is %v, want %q", tc.ref, err, tc.err)
		case err != nil && strings.Contains(err.Error(), "eyJ"):
			t.Errorf("it tells the token: %v", err)
		}
	}
}

// A file is read each time: whoever put the token there may renew it.
func TestTokenInAFileIsReadAgain(t *testing.T) {
	file := write(t, "token", []byte(jwt(`{"sub":"one"}`)))
	source, err := TokenIn(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"two", "three"} {
		want := jwt(`{"sub":"` + who + `"}`)
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := source(context.Background()); got != want || err != nil {
			t.Errorf("it is %q, %v, want %q", got, err, want)
		}
	}
}

func TestClaimed(t *testing.T) {
	for middle, want := range map[string]time.Time{
		`{"exp":1700000000}`:   time.Unix(1700000000, 0).UTC(),
		`{"exp":1700000000.5}`: time.Unix(1700000000, 0).UTC(),
		`{}`:                   {},
	} {
		if got, err := claimed(jwt(middle)); err != nil || !got.Equal(want) {
			t.Errorf("%s expires at %s, %v, want %s", middle, got, err, want)
		}
	}
}

// What a CI system gives is found by itself: GitHub's way, and the variable that
// GitLab and others set.
func TestAmbientToken(t *testing.T) {
	f := newFoundry(t)
	for _, name := range []string{"ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "SIGSTORE_ID_TOKEN"} {
		t.Setenv(name, "") // so that it is restored
		os.Unsetenv(name)
	}
	ctx := context.Background()
	if AmbientToken(ctx) != nil {
		t.Error("there is a token where there is none")
	}
	who := func() Identity {
		t.Helper()
		opts := f.keyless(t)
		if opts.Token = AmbientToken(ctx); opts.Token == nil {
			t.Fatal("there is no token")
		}
		return f.signer(t, opts).Verifier().Identity()
	}
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f.CI(workflow))
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "please")
	t.Setenv("SIGSTORE_ID_TOKEN", "")
	if got := who(); got.Subject != workflow.Subject {
		t.Errorf("it is %s, want %s", got, workflow.Subject)
	}
	t.Setenv("SIGSTORE_ID_TOKEN", f.Token(t, distroless, time.Minute))
	if got := who(); got.Subject != distroless.Subject {
		t.Errorf("it is %s, want %s", got, distroless.Subject)
	}
	t.Setenv("SIGSTORE_ID_TOKEN", "")
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "now")
	if _, err := AmbientToken(ctx)(ctx); err == nil || !strings.Contains(err.Error(), "asking the CI system for an identity token: it gave none") {
		t.Errorf("err is %v", err)
	}
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
	t.Setenv("SIGSTORE_ID_TOKEN", "nothing")
	if _, err := AmbientToken(ctx)(ctx); err == nil || !strings.Contains(err.Error(), "what the CI system gave (envvar) is no identity token") {
		t.Errorf("err is %v", err)
	}
}

// Interrupted, it does not wait for a service that does not answer.
func TestNewKeylessSignerIsInterrupted(t *testing.T) {
	f := newFoundry(t)
	ctx, stop := context.WithCancelCause(context.Background())
	enough := errors.New("enough")
	done := make(chan struct{})
	defer close(done)
	f.Instead(func(http.ResponseWriter, *http.Request) bool {
		stop(enough)
		<-done
		return true
	})
	if _, err := NewKeylessSigner(ctx, f.keyless(t)); err == nil || !strings.Contains(err.Error(), "enough") && !strings.Contains(err.Error(), "canceled") {
		t.Errorf("err is %v", err)
	}
}
