// Command signing measures temper release and temper verify beside the cosign
// commands, in one run with the same key, image and registry, which is on loopback
// and in a process of its own.
//
// Temper does more in the same time: its release judges the image, pushes it, signs
// it and three statements in both forms, and reads all of that back, while cosign
// signs once; its verify looks at all of it and into the binary, while cosign looks
// at one signature. Neither asks a log. To start is what the command costs before it
// does anything. Times are medians; trust the ratios.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
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
)

func main() {
	root := flag.String("C", ".", "the repository of Temper, in `DIR`")
	rounds := flag.Int("n", 15, "measure this many `TIMES`")
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, *root, *rounds); err != nil {
		log.Fatalf("signing: %v", err)
	}
}

func bench(ctx context.Context, root string, rounds int) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "temper-signing-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	m := &machine{ctx: ctx, dir: tmp, temper: filepath.Join(tmp, "temper")}
	if _, err := m.run(command{dir: root, name: "go", args: []string{"build", "-trimpath", "-ldflags=-s -w", "-o", m.temper, "./pipeline/cmd/temper"}}); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"build", "-C", filepath.Join(root, "examples", "api"), "--platform", "linux/amd64", "-o", filepath.Join(tmp, "oci")},
		{"keygen"},
	} {
		if _, err := m.run(command{name: m.temper, args: args}); err != nil {
			return err
		}
	}
	for name, content := range map[string]string{
		"signing.json": `{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}`,
		"root.json":    `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`,
	} {
		if err := os.WriteFile(filepath.Join(tmp, name), []byte(content), 0o666); err != nil {
			return err
		}
	}
	stop, err := m.serve()
	if err != nil {
		return err
	}
	defer stop()
	return m.compare(root, rounds)
}

// A machine has the commands, the image and a registry.
type machine struct {
	ctx              context.Context
	dir              string
	temper, registry string
}

// serve starts a registry, in memory.
func (m *machine) serve() (stop func(), err error) {
	cmd := exec.CommandContext(m.ctx, m.temper, "registry")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return nil, fmt.Errorf("starting a registry: %w", err)
	}
	m.registry = strings.TrimSpace(line)
	return stop, nil
}

// A cost is what a command took.
type cost struct{ wall, cpu time.Duration }

func (m *machine) compare(root string, rounds int) error {
	cosign := func(version string) string { return filepath.Join(root, "bin", "cosign"+version) }
	for _, version := range []string{"2", "3"} {
		if _, err := os.Stat(cosign(version)); err != nil {
			return fmt.Errorf("there is no %s; run make cosign", cosign(version))
		}
	}
	repository := func(round int) string { return fmt.Sprintf("%s/round%d", m.registry, round) }
	image := func(round int) string { return repository(round) + "/api:v1" }
	// In the order in which they are asked: what is signed must be there.
	type measure struct {
		what, who string
		command   func(round int) command
	}
	measures := []measure{
		{"release", "temper", func(n int) command {
			return command{name: m.temper, args: []string{"release", "--key", "cosign.key", "--tag", "v1", "oci", repository(n)}}
		}},
		{"release", "cosign2", func(n int) command {
			return command{name: cosign("2"), args: []string{"sign", "--yes", "--key", "cosign.key", "--tlog-upload=false", image(n)}}
		}},
		{"release", "cosign3", func(n int) command {
			return command{name: cosign("3"), args: []string{"sign", "--yes", "--key", "cosign.key", "--signing-config", "signing.json", "--trusted-root", "root.json", image(n)}}
		}},
		{"start", "temper", func(int) command {
			return command{name: m.temper, args: []string{"--version"}}
		}},
		{"verify", "temper", func(n int) command {
			return command{name: m.temper, args: []string{"verify", "--key", "cosign.pub", image(n)}}
		}},
		{"verify", "cosign2", func(n int) command {
			return command{name: cosign("2"), args: []string{"verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true", "--trusted-root", "root.json", image(n)}}
		}},
		{"verify", "cosign3", func(n int) command {
			return command{name: cosign("3"), args: []string{"verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true", "--trusted-root", "root.json", image(n)}}
		}},
	}
	costs := make(map[string][]cost)
	for round := range rounds {
		for _, measure := range measures {
			took, err := m.run(measure.command(round))
			if err != nil {
				return err
			}
			key := measure.what + " " + measure.who
			costs[key] = append(costs[key], took)
		}
	}
	fmt.Printf("%-18s  %9s  %9s  %s\n", "one image, by key", "time", "CPU", "temper's time is to it as")
	for _, measure := range measures {
		wall, cpu := median(costs[measure.what+" "+measure.who])
		ours, _ := median(costs[measure.what+" temper"])
		fmt.Printf("%-18s  %7.0fms  %7.0fms  %.2f\n", measure.what+" "+measure.who, ms(wall), ms(cpu), ours.Seconds()/wall.Seconds())
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(costs []cost) (wall, cpu time.Duration) {
	middle := func(by func(cost) time.Duration) time.Duration {
		sorted := slices.SortedFunc(slices.Values(costs), func(a, b cost) int { return cmp.Compare(by(a), by(b)) })
		return by(sorted[len(sorted)/2])
	}
	return middle(func(c cost) time.Duration { return c.wall }), middle(func(c cost) time.Duration { return c.cpu })
}

// A command is one to run, in the machine's folder if it names none.
type command struct {
	dir, name string
	args      []string
}

func (m *machine) run(c command) (cost, error) {
	cmd := exec.CommandContext(m.ctx, c.name, c.args...)
	cmd.Dir = cmp.Or(c.dir, m.dir)
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=a password")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	if err != nil {
		return cost{}, fmt.Errorf("%s %s: %w\n%s", c.name, strings.Join(c.args, " "), err, said.String())
	}
	return cost{took, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}
