//go:build unix

package probes

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	"golang.org/x/tools/txtar"

	"temper/checks"
)

var update = flag.Bool("update", false, "rewrite the want sections of testdata")

func TestMain(m *testing.M) {
	if words, ok := os.LookupEnv("SERVICE"); ok {
		os.Exit(service(strings.Fields(words)).run(os.Getenv("DIR")))
	}
	loadFor = 500 * time.Millisecond
	os.Exit(m.Run())
}

// Every testdata/*.txtar is a service, by the words of [service], and the report
// about it. Among them each rule has a case that passes and one that fails.
func TestRules(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	passed, failed := make(map[string]bool), make(map[string]bool)
	for i, r := range observed(t, files) {
		for _, rule := range r.Rules {
			found := slices.ContainsFunc(r.Findings, func(f checks.Finding) bool { return f.Rule == rule })
			passed[rule], failed[rule] = passed[rule] || !found, failed[rule] || found
		}
		t.Run(strings.TrimSuffix(filepath.Base(files[i]), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(files[i])
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := checks.WriteText(&got, r); err != nil {
				t.Fatal(err)
			}
			if *update {
				archive.Files = []txtar.File{{Name: "service", Data: []byte(section(archive, "service"))}, {Name: "want", Data: got.Bytes()}}
				if err := os.WriteFile(files[i], txtar.Format(archive), 0o666); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(section(archive, "want"), got.String()); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
	for _, rule := range AllRules() {
		if !passed[rule.Name] {
			t.Errorf("no case passes %s", rule.Name)
		}
		if !failed[rule.Name] {
			t.Errorf("no case fails %s", rule.Name)
		}
	}
}

// observed are the reports about the services of all files. They mostly wait, so
// that many of them are looked at side by side.
func observed(t *testing.T, files []string) []*checks.Report {
	t.Helper()
	reports := make([]*checks.Report, len(files))
	var all errgroup.Group
	all.SetLimit(6)
	for i, file := range files {
		all.Go(func() error {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				return err
			}
			reports[i], err = reportOn(t, strings.Fields(section(archive, "service")))
			return err
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	return reports
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// reportOn is what the rules say of a service.
func reportOn(t *testing.T, s service) (*checks.Report, error) {
	const promise = limit + 100*time.Millisecond
	d := Declaration{
		Port: 8080, Ports: []int{8080}, Health: []string{"/healthz"}, Host: "localhost", Paths: []string{"/orders"},
		Start: 20 * time.Second, Header: promise, Idle: promise, Stop: 5 * time.Second,
	}
	switch {
	case s.is("grpc"):
		d.GRPC, d.Health, d.Paths = true, []string{"", "shop.Orders"}, []string{HealthCheck}
	case s.is("worker"), s.is("job"):
		d.Port, d.Ports = 0, nil
	case s.is("health-only"):
		d.Paths = nil
	}
	if s.is("deaf") {
		d.Stop = promise
	}
	if s.is("sick") || s.is("closed") {
		d.Start = time.Second
	}
	r, err := Observe(t.Context(), d, func(_ context.Context, writable bool) (Process, error) { return s.launch(t, writable) })
	if err != nil {
		return nil, err
	}
	return checks.Run(t.Context(), checks.Subject{Name: "service"}, "", r, Rules(r))
}

// A local is a service that runs as a process like any other: what the rules see
// of it does not need a sandbox.
type local struct {
	cmd  *exec.Cmd
	dir  string
	port chan string
	said bytes.Buffer // once it has ended
	done chan struct{}
	open []int
	peak atomic.Int64 // of its memory, in bytes
}

// maxResident is the limit on memory of a local service; the test's own code
// takes a part of it.
const maxResident = 100 << 20

func (s service) launch(t *testing.T, writable bool) (*local, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if s.is("missing") {
		return nil, &StartError{"executing /orders: no such file or directory"}
	}
	if s.is("broken") {
		return nil, errors.New("no namespaces here")
	}
	l := &local{cmd: exec.Command(self), dir: t.TempDir(), port: make(chan string, 1), done: make(chan struct{})}
	l.cmd.Env = append(os.Environ(), "SERVICE="+strings.Join(s, " "), "DIR="+l.dir)
	if writable {
		l.cmd.Env = append(l.cmd.Env, "WRITABLE=yes")
	}
	switch {
	case s.is("opens"):
		l.open = []int{6060, 8080}
	case !s.is("worker"):
		l.open = []int{8080}
	}
	l.cmd.Stderr = &l.said
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	go l.watch()
	go func() {
		defer close(l.done)
		lines := bufio.NewReader(out)
		line, _ := lines.ReadString('\n')
		l.port <- strings.TrimSpace(line)
		io.Copy(io.Discard, lines)
		l.cmd.Wait()
	}()
	return l, nil
}

func (l *local) Dial(ctx context.Context, port int) (net.Conn, error) {
	if port != 8080 {
		return nil, syscall.ECONNREFUSED
	}
	select {
	case p := <-l.port:
		l.port <- p
		if _, err := strconv.Atoi(p); err != nil {
			return nil, syscall.ECONNREFUSED
		}
		var d net.Dialer
		return d.DialContext(ctx, "tcp", "127.0.0.1:"+p)
	case <-time.After(20 * time.Millisecond):
		return nil, syscall.ECONNREFUSED
	}
}

func (l *local) Ports() ([]int, error)      { return l.open, nil }
func (l *local) Terminate() error           { return l.cmd.Process.Signal(syscall.SIGTERM) }
func (l *local) Done() <-chan struct{}      { return l.done }
func (l *local) Written() ([]string, error) { return below(l.dir) }

func (l *local) End() End {
	<-l.done
	status := l.cmd.ProcessState.Sys().(syscall.WaitStatus)
	end := End{Code: status.ExitStatus()}
	if status.Signaled() {
		end.Signal = unix.SignalName(status.Signal())
	}
	return end
}

func (l *local) Memory() Memory {
	<-l.done
	peak := l.peak.Load()
	if runtime.GOOS == "darwin" { // where nobody else says
		peak = int64(l.cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	}
	return Memory{Limit: maxResident, Over: peak > maxResident}
}

// watch notes the most memory that the service has had, for as long as it runs. What the
// system says of it afterwards would count what this process had when it started it.
func (l *local) watch() {
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.cmd.Process.Pid))
		if err != nil {
			return // it has ended
		}
		for line := range strings.Lines(string(status)) {
			var kilobytes int64
			if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kilobytes); err == nil {
				l.peak.Store(kilobytes << 10)
			}
		}
		select {
		case <-l.done:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (l *local) Said() string {
	select {
	case <-l.done:
		return l.said.String()
	default:
		return ""
	}
}

func (l *local) Close() error {
	l.cmd.Process.Kill()
	<-l.done
	return nil
}

// below lists what is in a folder.
func below(dir string) ([]string, error) {
	list, err := os.ReadDir(dir)
	var names []string
	for _, e := range list {
		names = append(names, "/"+e.Name())
	}
	return names, err
}

// What starts services is not the service: where it cannot, nobody has looked.
func TestObserveReportsNothingWhereNothingStarts(t *testing.T) {
	_, err := Observe(t.Context(), Declaration{Port: 8080}, func(context.Context, bool) (Process, error) {
		return service{"broken"}.launch(t, false)
	})
	if err == nil || err.Error() != "no namespaces here" {
		t.Errorf("an error of the launch: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Observe(ctx, Declaration{Port: 8080, Start: time.Minute}, func(context.Context, bool) (Process, error) {
		return service{"closed"}.launch(t, false)
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// Where a browser ends that is sent there.
func TestLeaves(t *testing.T) {
	for location, want := range map[string]bool{
		"https://stranger.invalid/": true, "//stranger.invalid": true, `/\stranger.invalid/`: true, `\\stranger.invalid`: true,
		"https://STRANGER.invalid:8443/x": true, "0; url=https://stranger.invalid/": true, " //stranger.invalid/": true, "https:/\\stranger.invalid": true,
		"": false, "/": false, "/stranger.invalid": false, "https://localhost/?to=https://stranger.invalid/": false, "/login?next=//stranger.invalid": false,
	} {
		if leaves(location) != want {
			t.Errorf("%q: %v, want %v", location, !want, want)
		}
	}
}

// What every rule has to say of itself.
func TestRulesExplainThemselves(t *testing.T) {
	for _, r := range AllRules() {
		if len(strings.Split(r.Doc, "\n\n")) < 3 || strings.HasSuffix(r.Title(), ".") || !strings.HasPrefix(r.Source, "https://") ||
			!strings.HasPrefix(r.Name, "probe-") {
			t.Errorf("%s does not say what, why, how and from where", r.Name)
		}
	}
}
