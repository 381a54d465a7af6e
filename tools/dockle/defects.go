package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// A defect is what one image has more than the good one.
type defect struct {
	name    string
	config  func(c *v1.Config)
	files   []file // of a layer of their own
	deleted string // by a layer above
	step    string // of the history
}

// A file is at path in the layer, with the header's mode and owner.
type file struct {
	path    string
	content func() ([]byte, error)
	header  tar.Header
}

func text(s string) func() ([]byte, error) { return func() ([]byte, error) { return []byte(s), nil } }

func data(path, content string) file {
	return file{path, text(content), tar.Header{Mode: 0o444}}
}

func moded(path string, mode int64) file {
	return file{path, text("data"), tar.Header{Mode: mode}}
}

// The tokens are made up, and in two pieces, so that nobody takes them for real.
const githubToken = "ghp_" + "Ab3dE9gHiJ2lMnOpQ7stUvWx1zAb3dE9gHiJ"

var defects = []defect{
	{name: "no user", config: func(c *v1.Config) { c.User = "" }},
	{name: "user root", config: func(c *v1.Config) { c.User = "root" }},
	{name: "user 000:0", config: func(c *v1.Config) { c.User = "000:0" }},
	{name: "user +0:65532", config: func(c *v1.Config) { c.User = "+0:65532" }},
	{name: "user is a name of number 0", config: func(c *v1.Config) { c.User = "admin" }, files: []file{data("etc/passwd", "admin:x:0:0::/:/sbin/nologin\n")}},
	{name: "no group", config: func(c *v1.Config) { c.User = "65532" }},
	{name: "a member of root's group", files: []file{data("etc/group", "root:x:0:nonroot\n"), data("etc/passwd", "nonroot:x:65532:65532::/:/sbin/nologin\n")}},
	{name: "a password in the environment", config: func(c *v1.Config) { c.Env = append(c.Env, "DB_PASSWORD=hunter2") }},
	{name: "a token in the environment, by its form", config: func(c *v1.Config) { c.Env = append(c.Env, "UPSTREAM="+githubToken) }},
	{name: "a URL with a password in the environment", config: func(c *v1.Config) { c.Env = append(c.Env, "DATABASE_URL=postgres://app:hunter2@db/app") }},
	{name: "a token in a label", config: func(c *v1.Config) { c.Labels = map[string]string{"note": githubToken} }},
	{name: "a token in the history", step: "RUN |1 TOKEN=" + githubToken + " /bin/sh -c make"},
	{name: "a private key as .ssh/id_rsa", files: []file{{"root/.ssh/id_rsa", key, tar.Header{Mode: 0o400}}}},
	{name: "a private key as logo.png", files: []file{{"srv/logo.png", key, tar.Header{Mode: 0o444}}}},
	{name: "a private key, deleted by a layer above", files: []file{{"srv/logo.png", key, tar.Header{Mode: 0o444}}}, deleted: "srv/logo.png"},
	{name: "a private key in a zip archive", files: []file{{"srv/assets.zip", zipped("logo.png", key), tar.Header{Mode: 0o444}}}},
	{name: "a GitHub token in a file", files: []file{data("srv/config.js", "const token = '"+githubToken+"'")}},
	{name: "a setuid file", files: []file{moded("srv/a", 0o4555)}},
	{name: "a setuid file, deleted by a layer above", files: []file{moded("srv/a", 0o4555)}, deleted: "srv/a"},
	{name: "a file with capabilities", files: []file{{"srv/a", text("data"), tar.Header{Mode: 0o444, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}}}}},
	{name: "a file that everybody may write", files: []file{moded("srv/a", 0o666)}},
	{name: "a shell by its name", files: []file{moded("bin/sh", 0o555)}},
	{name: "curl by its name", files: []file{moded("usr/bin/curl", 0o555)}},
	{name: "apk by its name", files: []file{moded("sbin/apk", 0o555)}},
	{name: "strace by its name", files: []file{moded("usr/bin/strace", 0o555)}},
	{name: "the go command as logo.png", files: []file{{"srv/logo.png", goCommand, tar.Header{Mode: 0o444}}}},
	{name: "a script among the assets", files: []file{data("srv/run.txt", "#!/bin/sh\n")}},
	{name: "data with an x bit", files: []file{moded("srv/a", 0o544)}},
	{name: "the entrypoint belongs to the user", files: []file{{"app", program, tar.Header{Mode: 0o755, Uid: 65532}}}},
	{name: "the entrypoint in shell form", config: func(c *v1.Config) { c.Entrypoint = []string{"/bin/sh", "-c", "/app"} }},
	{name: "the entrypoint is relative", config: func(c *v1.Config) { c.Entrypoint = []string{"app"} }},
	{name: "the entrypoint is not there", config: func(c *v1.Config) { c.Entrypoint = []string{"/gone"} }},
	{name: "port 80", config: func(c *v1.Config) { c.ExposedPorts = map[string]struct{}{"80/tcp": {}} }},
	{name: "history: apt-get update alone", step: "RUN /bin/sh -c apt-get update"},
	{name: "history: apt-get install, well done", step: "RUN /bin/sh -c apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*"},
	{name: "history: sudo", step: "RUN /bin/sh -c sudo make"},
	{name: "a base past its end of life", files: []file{data("etc/os-release", "ID=alpine\nVERSION_ID=3.16.0\n")}},
	{name: "no root certificates", files: []file{data("etc/ssl/certs/ca-certificates.crt", "")}},
	{name: "an account with an empty password", files: []file{data("etc/shadow", "nonroot::19000:0:99999:7:::\n")}},
	{name: "two accounts of one number", files: []file{data("etc/passwd", "a:x:7:7::/:/sbin/nologin\nb:x:7:7::/:/sbin/nologin\n")}},
}

