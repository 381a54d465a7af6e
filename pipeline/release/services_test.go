package release

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLoadServices(t *testing.T) {
	s := Services{"https://fulcio.example.com", []Log{{"https://one.example.com", 1}, {"https://two.example.com", 2}}, []string{"https://stamp.example.com/ts"}}
	file := write(t, "config.json", signingConfig(t, s))
	for format, log := range map[Format]Log{Both: s.Logs[0], Legacy: s.Logs[0], "": s.Logs[0], Bundle: s.Logs[1]} {
		got, err := LoadServices(file, format)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Services{s.Authority, []Log{log}, s.Timestamps}, got); diff != "" {
			t.Errorf("in %q form (-want +got):\n%s", format, diff)
		}
	}
	s.Logs = s.Logs[1:]
	got, err := LoadServices(write(t, "config.json", signingConfig(t, s)), Both)
	if diff := cmp.Diff(s, got); err != nil || diff != "" {
		t.Errorf("tiles alone: %v (-want +got):\n%s", err, diff)
	}
	s.Logs = nil
	got, err = LoadServices(write(t, "config.json", signingConfig(t, s)), Both)
	if diff := cmp.Diff(s, got); err != nil || diff != "" {
		t.Errorf("timestamps alone: %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(Services{"https://fulcio.sigstore.dev", []Log{{"https://rekor.sigstore.dev", 1}}, nil}, PublicGoodServices()); diff != "" {
		t.Errorf("the public instance (-want +got):\n%s", diff)
	}
}

func TestLoadServicesRefuses(t *testing.T) {
	good := string(signingConfig(t, Services{"https://fulcio.example.com", []Log{{"https://one.example.com", 1}}, []string{"https://stamp.example.com"}}))
	for _, tc := range []struct{ name, content, want string }{
		{"no JSON", "hello", "is no signing configuration"},
		{"of another kind", `{"mediaType":"application/json"}`, "is no signing configuration"},
		{"no authority", strings.Replace(good, "caUrls", "oidcUrls", 1), "certificate authorities: no matching service"},
		{"a log of the future", strings.Replace(good, `"majorApiVersion":1,"operator":"test","url":"https://one`, `"majorApiVersion":3,"operator":"test","url":"https://one`, 1), "logs of signatures: no matching services"},
		{"a stamp of the future", strings.Replace(good, `"majorApiVersion":1,"operator":"test","url":"https://stamp`, `"majorApiVersion":3,"operator":"test","url":"https://stamp`, 1), "timestamp authorities: no matching services"},
		{"not yet", strings.ReplaceAll(good, "2020", fmt.Sprint(time.Now().Year()+2)), "no matching service"},
		{"large", strings.Repeat(" ", maxSigningConfig+1), "too large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := LoadServices(write(t, "config.json", []byte(tc.content)), Both); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("err is %v, want %q", err, tc.want)
			}
		})
	}
	if _, err := LoadServices("nowhere.json", Both); err == nil || !strings.Contains(err.Error(), "there is no signing configuration nowhere.json") {
		t.Errorf("err is %v", err)
	}
}

// A token is told to nobody in the clear, but on this machine, and where whoever
// releases says so.
func TestSecure(t *testing.T) {
	for address, want := range map[string]bool{
		"https://fulcio.example.com":     true,
		"https://fulcio.example.com/api": true,
		"http://127.0.0.1:5555":          true,
		"http://[::1]:5555":              true,
		"http://localhost:5555/fulcio":   true,
		"http://fulcio.internal:5555":    true,
		"http://fulcio.internal":         false,
		"http://fulcio.example.com":      false,
		"http://10.0.0.1":                false,
		"http://localhost.example.com":   false,
		"ftp://fulcio.example.com":       false,
		"https://":                       false,
		"fulcio.example.com":             false,
		"https://me:secret@a.example":    false,
	} {
		err := secure(address, []string{"fulcio.internal:5555"})
		if (err == nil) != want {
			t.Errorf("%s: %v, want %v", address, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("it tells the password: %v", err)
		}
	}
}
