package binary

import (
	"os/exec"
	"slices"
	"testing"
)

// Git is configured by variables where there is no file to write: they reach it
// whole when modules are fetched, and with them who vouches for its hosts.
func TestFetchingPassesGitsConfiguration(t *testing.T) {
	t.Setenv("GIT_CONFIG_COUNT", "2")
	t.Setenv("GIT_CONFIG_KEY_0", "url.ssh://git@git.example.com/.insteadOf")
	t.Setenv("GIT_CONFIG_VALUE_0", "https://git.example.com/")
	t.Setenv("GIT_CONFIG_KEY_1", "http.sslBackend")
	t.Setenv("GIT_CONFIG_VALUE_1", "openssl")
	t.Setenv("GIT_SSL_CAINFO", "/etc/ssl/corp.pem")
	t.Setenv("GIT_CONFIG_KEY_X", "no number")
	env := fetching("auto")
	cmd := exec.Command("git", "config", "--get-regexp", "^(url|http)\\.")
	cmd.Dir = t.TempDir()
	cmd.Env = append(env, "GIT_CONFIG_GLOBAL=", "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	want := "url.ssh://git@git.example.com/.insteadof https://git.example.com/\nhttp.sslbackend openssl\n"
	if err != nil || string(out) != want {
		t.Errorf("git has %q, %v; want %q", out, err, want)
	}
	if !slices.Contains(env, "GIT_SSL_CAINFO=/etc/ssl/corp.pem") {
		t.Error("Git is not told who vouches for its hosts")
	}
	if slices.Contains(env, "GIT_CONFIG_KEY_X=no number") {
		t.Error("what Git does not know is passed on")
	}
}

// Compilers collect garbage less often than Go has them do, unless somebody says how often.
func TestPatience(t *testing.T) {
	_, svc := write(t, folder(t), hello)
	for set, want := range map[string]string{"": "GOGC=400", "75": "GOGC=75"} {
		t.Setenv("GOGC", set)
		if env := compiling(svc, amd64, &Toolchain{}, cacheDir(t.TempDir())); !slices.Contains(env, want) {
			t.Errorf("with GOGC=%q the environment has no %s: %q", set, want, env)
		}
	}
}
