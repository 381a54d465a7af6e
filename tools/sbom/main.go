// Command sbom holds Temper's SBOMs against those that syft and ko make, of
// Temper itself as a service on several bases, and prints how many things each
// of them names.
//
//	go run -C tools/sbom . -C ../..
//
// It compiles syft and ko first, which takes minutes. It ends with exit code 1
// where one of them names a module, a package or a digest that Temper does not,
// unless [explained] says why.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	root := flag.String("C", ".", "the repository of Temper, in `DIR`")
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	missing, err := compare(ctx, *root)
	if err != nil {
		log.Fatalf("sbom: %v", err)
	}
	if missing > 0 {
		log.Fatalf("sbom: others name %d things that temper does not", missing)
	}
}

// bases are what the service is put upon, and their packages.
var bases = map[string]map[string]string{
	"builtin": nil,
	"distroless": {
		"usr/lib/os-release":                       "ID=debian\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"13\"\n",
		"var/lib/dpkg/status.d/base-files":         "Package: base-files\nVersion: 13.8+deb13u1\nArchitecture: amd64\nMaintainer: Santiago Vila <sanvila@debian.org>\nDescription: Debian base system miscellaneous files\n more of it\n",
		"var/lib/dpkg/status.d/base-files.md5sums": "86c6ee7ee3a4a3d9f6a5c4d9a0a1d0c3  usr/lib/os-release\n",
		"var/lib/dpkg/status.d/libssl3t64":         "Package: libssl3t64\nSource: openssl\nVersion: 3.5.4-1~deb13u1\nArchitecture: amd64\nDescription: libraries\n",
		"var/lib/dpkg/status.d/tzdata":             "Package: tzdata\nVersion: 2025b-4+deb13u1\nArchitecture: all\nDescription: time zones\n",
	},
	"wolfi": {
		"etc/os-release":           "ID=wolfi\nNAME=\"Wolfi\"\nVERSION_ID=\"20230201\"\n",
		"usr/lib/apk/db/installed": "C:Q1Zq6kd9sE6bTMmNWtj1lPvXm8bIY=\nP:ca-certificates-bundle\nV:20260930-r0\nA:x86_64\nL:MPL-2.0 AND MIT\no:ca-certificates\nF:etc\n\nC:Q1m8J0TSlW5sX7qSGqPG8e7JtD3oI=\nP:tzdata\nV:2025c-r1\nA:x86_64\nL:CC-PDDC\no:tzdata\n\n",
	},
}

// compare returns how much of what others name is missing, and prints a table.
func compare(ctx context.Context, root string) (missing int, err error) {
	tmp, err := os.MkdirTemp("", "temper-sbom-*")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(tmp)
	m := &machine{ctx: ctx, tmp: tmp}
	log.Print("compiling temper, syft and ko")
	for name, pkg := range map[string]string{"temper": "./pipeline/cmd/temper", "syft": "github.com/anchore/syft/cmd/syft", "ko": "github.com/google/ko"} {
		dir := "."
		if name == "temper" {
			dir = root
		}
		if _, err := m.run(dir, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", m.path(name), pkg); err != nil {
			return 0, err
		}
	}
	source, err := filepath.Abs(root)
	if err != nil {
		return 0, err
	}
	fmt.Printf("%-11s %-24s %7s %7s %7s %7s\n", "base", "", "built", "sbom", "syft", "ko")
	for _, base := range slices.Sorted(maps.Keys(bases)) {
		n, err := m.base(source, base)
		if err != nil {
			return 0, fmt.Errorf("on %s: %w", base, err)
		}
		missing += n
	}
	return missing, nil
}

// base builds the service on one base and compares what is said of it.
func (m *machine) base(source, base string) (missing int, err error) {
	on := base
	if files := bases[base]; files != nil {
		on = m.path("base-" + base)
		if err := writeBase(on, files); err != nil {
			return 0, err
		}
	}
	// The layout holds what temper build says; syft finds no image in a layout
	// whose index.json names no platform, and takes the tarball.
	layout, archive := m.path("layout-"+base), m.path(base+".tar")
	for _, output := range []string{layout, archive} {
		if _, err := m.run(source, m.path("temper"), "build", "--base", on, "--platform", "linux/amd64", "--service", "temper", "-o", output); err != nil && !refused(err) {
			return 0, err
		}
	}
	all := make(map[string]*said)
	if all["built"], err = fromLayout(layout); err != nil {
		return 0, err
	}
	for who, command := range map[string][]string{
		"sbom": {m.path("temper"), "sbom", archive},
		"syft": {m.path("syft"), "scan", "-q", "-o", "spdx-json", "docker-archive:" + archive},
	} {
		out, err := m.run(source, command...)
		if err != nil {
			return 0, err
		}
		if all[who], err = parse(out); err != nil {
			return 0, fmt.Errorf("what %s says: %w", who, err)
		}
	}
	if base == "builtin" { // ko's is about the binary alone, whatever it stands on
		if all["ko"], err = m.ko(source); err != nil {
			return 0, err
		}
	}
	for _, what := range kinds {
		fmt.Printf("%-11s %-24s", base, what)
		for _, who := range []string{"built", "sbom", "syft", "ko"} {
			cell := ""
			if all[who] != nil {
				cell = fmt.Sprint(len(all[who].named[what]))
			}
			fmt.Printf(" %7s", cell)
		}
		fmt.Println()
	}
	for _, who := range []string{"syft", "ko"} {
		if all[who] == nil {
			continue
		}
		for _, what := range kinds {
			for _, name := range slices.Sorted(maps.Keys(all[who].named[what])) {
				for _, own := range []string{"built", "sbom"} {
					if all[own].named[what][name] {
						continue
					}
					if why := explained(all, own, who, what, name); why != "" {
						fmt.Printf("  %s names %s, %s does not: %s\n", who, name, own, why)
						continue
					}
					fmt.Printf("  MISSING in %s: %s names %s\n", own, who, name)
					missing++
				}
			}
		}
	}
	return missing, nil
}

// ko builds the service and returns what its SBOM says.
func (m *machine) ko(source string) (*said, error) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	m.registry = strings.TrimPrefix(server.URL, "http://")
	base := m.registry + "/base:latest"
	if err := pushBase(base, bases["distroless"]); err != nil {
		return nil, err
	}
	dir := m.path("ko-sboms")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	args := []string{m.path("ko"), "build", "--push=false", "--sbom-dir=" + dir, "--oci-layout-path=" + m.path("ko-layout"), "--platform=linux/amd64", "./pipeline/cmd/temper"}
	if _, err := m.run(source, args...); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.spdx.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("ko left no SBOM: %v", err)
	}
	all := newSaid()
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		one, err := parse(raw)
		if err != nil {
			return nil, err
		}
		for what, names := range one.named {
			maps.Copy(all.named[what], names)
		}
	}
	return all, nil
}

// A machine has the commands.
type machine struct {
	ctx context.Context
	tmp string
	// registry is where ko finds its base; it pushes nothing.
	registry string
}

func (m *machine) path(name string) string { return filepath.Join(m.tmp, name) }

// refused tells that temper has written an image that breaks a rule: it itself
// links, by way of cosign, what its rules do not let into a service.
func refused(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == 3
}

// run returns what a command prints.
func (m *machine) run(dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(m.ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "SYFT_CHECK_FOR_APP_UPDATE=false", "KO_DOCKER_REPO="+m.registry+"/out", "KO_DEFAULTBASEIMAGE="+m.registry+"/base:latest")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, said.String())
	}
	return out, nil
}
