package engine

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The module, as "dagger call" has it, from the folder of another repository: it
// builds that one and never its own.

// repository makes the folder one of git's, with the temper command in a place
// that is no part of its sources.
func repository(t *testing.T, dir, command string) {
	t.Helper()
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v\n%s", err, out)
	}
	raw, err := os.ReadFile(command)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, ".temper"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".temper", "temper"), raw, 0o777); err != nil {
		t.Fatal(err)
	}
}

// runDagger returns what the CLI prints, in a folder.
func runDagger(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("dagger", append([]string{"--progress=plain"}, args...)...)
	cmd.Dir = dir
	cmd.Stderr = new(strings.Builder)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("dagger %s: %v\n%s", strings.Join(args, " "), err, cmd.Stderr)
	}
	return strings.TrimSpace(string(out))
}

// ownModule is the folder of this module's repository.
func ownModule(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLiveModule(t *testing.T) {
	needEngine(t)
	dir, command := filepath.Join(someSources(t), "good"), compiled(t, "linux")
	repository(t, dir, command)
	call := func(args ...string) string {
		t.Helper()
		return runDagger(t, dir, append([]string{"-m", ownModule(t), "call", "--command=.temper/temper"}, args...)...)
	}
	if got := call("services"); got != "good" {
		t.Errorf("services = %q, want good", got)
	}
	here := command
	if runtime.GOOS != "linux" {
		here = compiled(t, runtime.GOOS)
	}
	want := onLaptop(t, here, dir, "good")
	if got := call("service", "--name=good", "image", "digest"); got != want {
		t.Errorf("the digest on the engine is %s, on this machine %s", got, want)
	}
	tagged := onLaptop(t, here, dir, "good", "--build-tag", "extra", "--platform", "linux/amd64")
	if got := call("--build-tags=extra", "service", "--name=good", "image", "--platforms=linux/amd64", "digest"); got != tagged {
		t.Errorf("with a build tag the digest on the engine is %s, on this machine %s", got, tagged)
	}
	var report struct {
		Reports []struct{ Findings []any }
	}
	if text := call("service", "--name=good", "image", "report"); json.Unmarshal([]byte(text), &report) != nil || len(report.Reports) != 1 || len(report.Reports[0].Findings) != 0 {
		t.Errorf("report = %s", text)
	}
	call("check")
}

// Installed as a dependency or as a toolchain, from a copy in the repository
// itself.
func TestLiveModuleInstalled(t *testing.T) {
	needEngine(t)
	command := compiled(t, "linux")
	for _, tc := range []struct {
		how      string
		install  []string
		services []string
		digest   []string
	}{
		{
			"dependency", []string{"install", "./third_party/temper"},
			[]string{"-c", "temper --command ./.temper/temper | services"},
			[]string{"-c", "temper --command ./.temper/temper | service good | image --platforms linux/amd64 | digest"},
		},
		{
			"toolchain", []string{"toolchain", "install", "./third_party/temper"},
			[]string{"call", "temper", "--command=.temper/temper", "services"},
			[]string{"call", "temper", "--command=.temper/temper", "service", "--name=good", "image", "--platforms=linux/amd64", "digest"},
		},
	} {
		t.Run(tc.how, func(t *testing.T) {
			dir := filepath.Join(someSources(t), "good")
			repository(t, dir, command)
			for _, name := range []string{"go.mod", "go.sum", "dagger.json", "checks", "pipeline"} {
				place(t, filepath.Join(ownModule(t), name), filepath.Join(dir, "third_party", "temper", name))
			}
			runDagger(t, dir, "init", "--name=good")
			runDagger(t, dir, tc.install...)
			if got := runDagger(t, dir, tc.services...); got != "good" {
				t.Errorf("services = %q, want good", got)
			}
			here := command
			if runtime.GOOS != "linux" {
				here = compiled(t, runtime.GOOS)
			}
			want := onLaptop(t, here, dir, "good", "--platform", "linux/amd64")
			got := runDagger(t, dir, tc.digest...)
			if got != want {
				t.Errorf("the digest on the engine is %s, on this machine %s", got, want)
			}
		})
	}
}

// place copies a file or a folder.
func place(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		t.Fatal(err)
	}
	if info.IsDir() {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		return
	}
	raw, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, raw, 0o666); err != nil {
		t.Fatal(err)
	}
}
