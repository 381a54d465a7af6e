// Command bench builds the examples with Temper and with ko, in one run on the
// same sources, and prints how long each took and the ratio.
//
// Temper does more in the same time: it checks the images, writes SBOM and
// provenance, and keeps a build cache for each service. ko is at its fastest
// here: one call for all services, with KOCACHE, one build cache for all of them,
// a layout on disk and nothing pushed. With -six it generates services with the
// dependencies that typical ones have, in place of the examples, and with -repository it
// takes those of any repository. Times are medians; trust the ratios.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func main() {
	root := flag.String("C", ".", "the repository of Temper, in `DIR`")
	rounds := flag.Int("n", 7, "measure warm builds this many `TIMES`")
	six := flag.Bool("six", false, "measure six services with heavy dependencies in place of the examples, which takes a quarter of an hour")
	repository := flag.String("repository", "", "measure the services of the repository in `DIR` in place of the examples")
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, *root, *rounds, *six, *repository); err != nil {
		log.Fatalf("bench: %v", err)
	}
}

// services are the examples, by folder; careless has a temper.yaml of its own.
var services = []string{"api", "careless", "web", "worker"}

func bench(ctx context.Context, root string, rounds int, six bool, repository string) error {
	tmp, err := os.MkdirTemp("", "temper-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	m := &machine{ctx: ctx, tmp: tmp}
	log.Print("compiling temper and ko")
	if err := m.run(root, nil, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", m.path("temper"), "./pipeline/cmd/temper"); err != nil {
		return err
	}
	if err := m.run(".", nil, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", m.path("ko"), "github.com/google/ko"); err != nil {
		return err
	}
	for _, src := range []string{m.path("temper-src"), m.path("ko-src")} {
		if err := os.CopyFS(src, os.DirFS(filepath.Join(root, "examples"))); err != nil {
			return err
		}
	}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	if err := m.pushBase(strings.TrimPrefix(server.URL, "http://") + "/base:latest"); err != nil {
		return err
	}
	if six || repository != "" {
		return m.benchSix(rounds, repository)
	}
	if err := m.setUpKo(); err != nil {
		return err
	}
	fmt.Printf("%-34s  %8s  %8s  %s\n", fmt.Sprintf("%d services, 2 platforms", len(services)), "temper", "ko", "temper/ko")
	if err := m.compare("cold", 1, func(int) error { return nil }); err != nil {
		return err
	}
	if err := m.compare("one service edited", rounds, m.edit); err != nil {
		return err
	}
	return m.compare("warm, nothing changed", rounds, func(int) error { return nil })
}

// A machine has the two commands and the sources.
type machine struct {
	ctx  context.Context
	tmp  string
	base string
}

func (m *machine) path(name string) string { return filepath.Join(m.tmp, filepath.FromSlash(name)) }

// compare measures both, one after the other in every round, so that noise
// meets both.
func (m *machine) compare(what string, rounds int, prepare func(round int) error) error {
	var ours, theirs []time.Duration
	for round := range rounds {
		if err := prepare(round); err != nil {
			return err
		}
		for _, one := range []struct {
			build func() error
			times *[]time.Duration
		}{{m.temper, &ours}, {m.ko, &theirs}} {
			begin := time.Now()
			if err := one.build(); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			*one.times = append(*one.times, time.Since(begin))
		}
	}
	a, b := median(ours), median(theirs)
	fmt.Printf("%-34s  %7.2fs  %7.2fs  %.2f\n", what, a.Seconds(), b.Seconds(), a.Seconds()/b.Seconds())
	return nil
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// temper builds, checks and describes all examples.
func (m *machine) temper() error {
	env := []string{"TEMPER_CACHE=" + m.path("temper-cache")}
	if err := m.run(m.path("temper-src"), env, m.path("temper"), "build", "-o", m.path("temper-out")); err != nil {
		return err
	}
	// careless breaks rules, as it should: exit code 3.
	err := m.run(m.path("temper-src/careless"), env, m.path("temper"), "build", "-o", m.path("temper-out"))
	if failed, ok := err.(*failure); ok && failed.code == 3 {
		return nil
	}
	return fmt.Errorf("building careless: %w", err)
}

// ko builds all examples in one call.
func (m *machine) ko() error {
	args := []string{"build", "--push=false", "--oci-layout-path=" + m.path("ko-out"), "--platform=linux/amd64,linux/arm64", "--sbom=none"}
	for _, service := range services {
		args = append(args, "./"+service)
	}
	return m.run(m.path("ko-src"), []string{
		"KO_DOCKER_REPO=" + m.base[:strings.LastIndex(m.base, "/")] + "/out",
		"GOCACHE=" + m.path("ko-gocache"),
		"KOCACHE=" + m.path("ko-cache"),
	}, m.path("ko"), args...)
}

// setUpKo writes ko's configuration, and a go.work, without which it takes a
// process for each of the modules.
func (m *machine) setUpKo() error {
	config := "defaultBaseImage: " + m.base + "\ndefaultFlags: [-trimpath]\ndefaultLdflags: [-s, -w]\n"
	if err := os.WriteFile(m.path("ko-src/.ko.yaml"), []byte(config), 0o666); err != nil {
		return err
	}
	return m.run(m.path("ko-src"), nil, "go", append([]string{"work", "init"}, services...)...)
}

// edit changes what one service compiles to.
func (m *machine) edit(round int) error {
	code := fmt.Sprintf("package main\n\nimport \"log\"\n\nfunc init() { log.SetPrefix(\"round %d: \") }\n", round)
	for _, src := range []string{"temper-src", "ko-src"} {
		if err := os.WriteFile(m.path(src+"/api/edited.go"), []byte(code), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// pushBase puts a small base of two platforms where ko can pull it.
func (m *machine) pushBase(ref string) error {
	m.base = ref
	tag, err := name.NewTag(ref)
	if err != nil {
		return err
	}
	layer, err := random.Layer(200_000, types.DockerLayer)
	if err != nil {
		return err
	}
	index := mutate.IndexMediaType(empty.Index, types.DockerManifestList)
	for _, arch := range []string{"amd64", "arm64"} {
		img, err := mutate.AppendLayers(empty.Image, layer)
		if err != nil {
			return err
		}
		if img, err = mutate.ConfigFile(img, configOf(img, arch)); err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: arch},
		}})
	}
	return remote.WriteIndex(tag, index)
}

func configOf(img v1.Image, arch string) *v1.ConfigFile {
	config, err := img.ConfigFile()
	if err != nil {
		log.Fatalf("bench: %v", err) // it is in memory
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	return config
}

// A failure is a command that did not exit with 0.
type failure struct {
	command string
	code    int
	said    string
}

func (f *failure) Error() string {
	return fmt.Sprintf("%s: exit code %d\n%s", f.command, f.code, f.said)
}

func (m *machine) run(dir string, env []string, command string, args ...string) error {
	cmd := exec.CommandContext(m.ctx, command, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if exit, ok := err.(*exec.ExitError); ok {
		return &failure{command + " " + strings.Join(args, " "), exit.ExitCode(), said.String()}
	}
	return err
}