// image makes the good image, with the defect.
func (d defect) image() (v1.Image, error) {
	base := []file{
		{"app", program, tar.Header{Mode: 0o555}},
		{"etc/ssl/certs/ca-certificates.crt", certificate, tar.Header{Mode: 0o444}},
	}
	img := empty.Image
	var history []v1.History
	for i, files := range [][]file{base, d.files} {
		if len(files) == 0 {
			continue
		}
		var err error
		if img, err = appendLayer(img, files); err != nil {
			return nil, err
		}
		history = append(history, v1.History{CreatedBy: fmt.Sprintf("COPY %d /", i)})
	}
	if d.deleted != "" {
		var err error
		dir, base := filepath.Split(d.deleted)
		if img, err = appendLayer(img, []file{data(dir+".wh."+base, "")}); err != nil {
			return nil, err
		}
		history = append(history, v1.History{CreatedBy: "RUN rm"})
	}
	if d.step != "" {
		history = append(history, v1.History{CreatedBy: d.step, EmptyLayer: true})
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.History = "linux", "amd64", history
	config.Config = v1.Config{User: "65532:65532", Entrypoint: []string{"/app"}, Env: []string{"PATH=/usr/bin"}}
	if d.config != nil {
		d.config(&config.Config)
	}
	return mutate.ConfigFile(img, config)
}

func appendLayer(img v1.Image, files []file) (v1.Image, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		content, err := f.content()
		if err != nil {
			return nil, err
		}
		h := f.header
		h.Name, h.Typeflag, h.Size = f.path, tar.TypeReg, int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		return nil, err
	}
	return mutate.AppendLayers(img, layer)
}

// program is the smallest there is, as Temper would build it.
var program = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "temper-dockle-program-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for name, content := range map[string]string{"go.mod": "module example.com/app\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", "app", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=", "GOWORK=off")
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, said)
	}
	return os.ReadFile(filepath.Join(dir, "app"))
})

// goCommand is a program that everybody has who runs this.
func goCommand() ([]byte, error) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "bin", "go"))
}

func key() ([]byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// certificate only has to look like one.
func certificate() ([]byte, error) {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("root")}), nil
}

func zipped(name string, content func() ([]byte, error)) func() ([]byte, error) {
	return func() ([]byte, error) {
		raw, err := content()
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(raw); err != nil {
			return nil, err
		}
		err = z.Close()
		return b.Bytes(), err
	}
}
