package temper_test

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The binary of every example starts as 65532 without capabilities: in a root
// that holds the binary and nothing else, and in one that holds the image and
// nothing else, where it stays up.
func TestExamplesStartInAnEmptyRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("changing the root takes root: run the tests with sudo to have this one")
	}
	for _, dir := range builtHere(t).layouts {
		eachImage(t, dir, func(name, platform string, img v1.Image) {
			if platform != "linux/"+runtime.GOARCH {
				return
			}
			t.Run(name, func(t *testing.T) {
				config, err := img.ConfigFile()
				if err != nil {
					t.Fatal(err)
				}
				layers, err := img.Layers()
				if err != nil {
					t.Fatal(err)
				}
				comesUp(t, config.Config, layers[len(layers)-1])
				stays(t, config.Config, layers)
			})
		})
	}
}

// A transcript is what a program says. It tells when that holds a text.
type transcript struct {
	mu     sync.Mutex
	text   strings.Builder
	wanted string
	seen   chan struct{} // closed once
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := strings.Contains(s.text.String(), s.wanted)
	s.text.Write(p)
	if !before && strings.Contains(s.text.String(), s.wanted) {
		close(s.seen)
	}
	return len(p), nil
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// start starts the image's command in a root of these layers.
func start(t *testing.T, config v1.Config, layers []v1.Layer, env ...string) (said *transcript, ended chan error) {
	t.Helper()
	root := t.TempDir()
	for dir := root; dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range layers {
		extract(t, l, root)
	}
	said = &transcript{wanted: "init runtime @", seen: make(chan struct{})}
	cmd := exec.Command(config.Entrypoint[0], config.Cmd...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = append(config.Env, env...), "/", said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot:     root,
		Credential: &syscall.Credential{Uid: 65532, Gid: 65532},
		Cloneflags: syscall.CLONE_NEWNET,
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("it does not start: %v", err)
	}
	ended = make(chan error, 1)
	go func() { ended <- cmd.Wait(); close(ended) }()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	return said, ended
}

// comesUp shows that the program itself runs with no loader, library or file
// beside it: a Go program that is to trace its start says so first of all.
func comesUp(t *testing.T, config v1.Config, binary v1.Layer) {
	said, ended := start(t, config, []v1.Layer{binary}, "GODEBUG=inittrace=1")
	select {
	case <-said.seen:
	case err := <-ended:
		if !strings.Contains(said.String(), said.wanted) {
			t.Errorf("alone in its root it ended before its own code: %v\n%s", err, said)
		}
	case <-time.After(time.Minute):
		t.Errorf("alone in its root it says nothing of its start:\n%s", said)
	}
}

// stays shows that the program finds what it needs in its image.
func stays(t *testing.T, config v1.Config, layers []v1.Layer) {
	if _, low := config.ExposedPorts["80/tcp"]; low {
		return // without capabilities it cannot, and that is one of its lessons
	}
	said, ended := start(t, config, layers, "UPSTREAM=http://127.0.0.1:1/")
	select {
	case err := <-ended:
		t.Errorf("in its image it ended at once: %v\n%s", err, said)
	case <-time.After(time.Second):
	}
}

func extract(t *testing.T, l v1.Layer, root string) {
	t.Helper()
	raw, err := l.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for r := tar.NewReader(raw); ; {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(root, filepath.FromSlash(h.Name))
		switch h.Typeflag {
		case tar.TypeDir:
			if err = os.MkdirAll(path, 0o755); err == nil {
				err = errors.Join(os.Chown(path, h.Uid, h.Gid), os.Chmod(path, h.FileInfo().Mode()))
			}
		case tar.TypeLink:
			err = os.Link(filepath.Join(root, filepath.FromSlash(h.Linkname)), path)
		case tar.TypeReg:
			var content []byte
			if content, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, content, os.FileMode(h.Mode))
			}
		default:
			t.Fatalf("%s is neither a folder nor a file nor a link to one", h.Name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
