package temper_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The binary of every example starts in a root that holds nothing but the
// service's own layers, as its numeric user, without capabilities, without a
// network but its own.
func TestExamplesStartInAnEmptyRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("changing the root takes root: run the tests with sudo to have this one")
	}
	for _, dir := range builtHere(t).layouts {
		eachImage(t, dir, func(name, platform string, img v1.Image) {
			if platform != "linux/"+runtime.GOARCH {
				return
			}
			t.Run(name, func(t *testing.T) { starts(t, img) })
		})
	}
}

func starts(t *testing.T, img v1.Image) {
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for dir := root; dir != "/"; dir = filepath.Dir(dir) {
		if dir == os.TempDir() {
			break
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range layers[1:] { // the first is the base's
		extract(t, l, root)
	}
	command := append(append([]string(nil), config.Config.Entrypoint...), config.Config.Cmd...)
	cmd := exec.Command(command[0], command[1:]...)
	// What the examples want to know beside their defaults.
	cmd.Env = append(config.Config.Env, "UPSTREAM=http://127.0.0.1:1/", "ALLOWED_HOSTS=localhost")
	cmd.Dir = "/"
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot:     root,
		Credential: &syscall.Credential{Uid: 65532, Gid: 65532},
		Cloneflags: syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		t.Errorf("it ended at once: %v\n%s", err, said.String())
	case <-time.After(time.Second):
		cmd.Process.Kill()
		<-ended
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
			err = os.MkdirAll(path, 0o755)
		case tar.TypeReg:
			var content []byte
			if content, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, content, os.FileMode(h.Mode))
			}
		default:
			t.Fatalf("%s is neither a folder nor a file", h.Name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
