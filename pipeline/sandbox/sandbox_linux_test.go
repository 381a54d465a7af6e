package sandbox

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The test's own process is started again in the sandbox.
func TestMain(m *testing.M) {
	Enter()
	if os.Getenv("WITHOUT_ROOT") != "" && Able() != nil {
		code, err := Again(context.Background())
		if err != nil {
			fmt.Println(err)
			os.Exit(noNamespaces)
		}
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// noNamespaces is the exit code that says that users have none here.
const noNamespaces = 77

// compiled is testdata/service, static: nothing else is in its root.
var compiled = sync.OnceValues(func() ([]byte, error) {
	if file := os.Getenv("WITHOUT_ROOT"); file != "" {
		return os.ReadFile(file)
	}
	dir, err := os.MkdirTemp("", "temper-service-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "service")
	cmd := exec.Command("go", "build", "-o", file, "./testdata/service")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	return os.ReadFile(file)
})

func needsRoot(t *testing.T) {
	t.Helper()
	if err := Able(); err != nil {
		t.Skipf("%v: run the tests with sudo to have this one", err)
	}
}

// A view is what a service sees of its sandbox.
type view struct {
	UID, GID, PID int
	Groups        []int
	Status        map[string]string
	Env           []string
	Dir, Host     string
	Root          []string
	Writes        map[string]string
}

// service is an image of testdata/service.
func service(t *testing.T, args ...string) v1.Image {
	t.Helper()
	binary, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return configured(t, v1.Config{
		User: "65532:65533", Entrypoint: []string{"/service"}, Cmd: args, WorkingDir: "/home/me", Env: []string{"A=image", "GOMEMLIMIT=1"},
	}, layer(t, file{"service", 0o555, 0, string(binary)}, file{"home/me/", 0o755, 65532, ""}))
}

type file struct {
	name    string
	mode    int64
	uid     int
	content string // what a link points to
}

// layer is a tar of files; a name that ends in / is a folder's, and a mode of 0
// makes a symbolic link, of -1 a hard link.
func layer(t *testing.T, files ...file) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode, Uid: f.uid, Gid: f.uid, Typeflag: tar.TypeReg, Size: int64(len(f.content))}
		switch {
		case strings.HasSuffix(f.name, "/"):
			h.Typeflag = tar.TypeDir
		case f.mode == 0:
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, f.content, 0
		case f.mode == -1:
			h.Typeflag, h.Linkname, h.Size, h.Mode = tar.TypeLink, f.content, 0, 0o644
		case f.mode == -2:
			h.Typeflag, h.Mode = tar.TypeFifo, 0o644
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := io.WriteString(w, f.content); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return static.NewLayer(b.Bytes(), types.OCIUncompressedLayer)
}

func configured(t *testing.T, c v1.Config, layers ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	if img, err = mutate.Config(img, c); err != nil {
		t.Fatal(err)
	}
	return img
}

// unpacked are images that several tests start.
func unpacked(t *testing.T, img v1.Image) *Root {
	t.Helper()
	dir := t.TempDir()
	for up := dir; up != os.TempDir(); up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	root, err := Unpack(t.Context(), img, dir)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func started(t *testing.T, img v1.Image, opts Options) (*Root, *Process) {
	t.Helper()
	root := unpacked(t, img)
	p, err := root.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return root, p
}

// says waits until the service has said a line, and returns it.
func says(t *testing.T, p *Process) string {
	t.Helper()
	for {
		if line, _, whole := strings.Cut(p.Said(), "\n"); whole {
			return line
		}
		select {
		case <-p.Done():
			t.Fatalf("%s: %s", p.End(), p.Said())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestServiceHasNothingThatItDoesNotNeed(t *testing.T) {
	needsRoot(t)
	_, p := started(t, service(t, "tell"), Options{Memory: 100 << 20, Env: []string{"B=probe"}})
	var got view
	if err := json.Unmarshal([]byte(says(t, p)), &got); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got.Env)
	const none = "0000000000000000"
	want := view{
		UID: 65532, GID: 65533, PID: 1, Dir: "/home/me", Host: "sandbox",
		Status: map[string]string{"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none, "NoNewPrivs": "1"},
		Env:    []string{"A=image", "B=probe", "GOMEMLIMIT=94371840", "HOSTNAME=sandbox", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Root:   []string{"dev", "etc", "home", "proc", "service", "tmp"},
		Writes: map[string]string{"/": "read-only file system", "/home/me": "read-only file system", "/dev": "read-only file system", "/tmp": "may"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what the service sees (-want +got):\n%s", diff)
	}
}

// It is reached by an address of its own, on the ports that it has open to
// others, and from its own network alone.
func TestDial(t *testing.T) {
	needsRoot(t)
	_, p := started(t, service(t, "tell"), Options{})
	says(t, p)
	var ports []int
	for len(ports) == 0 {
		var err error
		if ports, err = p.Ports(); err != nil {
			t.Fatal(err)
		}
	}
	if want := []int{80}; !slices.Equal(ports, want) {
		t.Errorf("open ports are %v, want %v", ports, want)
	}
	conn, err := p.Dial(t.Context(), 80)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.0\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasPrefix(string(body), Address+":") {
		t.Errorf("the service was asked by %q (%v), want %s", body, err, Address)
	}
	if _, err := p.Dial(t.Context(), 81); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a port of its loopback: %v, want %v", err, syscall.ECONNREFUSED)
	}
}

func TestEnds(t *testing.T) {
	needsRoot(t)
	_, p := started(t, service(t, "exit"), Options{})
	if want := (End{Code: 7}); p.End() != want {
		t.Errorf("an exit: %+v, want %+v", p.End(), want)
	}
	if _, err := p.Dial(t.Context(), 80); err == nil || err.Error() != "it ended with exit code 7" {
		t.Errorf("dialing a service that is gone: %v", err)
	}
	_, p = started(t, service(t, "deaf"), Options{})
	says(t, p)
	if err := p.Terminate(); err != nil {
		t.Fatal(err)
	}
	p.Close()
	if want := (End{Code: -1, Signal: "SIGKILL"}); p.End() != want {
		t.Errorf("a kill: %+v, want %+v", p.End(), want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p, err := unpacked(t, service(t, "deaf")).Start(ctx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-p.Done()
}

func TestMemoryHasALimit(t *testing.T) {
	needsRoot(t)
	_, p := started(t, service(t, "hungry"), Options{Memory: 50 << 20})
	m := p.Memory()
	if m.Limit != 50<<20 || !m.Over {
		t.Errorf("memory of a service that takes all: %+v", m)
	}
	if !p.End().Memory {
		t.Errorf("its end: %+v", p.End())
	}
	t.Logf("the limit is enforced: %v", m.Enforced)

	_, p = started(t, service(t, "deaf"), Options{Memory: 100 << 20})
	says(t, p)
	p.Close()
	if m := p.Memory(); m.Over {
		t.Errorf("memory of a service that takes little: %+v", m)
	}
	if left, err := filepath.Glob(filepath.Join(p.group.dir, "*")); err != nil || p.group.enforced() && len(left) > 0 {
		t.Errorf("its control group is still there: %v, %v", left, err)
	}
}

// Where there are no control groups the memory is watched.
func TestWatch(t *testing.T) {
	status := filepath.Join(t.TempDir(), "status")
	if err := os.WriteFile(status, []byte("VmHWM:\t  99 kB\nRssAnon:\t    1000 kB\nRssFile:\t    5000 kB\nRssShmem:\t      24 kB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := resident(status); err != nil || n != 1<<20 {
		t.Errorf("1 MiB is read as %d bytes, %v", n, err)
	}
	ended := make(chan struct{})
	if !watch(status, 1<<20-1, ended, func() { close(ended) }) {
		t.Error("a process that took a byte too many was let go")
	}
	if watch(status, 1<<20, ended, func() { t.Error("a process that took what it may was killed") }) {
		t.Error("a process that took what it may is over")
	}
}

func TestWritten(t *testing.T) {
	needsRoot(t)
	root, p := started(t, service(t, "write"), Options{Writable: true})
	if got, want := says(t, p), "<nil> <nil>"; got != want {
		t.Errorf("writing where it may: %s", got)
	}
	p.Close()
	got, err := root.Written()
	if err != nil || !slices.Equal(got, []string{"/home/me/there"}) {
		t.Errorf("written: %v, %v", got, err)
	}
	root, p = started(t, service(t, "write"), Options{})
	if got, want := says(t, p), "open /home/me/there: read-only file system <nil>"; got != want {
		t.Errorf("writing where nobody may: %s, want %s", got, want)
	}
	p.Close()
	if got, err = root.Written(); err != nil || len(got) > 0 {
		t.Errorf("written to a root that is only read: %v, %v", got, err)
	}
}

// Whose fault it is that nothing runs.
func TestStartRefuses(t *testing.T) {
	needsRoot(t)
	text := layer(t, file{"text", 0o555, 0, "no program"})
	for name, c := range map[string]struct {
		config v1.Config
		image  bool
		want   string
	}{
		"nothing to start": {v1.Config{}, false, "the image has neither entrypoint nor command"},
		"a user's name":    {v1.Config{User: "nobody", Cmd: []string{"/text"}}, false, `the image's user "nobody" is not numeric: set it to UID:GID, such as 65532:65532`},
		"no such file":     {v1.Config{Entrypoint: []string{"/none"}}, true, "executing /none: no such file or directory"},
		"no program":       {v1.Config{Entrypoint: []string{"/text"}}, true, "executing /text: exec format error"},
		"nothing in PATH":  {v1.Config{Entrypoint: []string{"none"}, Env: []string{"PATH=/a:/b"}}, true, `the image has no program "none" in its PATH, /a:/b`},
		"no such folder":   {v1.Config{Entrypoint: []string{"/text"}, WorkingDir: "/none"}, true, "the working directory of the image: chdir /none: no such file or directory"},
	} {
		_, err := unpacked(t, configured(t, c.config, text)).Start(t.Context(), Options{})
		var start *StartError
		if errors.As(err, &start) != c.image || err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// A file that somebody still writes when it is to be executed.
func TestStartWaitsForWhoWrites(t *testing.T) {
	needsRoot(t)
	root := unpacked(t, service(t, "exit"))
	f, err := os.OpenFile(filepath.Join(root.dir, "service"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(200*time.Millisecond, func() { f.Close() })
	p, err := root.Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := (End{Code: 7}); p.End() != want {
		t.Errorf("its end: %+v, want %+v", p.End(), want)
	}
}

// Many dial at once, and when all is over no thread is left in another network.
func TestDialsSideBySide(t *testing.T) {
	needsRoot(t)
	_, p := started(t, service(t, "tell"), Options{})
	says(t, p)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for {
				conn, err := p.Dial(t.Context(), 80)
				if errors.Is(err, syscall.ECONNREFUSED) {
					continue // not yet
				}
				if err != nil {
					t.Error(err)
					return
				}
				conn.Close()
				return
			}
		})
	}
	all.Wait()
	p.Close()
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for range 500 {
		tasks, err := filepath.Glob("/proc/self/task/*/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		if left := slices.DeleteFunc(tasks, func(task string) bool {
			ns, err := os.Readlink(task)
			return err != nil || ns == own
		}); len(left) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("a thread is still in the network of a sandbox")
}

// The same without root, in a user namespace, with the memory watched.
func TestWithoutRoot(t *testing.T) {
	needsRoot(t) // to become another user
	if os.Getenv("WITHOUT_ROOT") != "" {
		t.Fatal("it starts itself")
	}
	binary, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for up := dir; up != os.TempDir(); up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const nobody = 65534
	tests, service := filepath.Join(dir, "tests"), filepath.Join(dir, "service")
	if err := errors.Join(os.WriteFile(tests, self, 0o755), os.WriteFile(service, binary, 0o755), os.Chown(dir, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	names := []string{"TestServiceHasNothingThatItDoesNotNeed", "TestDial", "TestEnds", "TestMemoryHasALimit", "TestWritten", "TestUnpackStaysInside"}
	cmd := exec.Command(tests, "-test.v", "-test.run", "^("+strings.Join(names, "|")+")$")
	cmd.Dir, cmd.Env = dir, []string{"WITHOUT_ROOT=" + service, "TMPDIR=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == noNamespaces {
		t.Skipf("users have no namespaces here (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns): %s", out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range names {
		if !strings.Contains(string(out), "--- PASS: "+name+" ") {
			t.Errorf("%s has not passed\n%s", name, out)
		}
	}
	if !strings.Contains(string(out), "enforced: false") {
		t.Errorf("the memory was not watched\n%s", out)
	}
}

func TestOneUser(t *testing.T) {
	for text, want := range map[string]bool{"         0          0 4294967295\n": false, "         0       1000          1\n": true, "": false} {
		if oneUser(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
