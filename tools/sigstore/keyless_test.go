package sigstore

import (
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

const (
	who   = "release@shop.test"
	other = "release@shop.test.evil"
)

// A machine is where somebody types commands: temper, and the cosign commands if
// make cosign has built them.
type machine struct {
	dir      string
	env      []string
	commands []string // the folders that hold them
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{dir: t.TempDir()}
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-C", repository, "-o", m.dir, "./pipeline/cmd/temper")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building temper: %v\n%s", err, out)
	}
	m.commands = []string{m.dir, filepath.Join(repository, "bin")}
	// What would leave for elsewhere than loopback ends at a port where nobody is.
	m.env = append(os.Environ(), "TEMPER_CACHE="+t.TempDir(), "HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1", "NO_PROXY=127.0.0.1")
	for file, content := range map[string]string{
		"go.mod":  "module shop.test/orders\n\ngo 1.26\n",
		"main.go": "package main\n\nfunc main() { println(\"orders\") }\n",
	} {
		if err := os.WriteFile(filepath.Join(m.dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, said := m.run(t, "temper", "build", "--platform", "linux/"+runtime.GOARCH, "-o", "out"); code != 0 {
		t.Fatalf("temper build ended with %d:\n%s", code, said)
	}
	return m
}

// find is where a command is, empty if it was not built.
func (m *machine) find(name string) string {
	for _, dir := range m.commands {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// run runs a command to its end.
func (m *machine) run(t *testing.T, name string, args ...string) (code int, out, said string) {
	t.Helper()
	cmd := exec.Command(m.find(name), args...)
	cmd.Dir, cmd.Env = m.dir, m.env
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// token puts an identity token where --identity-token env://TOKEN finds it.
func (m *machine) token(value string) { m.env = append(m.env, "TOKEN="+value) }

// cosign verifies with the real commands, and does not as somebody else.
func (m *machine) cosign(t *testing.T, i *instance, ref, forms string) {
	found := false
	for _, command := range []string{"cosign2", "cosign3"} {
		if m.find(command) == "" {
			continue
		}
		found = true
		for _, as := range []string{who, other} {
			args := []string{"verify", "--allow-insecure-registry", "--insecure-ignore-sct", "--certificate-oidc-issuer", i.URL, "--certificate-identity", as, "--trusted-root", i.path("root.json")}
			if forms == "bundle" {
				args = append(args, "--use-signed-timestamps") // the log of tiles does not say when
			}
			if command == "cosign2" {
				args = append(args, "--new-bundle-format")
			}
			code, _, said := m.run(t, command, append(args, ref)...)
			if (code == 0) != (as == who) {
				t.Errorf("%s verify as %s ended with %d:\n%s", command, as, code, said)
			}
		}
	}
	if !found {
		t.Skip("run make cosign to have this test")
	}
}

// newStranger writes the trusted root of another instance.
func newStranger(t *testing.T) string { return newInstance(t).path("root.json") }

// What Temper signs as an identity, with the real servers of an instance, verifies
// when they are gone, as who it was and nobody else.
func TestKeyless(t *testing.T) {
	i, m := newInstance(t), newMachine(t)
	served := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(served.Close)
	host := strings.TrimPrefix(served.URL, "http://")
	stamp := i.Timestamps + "/api/v1/timestamp"
	instance := []string{"--trusted-root", i.path("root.json")}
	cases := []struct {
		name, repository string
		flags            []string
		forms            string
	}{
		{"a log of tiles", "tiles", []string{"--fulcio-url", i.Fulcio, "--timestamp-url", stamp, "--rekor-url", i.Tiles, "--rekor-version", "2"}, "bundle"},
		{"a log", "log", []string{"--fulcio-url", i.Fulcio, "--rekor-url", i.Log}, "bundle, legacy"},
		{"a log and timestamps", "both", []string{"--fulcio-url", i.Fulcio, "--timestamp-url", stamp, "--rekor-url", i.Log}, "bundle, legacy"},
		{"a signing configuration, for bundles", "config", []string{"--signing-config", i.path("config.json"), "--signature-format", "bundle"}, "bundle"},
		{"a signing configuration, for both forms", "config-both", []string{"--signing-config", i.path("config.json"), "--signature-format", "both"}, "bundle, legacy"},
	}
	m.token(i.token(t, who, "sigstore", time.Minute))
	for _, tc := range cases {
		args := append([]string{"release", "--bare", "--identity-token", "env://TOKEN", "--tag", "v1"}, append(tc.flags, instance...)...)
		if code, out, said := m.run(t, "temper", append(args, "out", host+"/"+tc.repository)...); code != 0 || !strings.HasPrefix(out, host+"/"+tc.repository+"@sha256:") {
			t.Fatalf("%s: temper release ended with %d:\n%s%s", tc.name, code, out, said)
		}
	}

	// The authority says no in its own words, and nothing is pushed.
	for want, token := range map[string]string{
		"expired at ":                     i.token(t, who, "sigstore", -time.Minute),
		"There was an error processing":   i.token(t, who, "another", time.Minute),
		"an error processing the identit": newIssuer(t).token(t, who, "sigstore", time.Minute),
	} {
		m.token(token)
		args := append([]string{"release", "--bare", "--identity-token", "env://TOKEN", "--tag", "v1"}, append(cases[0].flags, instance...)...)
		code, out, said := m.run(t, "temper", append(args, "out", host+"/refused")...)
		if code != 1 || out != "" || !strings.Contains(said, "asking for a certificate") || !strings.Contains(said, want) || strings.Contains(said, token) {
			t.Errorf("want %q: temper release ended with %d:\n%s%s", want, code, out, said)
		}
	}
	code, _, _ := m.run(t, "temper", append([]string{"verify", "--identity", who, "--issuer", i.URL, host + "/refused:v1"}, instance...)...)
	if code == 0 {
		t.Error("what was refused is there")
	}

	i.stop()
	stranger := newStranger(t)
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			ref := host + "/" + tc.repository + ":v1"
			for _, v := range []struct {
				args []string
				code int
				says string
			}{
				{append([]string{"--identity", who, "--issuer", i.URL}, instance...), 0, "signed by   " + who + " (" + tc.forms + ")"},
				{append([]string{"--identity", other, "--issuer", i.URL}, instance...), 3, "is by another signer"},
				{append([]string{"--identity", who, "--issuer", "https://accounts.google.com"}, instance...), 3, "is by another signer"},
				{[]string{"--identity", who, "--issuer", i.URL}, 3, "is untrusted"},
				{[]string{"--identity", who, "--issuer", i.URL, "--trusted-root", stranger}, 3, "is untrusted"},
			} {
				code, out, said := m.run(t, "temper", append(append([]string{"verify"}, v.args...), ref)...)
				if code != v.code || !strings.Contains(said, v.says) || (out != "") != (code == 0) {
					t.Errorf("temper verify %v ended with %d, want %d and %q:\n%s%s", v.args, code, v.code, v.says, out, said)
				}
			}
		})
		t.Run(tc.name+", cosign", func(t *testing.T) { m.cosign(t, i, host+"/"+tc.repository+":v1", tc.forms) })
	}
}
