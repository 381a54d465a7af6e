package main

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// shop is a module of services whose binaries are 24 MB: grpc, OpenTelemetry with its
// exporter, Prometheus and a cloud's storage, and one package of the repository's own
// that all of them share. The files have another ending so that Go leaves them alone here.
//
//go:embed shop
var shop embed.FS

// departments are the services of the shop.
var departments = []string{"accounts", "catalog", "invoices", "orders", "parcels", "reviews"}

// six measures the shop, or the services of any other repository, on one platform.
//
// What is cold has nothing compiled, but all modules and the base at hand. ko shares one
// GOCACHE among the services and compiles several at once, which is its usual way.
type six struct {
	*machine
	// write makes the sources in a folder.
	write func(dir string) error
	// packages are the main packages, relative to the sources. The last but two is edited.
	packages []string
}

// benchSix compares builds of six services with heavy dependencies that they share, or
// of those that are in a repository.
func (m *machine) benchSix(rounds int, repository string) error {
	s := six{machine: m, write: func(dir string) error { return writeShop(dir, departments) }}
	title := "six services, heavy dependencies"
	if repository != "" {
		s.write = func(dir string) error { return os.CopyFS(dir, os.DirFS(repository)) }
		title = "services of " + filepath.Base(repository)
	}
	if err := s.sources(); err != nil {
		return err
	}
	var err error
	if s.packages, err = s.mains(m.path("temper-six")); err != nil {
		return err
	}
	log.Print("downloading what they import")
	if err := m.run(m.path("ko-six"), nil, "go", "mod", "download"); err != nil {
		return err
	}
	fmt.Printf("\n%-42s  %8s  %8s  %s\n", title+", 1 platform", "temper", "ko", "temper/ko")
	shared, theirs, err := s.cold()
	if err != nil {
		return err
	}
	measures := []func(int) error{s.unchanged, s.restored, s.released, s.edited}
	if repository == "" {
		measures = append(measures, s.fifty)
	}
	for _, measure := range measures {
		if err := measure(rounds); err != nil {
			return err
		}
	}
	return s.private(shared, theirs)
}

// sources makes the sources anew, for either command, in the same folders.
func (s six) sources() error {
	for _, src := range []string{"temper-six", "ko-six"} {
		if err := errors.Join(os.RemoveAll(s.path(src)), s.write(s.path(src))); err != nil {
			return err
		}
	}
	config := "defaultBaseImage: " + s.base + "\ndefaultFlags: [-trimpath]\ndefaultLdflags: [-s, -w]\n"
	return os.WriteFile(s.path("ko-six/.ko.yaml"), []byte(config), 0o666)
}

// mains are the main packages of the services in a folder.
func (s six) mains(dir string) ([]string, error) {
	cmd := exec.CommandContext(s.ctx, s.path("temper"), "services", "--json")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the services: %w", err)
	}
	var list struct{ Services []struct{ Main string } }
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, fmt.Errorf("listing the services: %w", err)
	}
	var packages []string
	for _, one := range list.Services {
		packages = append(packages, "./"+one.Main)
	}
	return packages, nil
}

// edit is the package that is edited.
func (s six) edit() string { return s.packages[max(0, len(s.packages)-3)] }

// writeShop generates the sources of the shop with departments of these names.
func writeShop(dir string, names []string) error {
	main, err := template.ParseFS(shop, "shop/main.go.txt")
	if err != nil {
		return err
	}
	for from, to := range map[string]string{"go.mod.txt": "go.mod", "go.sum.txt": "go.sum", "platform.go.txt": "platform/platform.go"} {
		content, err := shop.ReadFile("shop/" + from)
		if err != nil {
			return err
		}
		if err := write(filepath.Join(dir, to), string(content)); err != nil {
			return err
		}
	}
	for _, name := range names {
		var code strings.Builder
		if err := main.Execute(&code, name); err != nil {
			return err
		}
		if err := write(filepath.Join(dir, "cmd", name, "main.go"), code.String()); err != nil {
			return err
		}
	}
	return nil
}

func write(file, content string) error {
	return errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, []byte(content), 0o666))
}

// cold compiles everything, and returns how large the caches became.
func (s six) cold() (ours, theirs int64, err error) {
	a, err := s.temper("shared")
	if err != nil {
		return 0, 0, err
	}
	log.Printf("temper, cold: %.2fs", a.seconds())
	b, err := s.ko(true)
	if err != nil {
		return 0, 0, err
	}
	row("cold", a.seconds(), b.seconds(), "%7.2fs")
	row("cold, processor time with compilers", a.cpu, b.cpu, "%7.2fs")
	row("cold, memory without compilers", a.memory, b.memory, "%6.1fMB")
	if ours, err = sizeOf(s.path("six-shared")); err != nil {
		return 0, 0, err
	}
	theirs, err = sizeOf(s.path("ko-six-gocache"))
	return ours, theirs, err
}

