package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"dagger.io/dagger"
	"golang.org/x/tools/txtar"
)

// What is tested here runs on a real engine, found as any user's is: by the
// dagger command on PATH and what that knows.

// live tells why there is no engine to test with, empty if there is one.
var live = sync.OnceValue(func() string {
	cli, err := exec.LookPath("dagger")
	if err != nil {
		return "no dagger on PATH: install the dagger CLI v0.21.8 and have an engine to run this test"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	try := func(args ...string) (lastLine string, err error) {
		out, err := exec.CommandContext(ctx, cli, append([]string{"--progress=plain"}, args...)...).CombinedOutput()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return lines[len(lines)-1], err
	}
	if last, err := try("core", "version"); err != nil {
		return "dagger finds no engine, start one to run this test: " + last
	}
	if last, err := try("core", "container", "from", "--address="+DefaultToolchain, "with-exec", "--args=go,version", "stdout"); err != nil {
		return "the engine cannot run " + DefaultToolchain + ", let it pull the image to run this test: " + last
	}
	// The client library would fetch a CLI of its own from the network.
	os.Setenv("_EXPERIMENTAL_DAGGER_CLI_BIN", cli)
	return ""
})

func needEngine(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a test on a live engine takes minutes: run it without -short")
	}
	if why := live(); why != "" {
		t.Skip(why)
	}
}

// sources are a service that is as it should be, one that breaks a rule, and
// one that does not compile. Their Go is that of the default toolchain.
const sources = `
-- good/go.mod --
module example.com/good

go 1.26
-- good/temper.yaml --
go: 1.26.8
services:
  - name: good
-- good/main.go --
package main

func main() { println("good") }
-- careless/go.mod --
module example.com/careless

go 1.26
-- careless/temper.yaml --
go: 1.26.8
platforms: [linux/amd64]
services:
  - name: careless
    files: [{from: files, to: /opt}]
-- careless/main.go --
package main

func main() { println("careless") }
-- careless/files/run --
#!/bin/sh
-- broken/go.mod --
module example.com/broken

go 1.26
-- broken/temper.yaml --
go: 1.26.8
platforms: [linux/amd64]
services:
  - name: broken
-- broken/main.go --
package main

func main() { nothing() }
`

// layDown writes the files of an archive into a folder.
func layDown(t *testing.T, dir, archive string) {
	t.Helper()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// someSources is a new folder with the sources above.
func someSources(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	layDown(t, dir, sources)
	return dir
}

// compiled is the temper command for a system and this machine's architecture,
// which an engine beside it has as well.
func compiled(t *testing.T, goos string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "temper")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, "temper/pipeline/cmd/temper")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compiling temper: %v\n%s", err, out)
	}
	return path
}

// onLaptop builds with the command, here, and returns the digest.
func onLaptop(t *testing.T, command, dir, service string, flags ...string) string {
	t.Helper()
	cmd := exec.Command(command, append([]string{"build", "-C", dir, "-o", t.TempDir()}, flags...)...)
	cmd.Env = append(os.Environ(), "TEMPER_CACHE="+t.TempDir())
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	name, digest, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if name != service {
		t.Fatalf("temper build printed %q", out)
	}
	return digest
}

