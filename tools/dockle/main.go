// Command dockle checks the same images with Temper and with dockle, and prints
// how long each took, and what each found in images with one defect each.
//
// Both read the same tarball and answer in JSON. The large image is Temper's own.
// An image is found out by what is said of it and not of the image without a
// defect, at any severity. Times are medians; trust the ratios.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	root := flag.String("C", ".", "the repository of Temper, in `DIR`")
	rounds := flag.Int("n", 11, "measure this many `TIMES`")
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := compare(ctx, *root, *rounds); err != nil {
		log.Fatalf("dockle: %v", err)
	}
}

func compare(ctx context.Context, root string, rounds int) error {
	tmp, err := os.MkdirTemp("", "temper-dockle-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	m := &machine{ctx: ctx, tmp: tmp, rounds: rounds}
	log.Print("compiling temper and dockle")
	if err := m.build(root, "temper", "./pipeline/cmd/temper"); err != nil {
		return err
	}
	if err := m.build(".", "dockle", "github.com/goodwithtech/dockle/cmd/dockle"); err != nil {
		return err
	}
	if err := m.speed(root); err != nil {
		return err
	}
	return m.defects()
}

// A machine has the two commands.
type machine struct {
	ctx    context.Context
	tmp    string
	rounds int
	cpu    time.Duration // that the last command took
}

func (m *machine) path(name string) string { return filepath.Join(m.tmp, name) }

// build compiles without cgo; the tags leave out of dockle what needs a C
// library.
func (m *machine) build(dir, out, pkg string) error {
	cmd := exec.CommandContext(m.ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", m.path(out),
		"-tags=containers_image_openpgp,exclude_graphdriver_btrfs,exclude_graphdriver_devicemapper", pkg)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, said)
	}
	return nil
}

// run returns what a command prints; an exit code that says no is an answer.
func (m *machine) run(command string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(m.ctx, m.path(command), args...)
	// A cache would answer for one of them the second time.
	cmd.Env = append(os.Environ(), "TEMPER_CACHE="+m.path("cache"), "HOME="+m.tmp)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	if cmd.ProcessState != nil {
		m.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && json.Valid(out.Bytes()) {
		return out.Bytes(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", command, strings.Join(args, " "), err, said.Bytes())
	}
	return out.Bytes(), nil
}

func (m *machine) temper(file string) ([]byte, error) {
	if err := os.RemoveAll(m.path("cache")); err != nil {
		return nil, err
	}
	return m.run("temper", "check", "--json", file)
}

func (m *machine) dockle(file string) ([]byte, error) {
	return m.run("dockle", "-f", "json", "--exit-code=0", "--input", file)
}

// speed measures both on one image, one after the other in every round, so that
// noise meets both.
func (m *machine) speed(root string) error {
	file := m.path("large.tar")
	if out, err := m.run("temper", "build", "-C", root, "--service", "temper", "--platform", "linux/amd64", "--json", "-o", file); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	var ours, theirs, ourCPU, theirCPU []time.Duration
	for range m.rounds {
		for _, one := range []struct {
			check      func(string) ([]byte, error)
			times, cpu *[]time.Duration
		}{{m.temper, &ours, &ourCPU}, {m.dockle, &theirs, &theirCPU}} {
			begin := time.Now()
			if _, err := one.check(file); err != nil {
				return err
			}
			*one.times, *one.cpu = append(*one.times, time.Since(begin)), append(*one.cpu, m.cpu)
		}
	}
	fmt.Printf("%-40s  %8s  %8s  %s\n", fmt.Sprintf("an image of %d MB, compressed", info.Size()/1_000_000), "temper", "dockle", "temper/dockle")
	for _, row := range []struct {
		what string
		a, b time.Duration
	}{{"time", median(ours), median(theirs)}, {"of the processor", median(ourCPU), median(theirCPU)}} {
		fmt.Printf("%-40s  %7.2fs  %7.2fs  %.2f\n", row.what, row.a.Seconds(), row.b.Seconds(), row.a.Seconds()/row.b.Seconds())
	}
	fmt.Println()
	return nil
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// defects prints what each says of an image that it does not say of the good one.
func (m *machine) defects() error {
	good, err := m.said(defect{name: "good"})
	if err != nil {
		return err
	}
	found := map[string]int{}
	fmt.Printf("%-52s  %-31s  %s\n", "defect", "temper", "dockle")
	for _, d := range defects {
		said, err := m.said(d)
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		row := map[string]string{}
		for _, who := range []string{"temper", "dockle"} {
			var more []string
			for finding, rule := range said[who] {
				if _, known := good[who][finding]; !known {
					more = append(more, rule)
				}
			}
			slices.Sort(more)
			if row[who] = strings.Join(slices.Compact(more), " "); row[who] == "" {
				row[who] = "-"
			} else {
				found[who]++
			}
		}
		fmt.Printf("%-52s  %-31s  %s\n", d.name, row["temper"], row["dockle"])
	}
	fmt.Printf("%-52s  %-31d  %d\n", fmt.Sprintf("found, of %d", len(defects)), found["temper"], found["dockle"])
	return nil
}

// said returns the findings of both, each with its rule.
func (m *machine) said(d defect) (map[string]map[string]string, error) {
	img, err := d.image()
	if err != nil {
		return nil, err
	}
	tag, err := name.NewTag("example.com/case:1")
	if err != nil {
		return nil, err
	}
	file := m.path("case.tar")
	if err := tarball.WriteToFile(file, tag, img); err != nil {
		return nil, err
	}
	raw, err := m.temper(file)
	if err != nil {
		return nil, err
	}
	var ours struct {
		Reports []struct {
			Findings []struct{ Rule, Place, Message string }
		}
	}
	if err := json.Unmarshal(raw, &ours); err != nil {
		return nil, fmt.Errorf("reading what temper says: %w", err)
	}
	all := map[string]map[string]string{"temper": {}, "dockle": {}}
	for _, r := range ours.Reports {
		for _, f := range r.Findings {
			all["temper"][f.Rule+f.Place+f.Message] = f.Rule
		}
	}
	if raw, err = m.dockle(file); err != nil {
		return nil, err
	}
	var theirs struct {
		Details []struct {
			Code, Level string
			Alerts      []string
		}
	}
	if err := json.Unmarshal(raw, &theirs); err != nil {
		return nil, fmt.Errorf("reading what dockle says: %w", err)
	}
	for _, f := range theirs.Details {
		for _, alert := range f.Alerts {
			if f.Level != "SKIP" && f.Level != "PASS" {
				all["dockle"][f.Code+alert] = f.Code
			}
		}
	}
	return all, nil
}
