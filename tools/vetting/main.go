// Command vetting looks at the same Go code with Temper, with go vet and with gosec, and
// prints how long each took and how much memory.
//
// What is compared is the look and not the compiler. The sources are copied without test
// files, since Temper and gosec leave them out and go vet cannot. Each round adds a
// comment to all files, and then lets Go compile, unmeasured, so that what packages export
// is in GOCACHE and nobody has looked at them. All look for linux without cgo.
//
// go vet remembers what it found in GOCACHE, so it is measured twice: when it has facts
// about all that the module imports and only the module's own packages are new to it,
// which is the least that it ever does with them, and by a flag that changes nothing but
// what it goes by (the name of a printf function that is not there), when it remembers
// nothing and looks at the standard library and all else for facts. Temper starts afresh
// (--fresh), and then is asked once more as people would, with nothing changed.
//
// Processor time is that of the command and of all that it starts, such as go list.
// Memory is that of the largest of these processes, the most of all rounds. Times are
// medians; trust the ratios.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	root := flag.String("C", ".", "the repository of Temper, in `DIR`")
	other := flag.String("path", "", "look at the module in `DIR` as well")
	rounds := flag.Int("n", 5, "measure this many `TIMES`")
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := compare(ctx, *root, *other, *rounds); err != nil {
		log.Fatalf("vetting: %v", err)
	}
}

func compare(ctx context.Context, root, other string, rounds int) error {
	tmp, err := os.MkdirTemp("", "temper-vetting-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	b := &bench{ctx: ctx, tmp: tmp, began: time.Now().UnixNano()}
	log.Print("compiling temper and gosec")
	for _, one := range []struct{ dir, pkg string }{{root, "./pipeline/cmd/temper"}, {".", "github.com/securego/gosec/v2/cmd/gosec"}} {
		if _, err := b.run(one.dir, 0, "go", "build", "-ldflags=-s -w", "-o", b.path(filepath.Base(one.pkg)), one.pkg); err != nil {
			return err
		}
	}
	modules := []string{filepath.Join(root, "examples", "api"), root}
	if other != "" {
		modules = append(modules, other)
	}
	for i, module := range modules {
		src := b.path(fmt.Sprintf("src%d", i))
		if err := copyWithoutTests(src, module); err != nil {
			return err
		}
		if err := b.measure(nameOf(module), src, rounds); err != nil {
			return err
		}
	}
	return nil
}

// nameOf is the name of a folder, for people.
func nameOf(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return filepath.Base(dir)
}

// A bench has the commands, in a folder of its own.
type bench struct {
	ctx   context.Context
	tmp   string
	began int64 // by which runs are told apart
	round int
}

func (b *bench) path(name string) string { return filepath.Join(b.tmp, name) }

// A look is one way to look at the sources, and what that took.
type look struct {
	what      string
	run       func() (*os.ProcessState, error)
	wall, cpu []float64 // seconds
	memory    float64   // megabytes, the most
}

// measure prints what the looks at a module take.
func (b *bench) measure(name, dir string, rounds int) error {
	temper := func(args ...string) func() (*os.ProcessState, error) {
		return func() (*os.ProcessState, error) { return b.run(dir, 3, b.path("temper"), args...) }
	}
	fresh := &look{what: "temper check --fresh", run: temper("check", dir, "--fresh")}
	again := &look{what: "temper check, unchanged", run: temper("check", dir)}
	vet := &look{what: "go vet, own code new", run: func() (*os.ProcessState, error) { return b.run(dir, 1, "go", "vet", "./...") }}
	all := &look{what: "go vet, all new", run: func() (*os.ProcessState, error) { return b.vetAll(dir) }}
	gosec := &look{what: "gosec", run: func() (*os.ProcessState, error) {
		return b.run(dir, 0, b.path("gosec"), "-quiet", "-no-fail", "./...")
	}}
	looks := []*look{fresh, again, vet, all, gosec}
	for round := range 1 + rounds { // in turn, so that noise meets all
		if err := b.prepare(dir, temper("check", dir)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, l := range looks {
			begin := time.Now()
			state, err := l.run()
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if round > 0 { // before which nobody has facts about what is imported
				l.add(time.Since(begin), state)
			}
		}
	}
	fmt.Printf("\n%-24s  %8s  %9s  %9s\n", name, "time", "processor", "memory")
	for _, l := range looks {
		fmt.Printf("%-24s  %7.2fs  %8.2fs  %6.1f MB\n", l.what, median(l.wall), median(l.cpu), l.memory)
	}
	for _, r := range []struct{ a, b *look }{{fresh, vet}, {fresh, all}, {fresh, gosec}, {again, fresh}} {
		fmt.Printf("%s / %s: time %.2f, processor %.2f, memory %.2f\n", r.a.what, r.b.what,
			median(r.a.wall)/median(r.b.wall), median(r.a.cpu)/median(r.b.cpu), r.a.memory/r.b.memory)
	}
	return nil
}

// prepare makes all packages of a module new, and lets Go compile them as each of the
// looks has them compiled.
func (b *bench) prepare(dir string, temper func() (*os.ProcessState, error)) error {
	b.round++
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".go" {
			return err
		}
		f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(f, "\n// round %d of %d\n", b.round, b.began)
		return errors.Join(err, f.Close())
	})
	if err != nil {
		return err
	}
	if _, err := temper(); err != nil {
		return err
	}
	_, err = b.run(dir, 0, "go", "list", "-export", "-deps", "-f={{with .Error}}{{.}}{{end}}", "./...")
	return err
}

// vetAll runs vet by a flag that it has not had.
func (b *bench) vetAll(dir string) (*os.ProcessState, error) {
	return b.run(dir, 1, "go", "vet", fmt.Sprintf("-printf.funcs=none%dof%d", b.round, b.began), "./...")
}

func (l *look) add(took time.Duration, state *os.ProcessState) {
	l.wall = append(l.wall, took.Seconds())
	l.cpu = append(l.cpu, (state.UserTime() + state.SystemTime()).Seconds())
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		l.memory = max(l.memory, float64(usage.Maxrss)/1024) // kB on Linux, of the largest process
	}
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// run runs a command, and returns an error if it is not done, or if its exit code is not
// the one by which it says that it has found something. Go vet says the same of what does
// not compile, which Temper, who is asked before, does not.
func (b *bench) run(dir string, found int, command string, args ...string) (*os.ProcessState, error) {
	cmd := exec.CommandContext(b.ctx, command, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0", "GOWORK=off", "TEMPER_CACHE="+b.path("temper-cache"))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == found {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", command, strings.Join(args, " "), err, said.Bytes())
	}
	return cmd.ProcessState, nil
}

// copyWithoutTests copies a module as a build sees it. Modules below it come along, for
// files that are embedded may lie anywhere, and are other modules there as well.
func copyWithoutTests(to, from string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		switch {
		case err != nil:
			return err
		case d.IsDir() && rel != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o777)
		case !d.Type().IsRegular() || strings.HasSuffix(rel, "_test.go"):
			return nil
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), content, 0o666)
	})
}