func TestLivePipeline(t *testing.T) {
	needEngine(t)
	ctx := t.Context()
	dir, command := someSources(t), compiled(t, "linux")
	log := new(written)
	client, err := dagger.Connect(ctx, dagger.WithLogOutput(log))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	of := func(name string) *Pipeline {
		return New(client, client.Host().Directory(filepath.Join(dir, name)), Options{
			Temper: client.Host().File(command), Repository: "live-test",
		})
	}

	// The digest is the laptop's.
	p := of("good")
	layout, err := p.Layout(ctx, "good")
	if err != nil {
		t.Fatal(err)
	}
	digests, err := p.Digests(ctx, layout)
	if err != nil {
		t.Fatal(err)
	}
	here := command
	if runtime.GOOS != "linux" {
		here = compiled(t, runtime.GOOS)
	}
	want := onLaptop(t, here, filepath.Join(dir, "good"), "good")
	if digests["good"] != want {
		t.Errorf("the digest on the engine is %s, on this machine %s", digests["good"], want)
	}
	if _, err := p.Check(ctx, layout); err != nil {
		t.Errorf("Check of a good image: %v", err)
	}

	// Signed, published and verified, in a registry that the engine runs.
	registry, err := p.RegistryService()
	if err != nil {
		t.Fatal(err)
	}
	if registry.Service, err = registry.Service.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer registry.Service.Stop(context.WithoutCancel(ctx))
	const password = "the password that nobody may see"
	protect := client.SetSecret("live-test-password", password)
	keys, err := p.Keygen(protect)
	if err != nil {
		t.Fatal(err)
	}
	private, err := keys.File("cosign.key").Contents(ctx)
	if err != nil {
		t.Fatal(err)
	}
	key := Key{client.SetSecret("live-test-key", private), protect}
	refs, err := p.Release(ctx, layout, "registry:5000/live", Publishing{Key: key, Tags: []string{"v1"}, Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	if want := "registry:5000/live/good@" + want; len(refs) != 1 || refs[0] != want {
		t.Errorf("Release = %q, want %q", refs, want)
	}
	public, err := keys.File("cosign.pub").Contents(ctx)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name, content string) *dagger.File {
		return client.Directory().WithNewFile(name, content).File(name)
	}
	answer, err := p.Verify(ctx, []string{"registry:5000/live/good:v1"}, Trust{Key: file("cosign.pub", public)}, registry)
	if err != nil {
		t.Fatal(err)
	}
	// No secret is in what the steps said, in what was exported, or in an error.
	exported := t.TempDir()
	if _, err := layout.Export(ctx, exported); err != nil {
		t.Fatal(err)
	}
	wrong := Key{key.Private, client.SetSecret("live-test-wrong", "the wrong one, which nobody may see either")}
	_, refused := p.Release(ctx, layout, "registry:5000/live", Publishing{Key: wrong, Registry: registry})
	if refused == nil || !strings.Contains(refused.Error(), "password") {
		t.Errorf("Release with the wrong password: %v, want it to say so", refused)
	}
	body := strings.Split(private, "\n")[1] // a line of the key itself
	for where, text := range map[string]string{"the log": log.String(), "an error": fmt.Sprint(refused), "a layout": everything(t, exported)} {
		for _, secret := range []string{password, "which nobody may see either", body} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows a secret: %q", where, secret)
			}
		}
	}
	if !strings.Contains(log.String(), "temper") {
		t.Error("the log is not that of the steps, so that nothing can be told by it")
	}

	var verified struct{ Answers []struct{ Verified bool } }
	if err := json.Unmarshal([]byte(answer), &verified); err != nil || len(verified.Answers) != 1 || !verified.Answers[0].Verified {
		t.Errorf("Verify = %s, %v", answer, err)
	}
	policy := client.Directory().WithNewFile("cosign.pub", public)
	asked := "signers: [{key: cosign.pub}]\nservices: [good]\nrules: [images]\n"
	if answer, err := p.Verify(ctx, []string{"registry:5000/live/good:v1"}, Trust{Policy: policy.WithNewFile(PolicyName, asked), Recheck: true}, registry); err != nil || !strings.Contains(answer, `"rechecked": `) {
		t.Errorf("Verify by a policy = %s, %v", answer, err)
	}
	other := policy.WithNewFile(PolicyName, strings.Replace(asked, "good", "another", 1))
	if _, err := p.Verify(ctx, []string{"registry:5000/live/good:v1"}, Trust{Policy: other}, registry); err == nil || !strings.Contains(err.Error(), `it is the service "good", and the policy wants another`) {
		t.Errorf("Verify by a policy that wants another service: %v", err)
	}
	others, err := p.Keygen(nil)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := others.File("cosign.pub").Contents(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var no *NoError
	if _, err := p.Verify(ctx, refs, Trust{Key: file("cosign.pub", stranger)}, registry); !errors.As(err, &no) || !strings.Contains(err.Error(), "untrusted") {
		t.Errorf("Verify with another key: %v, want a NoError: untrusted", err)
	}

	// What is wrong is said as on a laptop.
	if _, err := of("careless").Layout(ctx, "careless"); !errors.As(err, &no) || !strings.Contains(err.Error(), "only-executable") {
		t.Errorf("Layout of a careless service: %v, want a NoError with the finding", err)
	}
	if _, err := of("broken").Layout(ctx, "broken"); err == nil || errors.As(err, &no) || !strings.Contains(err.Error(), "main.go:3:15: undefined: nothing") {
		t.Errorf("Layout of a broken service: %v, want the compiler's words", err)
	}
}

// written is what a client logs, from many goroutines.
type written struct {
	mu sync.Mutex
	b  strings.Builder
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// everything is the content of all files of a folder.
func everything(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		all.Write(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
