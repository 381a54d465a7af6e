package engine

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"dagger.io/dagger"
)

// The module, as "dagger call" has it, with all that it may be given in place of
// what it pulls, and a login for the proxy of modules.
func TestLiveModuleAccess(t *testing.T) {
	needEngine(t)
	ctx := t.Context()
	c := newCorp(t)
	dir, command, base := consumer(t, proxied(t, c.files, "corp.test/lib")), compiled(t, "linux"), ownBase(t)
	client, err := dagger.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	toolchain := filepath.Join(t.TempDir(), "toolchain.tar")
	if _, err := c.toolchain(client).AsTarball().Export(ctx, toolchain); err != nil {
		t.Fatal(err)
	}
	at := c.https.Addr().(*net.TCPAddr)
	login := filepath.Join(t.TempDir(), "netrc")
	write(t, login, fmt.Sprintf("machine %s:%d login %s password %s\n", GoProxyHost, at.Port, robot, robotPassword))
	module, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	call := func(args ...string) (out, log string, err error) {
		cmd := exec.Command("dagger", append([]string{"-m", module, "--progress=plain", "call",
			"--source=" + dir, "--command=" + command, "--toolchain-tarball=" + toolchain, "--base-tarball=" + archive(t, base),
			"--go-proxy-service=tcp://" + at.String(), fmt.Sprintf("--go-proxy=https://%s:%d", GoProxyHost, at.Port),
		}, args...)...)
		cmd.Dir = t.TempDir()
		var said strings.Builder
		cmd.Stderr = &said
		raw, err := cmd.Output()
		return strings.TrimSpace(string(raw)), said.String(), err
	}

	_, refused, err := call("services")
	if err == nil || !strings.Contains(refused, "401 Unauthorized") || !strings.Contains(refused, "hint: a module that is not public") {
		t.Errorf("without a login: %v, and it says\n%s", err, refused)
	}
	got, log, err := call("--netrc=file:"+login, "service", "--name=consumer", "image", "digest")
	if err != nil {
		t.Fatalf("with a login: %v\n%s", err, log)
	}
	here := command
	if runtime.GOOS != "linux" {
		here = compiled(t, runtime.GOOS)
	}
	if want := onLaptopThrough(t, "file://"+filepath.ToSlash(c.files), here, dir, "consumer", "--base", base); got != want {
		t.Errorf("the digest on the engine is %s, on this machine %s", got, want)
	}
	if c.asked.Load() == 0 {
		t.Error("the proxy of modules was not asked with the login")
	}
	for where, text := range map[string]string{"the log": log, "the log without a login": refused} {
		if strings.Contains(text, robotPassword) {
			t.Errorf("%s shows the password", where)
		}
	}
}