// unchanged builds again what is there; before the first time, ko fills its KOCACHE.
func (s six) unchanged(rounds int) error {
	if _, err := s.ko(false); err != nil {
		return err
	}
	return s.beside("unchanged; ko with KOCACHE", rounds, nil,
		func() (usage, error) { return s.temper("shared") }, func() (usage, error) { return s.ko(false) })
}

// restored builds in a fresh clone with caches that were put back, as on a runner of a CI
// that keeps them.
func (s six) restored(rounds int) error {
	caches := []string{"six-shared", "ko-six-gocache", "ko-six-cache"}
	for _, name := range caches {
		if err := s.run(s.tmp, nil, "cp", "-a", name, "kept-"+name); err != nil {
			return err
		}
	}
	clone := func() error {
		for _, name := range caches {
			if err := os.RemoveAll(s.path(name)); err != nil {
				return err
			}
			if err := s.run(s.tmp, nil, "cp", "-a", "kept-"+name, name); err != nil {
				return err
			}
		}
		return errors.Join(s.sources(), os.RemoveAll(s.path("six-out-shared")), os.RemoveAll(s.path("ko-six-out")))
	}
	err := s.beside("fresh clone, caches restored", rounds, clone,
		func() (usage, error) { return s.temper("shared") }, func() (usage, error) { return s.ko(false) })
	for _, name := range caches {
		err = errors.Join(err, os.RemoveAll(s.path("kept-"+name)))
	}
	return err
}

// released releases again what has been: signed and attested, where ko builds and pushes.
func (s six) released(rounds int) error {
	host := s.base[:strings.LastIndex(s.base, "/")]
	env := []string{"COSIGN_PASSWORD=only for the measurement"}
	if err := s.run(s.tmp, env, s.path("temper"), "keygen"); err != nil {
		return err
	}
	release := func() (usage, error) {
		return s.measure("temper-six", env, s.path("temper"), "release", "--key", s.path("cosign.key"), "--tag", "v1", s.path("six-out-shared"), host+"/released")
	}
	push := func() (usage, error) {
		args := append([]string{"build", "--push=true", "--tags=v1", "--platform=linux/amd64", "--sbom=none"}, s.packages...)
		return s.measure("ko-six", append(s.environment(), "KO_DOCKER_REPO="+host+"/pushed", "KOCACHE="+s.path("ko-six-cache")), s.path("ko"), args...)
	}
	for _, first := range []func() (usage, error){release, push} {
		if _, err := first(); err != nil {
			return err
		}
	}
	return s.beside("unchanged release; ko build that pushes", rounds, nil, release, push)
}

// beside measures two commands, one after the other in every round, so that noise meets
// both.
func (s six) beside(what string, rounds int, prepare func() error, one, other func() (usage, error)) error {
	var ours, theirs []time.Duration
	for range rounds {
		if prepare != nil {
			if err := prepare(); err != nil {
				return err
			}
		}
		a, err := one()
		if err != nil {
			return err
		}
		b, err := other()
		if err != nil {
			return err
		}
		ours, theirs = append(ours, a.took), append(theirs, b.took)
	}
	row(what, median(ours).Seconds(), median(theirs).Seconds(), "%7.2fs")
	return nil
}

// fifty builds fifty services, unchanged, beside the six.
func (s six) fifty(rounds int) error {
	names := slices.Clone(departments)
	for i := len(names); i < 50; i++ {
		names = append(names, fmt.Sprintf("branch%d", i))
	}
	if err := writeShop(s.path("temper-fifty"), names); err != nil {
		return err
	}
	fifty := func() (usage, error) {
		return s.measure("temper-fifty", []string{"TEMPER_CACHE=" + s.path("fifty")}, s.path("temper"), "build", "--platform=linux/amd64", "-o", s.path("fifty-out"))
	}
	log.Print("compiling fifty services")
	if _, err := fifty(); err != nil {
		return err
	}
	fmt.Printf("\n%-42s  %8s  %8s  %s\n", "", "fifty", "six", "fifty/six")
	err := s.beside("unchanged, temper alone", rounds, nil, fifty, func() (usage, error) { return s.temper("shared") })
	return errors.Join(err, os.RemoveAll(s.path("fifty")), os.RemoveAll(s.path("fifty-out")))
}

