package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dagger.io/dagger"
	"github.com/google/go-cmp/cmp"

	"temper/pipeline/engine"
)

func TestWhatIsMissingIsSaid(t *testing.T) {
	here, key := t.TempDir(), filepath.Join(t.TempDir(), "cosign.pub")
	if err := os.WriteFile(key, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		settings settings
		env      []string
		want     string // in the error; empty if there is none
	}{
		"nothing":              {want: "-temper"},
		"a build":              {settings: settings{temper: here}},
		"nowhere to":           {settings: settings{temper: here, release: "v1"}, want: "-to"},
		"no key":               {settings: settings{temper: here, release: "v1", to: "a/b"}, want: "COSIGN_KEY"},
		"no password":          {settings: settings{temper: here, release: "v1", to: "a/b"}, env: []string{"COSIGN_KEY"}, want: "COSIGN_PASSWORD"},
		"nothing to verify by": {settings: settings{temper: here, release: "v1", to: "a/b", publicKey: here + "/none"}, env: []string{"COSIGN_KEY", "COSIGN_PASSWORD"}, want: "-key"},
		"a release":            {settings: settings{temper: here, release: "v1", to: "a/b", publicKey: key}, env: []string{"COSIGN_KEY", "COSIGN_PASSWORD"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, name := range []string{"COSIGN_KEY", "COSIGN_PASSWORD"} {
				t.Setenv(name, "") // puts back what was there
				os.Unsetenv(name)
			}
			for _, name := range test.env {
				t.Setenv(name, "")
			}
			err := test.settings.check()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("check = %v, want %q", err, test.want)
			}
		})
	}
}

// The whole way on a live engine, found as any user's is.
func TestLive(t *testing.T) {
	cli := needEngine(t)
	t.Setenv("_EXPERIMENTAL_DAGGER_CLI_BIN", cli) // the library would fetch one
	dir := t.TempDir()
	command := filepath.Join(dir, "temper")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", command, "temper/pipeline/cmd/temper")
	build.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("compiling temper: %v\n%s", err, out)
	}
	for name, content := range map[string]string{
		"good/go.mod":          "module example.com/good\n\ngo 1.26\n",
		"good/temper.yaml":     "go: 1.26.8\nplatforms: [linux/amd64]\nservices:\n  - name: left\n  - name: right\n",
		"good/main.go":         "package main\n\nfunc main() { println(\"good\") }\n",
		"careless/go.mod":      "module example.com/careless\n\ngo 1.26\n",
		"careless/temper.yaml": "go: 1.26.8\nplatforms: [linux/amd64]\nservices:\n  - name: careless\n    files: [{from: files, to: /opt}]\n",
		"careless/main.go":     "package main\n\nfunc main() {}\n",
		"careless/files/run":   "#!/bin/sh\n",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()

	// What reads the environment starts with a client, so the keys are made first.
	good := settings{dir: filepath.Join(dir, "good"), temper: command}
	public := filepath.Join(dir, "cosign.pub")
	keys(t, good, public)
	client := connect(t)

	lines, err := pipeline(ctx, client, good, engine.Registry{})
	if err != nil {
		t.Fatal(err)
	}
	left, digest, _ := strings.Cut(lines[0], " ")
	if left != "left" || !strings.HasPrefix(digest, "sha256:") || len(lines) != 2 {
		t.Errorf("a build printed %q", lines)
	}

	good.release, good.to, good.publicKey = "v1", "registry:5000/shop", public
	var want []string
	for _, line := range lines {
		want = append(want, "registry:5000/shop/"+strings.Replace(line, " ", "@", 1))
	}
	p, err := good.pipeline(client)
	if err != nil {
		t.Fatal(err)
	}
	registry, err := p.RegistryService() // on the engine
	if err != nil {
		t.Fatal(err)
	}
	if registry.Service, err = registry.Service.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer registry.Service.Stop(context.WithoutCancel(ctx))
	refs, err := pipeline(ctx, client, good, registry)
	if diff := cmp.Diff(want, refs); err != nil || diff != "" {
		t.Errorf("a release: %v (-want +got)\n%s", err, diff)
	}

	var no *engine.NoError
	careless := settings{dir: filepath.Join(dir, "careless"), temper: command}
	if lines, err := pipeline(ctx, client, careless, engine.Registry{}); !errors.As(err, &no) || !strings.Contains(err.Error(), "only-executable") {
		t.Errorf("a careless service: %q, %v, want a NoError with the finding", lines, err)
	}
}

// keys puts a new pair where a release looks for it.
func keys(t *testing.T, s settings, public string) {
	t.Helper()
	client := connect(t)
	defer client.Close()
	p, err := s.pipeline(client)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := p.Keygen(client.SetSecret("ci-test-password", "for the test alone"))
	if err != nil {
		t.Fatal(err)
	}
	private, err := pair.File("cosign.key").Contents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pair.File("cosign.pub").Export(t.Context(), public); err != nil {
		t.Fatal(err)
	}
	t.Setenv("COSIGN_KEY", private)
	t.Setenv("COSIGN_PASSWORD", "for the test alone")
}

func connect(t *testing.T) *dagger.Client {
	t.Helper()
	client, err := dagger.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// needEngine is the dagger command, if that finds an engine which can compile.
func needEngine(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a test on a live engine takes minutes: run it without -short")
	}
	cli, err := exec.LookPath("dagger")
	if err != nil {
		t.Skip("no dagger on PATH: install the dagger CLI v0.21.8 and have an engine to run this test")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, cli, "--progress=plain", "core", "container", "from", "--address="+engine.DefaultToolchain, "with-exec", "--args=go,version", "stdout").CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Skip("dagger finds no engine that can run " + engine.DefaultToolchain + ", start one to run this test: " + lines[len(lines)-1])
	}
	return cli
}
