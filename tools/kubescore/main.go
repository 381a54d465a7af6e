// Command kubescore checks the same manifests with Temper and with kube-score, and
// prints how long each took, how much memory, and how many of the ways to spoil a
// good manifest each finds.
//
// A way is found out by what is said of the spoilt manifest and not of the good
// one, or by a refusal to read it. Times are medians; trust the ratios.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	root := flag.String("C", ".", "the repository of Temper, in `DIR`")
	rounds := flag.Int("n", 21, "measure this many `TIMES`")
	verbose := flag.Bool("v", false, "list what nobody finds, or only one")
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := compare(ctx, *root, *rounds, *verbose); err != nil {
		log.Fatalf("kubescore: %v", err)
	}
}

func compare(ctx context.Context, root string, rounds int, verbose bool) error {
	tmp, err := os.MkdirTemp("", "temper-kubescore-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	log.Print("compiling temper and kube-score")
	checkers := []*checker{
		{name: "temper", dir: root, pkg: "./pipeline/cmd/temper", args: []string{"check", "--json"}},
		{name: "kube-score", dir: ".", pkg: "github.com/zegl/kube-score/cmd/kube-score", args: []string{"score", "-o", "ci"}},
	}
	for _, c := range checkers {
		if err := c.build(ctx, tmp); err != nil {
			return err
		}
	}
	data := filepath.Join(root, "checks", "workloads", "testdata")
	good, err := os.ReadFile(filepath.Join(data, "good", "deployment.yaml"))
	if err != nil {
		return err
	}
	many := filepath.Join(tmp, "many.yaml")
	var all bytes.Buffer
	for i := range 1000 {
		all.WriteString("---\n")
		all.Write(bytes.ReplaceAll(good, []byte("namespace: shop"), fmt.Appendf(nil, "namespace: shop%d", i)))
	}
	one := filepath.Join(tmp, "deployment.yaml")
	if err := errors.Join(os.WriteFile(one, good, 0o600), os.WriteFile(many, all.Bytes(), 0o600)); err != nil {
		return err
	}
	fmt.Printf("%-12s  %-38s  %10s  %10s  %8s\n", "", "", "time", "processor", "memory")
	for _, m := range []struct {
		what, file string
		rounds     int
	}{{"a manifest of 5 objects", one, rounds}, {"1,000 of them, in one file", many, 1 + rounds/10}} {
		for range m.rounds {
			for _, c := range checkers { // in turn, so that noise meets both
				if _, err := c.check(ctx, m.file); err != nil {
					return err
				}
			}
		}
		for _, c := range checkers {
			fmt.Printf("%-12s  %-38s  %8.1fms  %8.1fms  %5.1f MB\n", c.name, m.what, median(c.wall), median(c.cpu), float64(c.memory)/1024)
			c.wall, c.cpu, c.memory = nil, nil, 0
		}
	}
	return defects(ctx, checkers, tmp, data, string(good), verbose)
}

// A checker is one of the two commands.
type checker struct {
	name, dir, pkg string
	args           []string
	path           string

	wall, cpu []float64 // milliseconds
	memory    int64     // the most, in kB
}

func (c *checker) build(ctx context.Context, tmp string) error {
	c.path = filepath.Join(tmp, c.name)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", c.path, c.pkg)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", c.pkg, err, said)
	}
	return nil
}

// check returns what is said of a file, on whichever output. A no is an answer.
func (c *checker) check(ctx context.Context, file string) (string, error) {
	cmd := exec.CommandContext(ctx, c.path, append(slices.Clone(c.args), file)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	begin := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", err
	}
	c.wall = append(c.wall, float64(time.Since(begin).Microseconds())/1000)
	c.cpu = append(c.cpu, float64((cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()).Microseconds())/1000)
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.memory = max(c.memory, int64(usage.Maxrss))
	}
	return said.String(), nil
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

var mutation = regexp.MustCompile(`^(?:([0-9]) )?([a-z-]+) \| (.*) \| (.*)$`)

// defects counts what each finds of the ways that the rules' own tests know.
func defects(ctx context.Context, checkers []*checker, tmp, data, good string, verbose bool) error {
	list, err := os.ReadFile(filepath.Join(data, "mutations.txt"))
	if err != nil {
		return err
	}
	file := filepath.Join(tmp, "deployment.yaml")
	usual := make(map[string]map[string]bool)
	for _, c := range checkers {
		said, err := c.check(ctx, file)
		if err != nil {
			return err
		}
		usual[c.name] = findings(said)
	}
	ways, found := 0, make(map[string]int)
	for text := range strings.Lines(string(list)) {
		m := mutation.FindStringSubmatch(strings.TrimSuffix(text, "\n"))
		if m == nil {
			continue
		}
		ways++
		number, _ := strconv.Atoi(m[1]) // none is 0
		spoilt := replace(good, strings.ReplaceAll(m[3], `\n`, "\n"), strings.ReplaceAll(m[4], `\n`, "\n"), max(number, 1))
		if err := os.WriteFile(file, []byte(spoilt), 0o600); err != nil {
			return err
		}
		var who []string
		for _, c := range checkers {
			said, err := c.check(ctx, file)
			if err != nil {
				return err
			}
			for f := range findings(said) {
				if !usual[c.name][f] {
					found[c.name]++
					who = append(who, c.name)
					break
				}
			}
		}
		if verbose && len(who) < len(checkers) {
			fmt.Printf("found by %-12s  %s\n", strings.Join(who, ", "), strings.TrimSpace(text))
		}
	}
	for _, c := range checkers {
		fmt.Printf("%-12s  finds %d of %d ways to spoil it\n", c.name, found[c.name], ways)
	}
	return nil
}

// findings are the lines that tell of one, without what changes with every edit.
func findings(said string) map[string]bool {
	all := make(map[string]bool)
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "[OK]"), strings.HasPrefix(line, "[SKIPPED]"), strings.Contains(line, `"digest"`), strings.Contains(line, `"line"`), strings.Contains(line, `"column"`):
		case strings.HasPrefix(line, `"`) && !strings.HasPrefix(line, `"message"`) && !strings.HasPrefix(line, `"place"`):
		case strings.HasPrefix(line, "{"), strings.HasPrefix(line, "}"), strings.HasPrefix(line, "]"):
		case line != "":
			all[line] = true
		}
	}
	return all
}

// replace puts a text in the place of the n-th occurrence of another.
func replace(text, was, is string, n int) string {
	at := 0
	for ; n > 0; n-- {
		i := strings.Index(text[at:], was)
		if i < 0 {
			return text
		}
		if n > 1 {
			i += len(was)
		}
		at += i
	}
	return text[:at] + is + text[at+len(was):]
}