// edited changes one file of one service, and asks for all, beside "go build" of that
// service alone.
func (s six) edited(rounds int) error {
	fmt.Printf("\n%-42s  %8s  %8s  %s\n", "", "temper", "go build", "temper/go build")
	round := 0
	edit := func() error {
		round++
		code := fmt.Sprintf("package main\n\nimport \"log\"\n\nfunc init() { log.SetPrefix(\"round %d: \") }\n", round)
		for _, src := range []string{"temper-six", "ko-six"} {
			if err := write(filepath.Join(s.path(src), s.edit(), "edited.go"), code); err != nil {
				return err
			}
		}
		return nil
	}
	// The file is there before the first round, and is changed by each.
	if err := edit(); err != nil {
		return err
	}
	build := func() (usage, error) {
		return s.measure("ko-six", append(s.environment(), "GOOS=linux", "GOARCH=amd64"),
			"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", s.path("edited"), s.edit())
	}
	for _, first := range []func() (usage, error){func() (usage, error) { return s.temper("shared") }, build} {
		if _, err := first(); err != nil {
			return err
		}
	}
	return s.beside("one file of one edited, all asked for", rounds, edit, func() (usage, error) { return s.temper("shared") }, build)
}

// private compiles everything once for each service, which is what isolation costs that shares
// nothing.
func (s six) private(shared, gocache int64) error {
	a, err := s.temper("private", "--private")
	if err != nil {
		return err
	}
	private, err := sizeOf(s.path("six-private"))
	if err != nil {
		return err
	}
	fmt.Printf("\ncold with --private: %.2fs, processor %.2fs, the most memory %.1f MB\n", a.seconds(), a.cpu, a.memory)
	fmt.Printf("caches on disk: %s shared, %s in six private ones, shared/private %.2f; ko's one GOCACHE %s\n",
		megabytes(shared), megabytes(private), float64(shared)/float64(private), megabytes(gocache))
	return nil
}

// temper builds, checks and describes the six, with the cache of a name.
func (s six) temper(cache string, flags ...string) (usage, error) {
	env := []string{"TEMPER_CACHE=" + s.path("six-"+cache)}
	args := append([]string{"build", "--platform=linux/amd64", "-o", s.path("six-out-" + cache)}, flags...)
	return s.measure("temper-six", env, s.path("temper"), args...)
}

// ko builds the six in one call, without KOCACHE if it is cold.
func (s six) ko(cold bool) (usage, error) {
	args := append([]string{"build", "--push=false", "--oci-layout-path=" + s.path("ko-six-out"), "--platform=linux/amd64", "--sbom=none"}, s.packages...)
	env := append(s.environment(), "KO_DOCKER_REPO="+s.base[:strings.LastIndex(s.base, "/")]+"/six")
	if !cold {
		env = append(env, "KOCACHE="+s.path("ko-six-cache"))
	}
	return s.measure("ko-six", env, s.path("ko"), args...)
}

// environment is that of ko and of "go build", which build for the same cache.
func (s six) environment() []string {
	return []string{"GOCACHE=" + s.path("ko-six-gocache"), "GOWORK=off", "CGO_ENABLED=0"}
}

// A usage is what a command took.
type usage struct {
	took time.Duration
	// cpu is that of the command and of all that it started, in seconds.
	cpu float64
	// memory is the most that the command itself held, without the compilers that it
	// starts, in megabytes; 0 where /proc does not tell.
	memory float64
}

func (u usage) seconds() float64 { return u.took.Seconds() }

// measure runs a command. What Linux counts for a command that has ended is the most of
// it and all that it waited for, which would be the linker; so it is asked meanwhile.
func (s six) measure(dir string, env []string, command string, args ...string) (u usage, err error) {
	cmd := exec.CommandContext(s.ctx, command, args...)
	cmd.Dir = s.path(dir)
	cmd.Env = append(os.Environ(), env...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return u, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			u.memory = max(u.memory, peakOf(cmd.Process.Pid))
		case err := <-ended:
			u.took = time.Since(begin)
			u.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
			if exit, ok := err.(*exec.ExitError); ok {
				return u, &failure{command + " " + strings.Join(args, " "), exit.ExitCode(), said.String()}
			}
			return u, err
		}
	}
}

// peakOf is the most memory that a process has held until now, in megabytes.
func peakOf(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kB / 1024
		}
	}
	return 0
}

// sizeOf adds up the files below a folder.
func sizeOf(dir string) (bytes int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return bytes, err
}

func megabytes(bytes int64) string { return fmt.Sprintf("%d MB", bytes/1_000_000) }

func row(what string, a, b float64, format string) {
	fmt.Printf("%-42s  "+format+"  "+format+"  %.2f\n", what, a, b, a/b)
}
