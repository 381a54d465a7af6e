package engine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"dagger.io/dagger"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
)

// A corp is what a company keeps to itself, on this machine's loopback: a host
// with Git repositories, by HTTPS and by SSH, a proxy of modules, and a proxy to
// the outside. An engine reaches them as services of the host of the test.
type corp struct {
	// ca is the certificate, in PEM, that vouches for the hosts.
	ca string
	// files is the tree that the module proxy serves, repos what Git does.
	files, repos      string
	https, ssh, proxy net.Listener
	// agent is the socket of an agent with the key that SSH takes.
	agent string
	// asked counts what the hosts answered to those who logged in, cloned what was
	// had by SSH, and through what came by the proxy.
	asked, cloned, through atomic.Int32
}

// The hosts have one certificate, and listen at one port.
const (
	gitHost    = "git.corp.test"
	moduleHost = "modules.corp.test"
	proxyHost  = "proxy.corp.test"

	robot         = "robot"
	robotPassword = "a-password-that-nobody-may-see"
)

// netrc is what logs in to both hosts.
const netrc = "machine " + gitHost + " login " + robot + " password " + robotPassword + "\n" +
	"machine " + moduleHost + " login " + robot + " password " + robotPassword + "\n"

func newCorp(t *testing.T) *corp {
	t.Helper()
	c := &corp{files: t.TempDir(), repos: t.TempDir()}
	pair, ca := certify(t, gitHost, moduleHost, GoProxyHost)
	c.ca = ca
	c.https = listen(t)
	c.proxy = listen(t)
	c.serveSSH(t)
	quiet := log.New(io.Discard, "", 0) // who does not know the certificate is told so by its own error
	hosts := &http.Server{Handler: http.HandlerFunc(c.serve), TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}, ErrorLog: quiet}
	outside := &http.Server{Handler: http.HandlerFunc(c.forward), ErrorLog: quiet}
	go hosts.ServeTLS(c.https, "", "")
	go outside.Serve(c.proxy)
	t.Cleanup(func() { hosts.Close(); outside.Close() })
	return c
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// certify makes a certificate for the hosts, and that of who vouches for it.
func certify(t *testing.T, hosts ...string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the company's own"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: hosts, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	root, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key},
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root}))
}

// serve is both hosts. Where a module's repository is, they tell everybody, as
// GitLab and Gitea do; what is in it, only who logs in.
func (c *corp) serve(w http.ResponseWriter, r *http.Request) {
	if r.Host == gitHost && r.FormValue("go-get") == "1" {
		repo := gitHost + r.URL.Path
		fmt.Fprintf(w, `<meta name="go-import" content="%s git https://%s">`, repo, repo)
		return
	}
	if user, password, _ := r.BasicAuth(); user != robot || password != robotPassword {
		w.Header().Set("WWW-Authenticate", `Basic realm="corp"`)
		http.Error(w, "log in first", http.StatusUnauthorized)
		return
	}
	c.asked.Add(1)
	if r.Host != gitHost { // it may be called by another name
		http.FileServer(http.Dir(c.files)).ServeHTTP(w, r)
		return
	}
	git, err := exec.LookPath("git")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	(&cgi.Handler{
		Path: git, Args: []string{"http-backend"}, Logger: log.New(io.Discard, "", 0), Stderr: io.Discard,
		Env: []string{"GIT_PROJECT_ROOT=" + c.repos, "GIT_HTTP_EXPORT_ALL=1"},
	}).ServeHTTP(w, r)
}

// forward is the proxy to the outside, where nothing is but the hosts.
func (c *corp) forward(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || r.Host != gitHost+":443" && r.Host != moduleHost+":443" {
		http.Error(w, "there is no "+r.Host, http.StatusBadGateway)
		return
	}
	out, err := net.Dial("tcp", c.https.Addr().String())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer out.Close()
	w.WriteHeader(http.StatusOK)
	in, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer in.Close()
	c.through.Add(1)
	go func() {
		io.Copy(out, in)
		out.Close()
	}()
	io.Copy(in, out)
}

// forwarded is a port of a service on the engine that leads to a listener here.
func forwarded(port int, l net.Listener) dagger.PortForward {
	return dagger.PortForward{Frontend: port, Backend: l.Addr().(*net.TCPAddr).Port}
}

// toolchain is the default one as the company has it: it knows its certificate,
// and the hosts that are named.
func (c *corp) toolchain(client *dagger.Client, hosts ...string) *dagger.Container {
	const file = "/etc/ssl/corp.pem"
	with := client.Container().From(DefaultToolchain).
		WithNewFile(file, c.ca).
		WithEnvVariable("SSL_CERT_FILE", file).
		WithEnvVariable("GIT_SSL_CAINFO", file)
	for _, host := range hosts {
		ports := []dagger.PortForward{forwarded(443, c.https)}
		switch host {
		case gitHost:
			ports = append(ports, forwarded(22, c.ssh))
		case proxyHost:
			ports = []dagger.PortForward{forwarded(3128, c.proxy)}
		}
		with = with.WithServiceBinding(host, client.Host().Service(ports))
	}
	return with
}

// A library is a module of which there is the version v1.0.0, and what go.sum
// says of it.
type library struct {
	path        string
	sum, modSum string
}

// writeLibrary puts the files of a module into a folder.
func writeLibrary(t *testing.T, dir, modulePath string) library {
	t.Helper()
	lib := library{path: modulePath}
	write(t, filepath.Join(dir, "go.mod"), "module "+modulePath+"\n\ngo 1.26\n")
	write(t, filepath.Join(dir, "lib.go"), "package lib\n\n// Word is what a service says.\nfunc Word() string { return \"private\" }\n")
	write(t, filepath.Join(dir, "LICENSE"), "All rights reserved.\n")
	archive := filepath.Join(t.TempDir(), "lib.zip")
	zipLibrary(t, archive, dir, modulePath)
	var err error
	if lib.sum, err = dirhash.HashZip(archive, dirhash.Hash1); err != nil {
		t.Fatal(err)
	}
	lib.modSum, err = dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return os.Open(filepath.Join(dir, "go.mod"))
	})
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

func zipLibrary(t *testing.T, archive, dir, modulePath string) {
	t.Helper()
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := modzip.CreateFromDir(f, module.Version{Path: modulePath, Version: "v1.0.0"}, dir); err != nil {
		t.Fatal(err)
	}
}

// repository is a module in a Git repository of the company.
func (c *corp) repository(t *testing.T, name string) library {
	t.Helper()
	dir := t.TempDir()
	lib := writeLibrary(t, dir, gitHost+"/"+name)
	bare := filepath.Join(c.repos, filepath.FromSlash(name))
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"},
		{"add", "."},
		{"-c", "user.name=test", "-c", "user.email=test@corp.test", "commit", "-q", "-m", "a library"},
		{"tag", "v1.0.0"},
		{"clone", "-q", "--bare", ".", bare},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
	return lib
}

// proxied is a module in a tree that a GOPROXY serves, as in cache/download of
// a module cache.
func proxied(t *testing.T, root, modulePath string) library {
	t.Helper()
	dir := t.TempDir()
	lib := writeLibrary(t, dir, modulePath)
	at := filepath.Join(root, filepath.FromSlash(modulePath), "@v")
	write(t, filepath.Join(at, "list"), "v1.0.0\n")
	write(t, filepath.Join(at, "v1.0.0.info"), `{"Version":"v1.0.0"}`)
	raw, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(at, "v1.0.0.mod"), string(raw))
	zipLibrary(t, filepath.Join(at, "v1.0.0.zip"), dir, modulePath)
	return lib
}

// consumer is the sources of a service that needs the module.
func consumer(t *testing.T, lib library) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module corp.test/consumer\n\ngo 1.26\n\nrequire "+lib.path+" v1.0.0\n")
	write(t, filepath.Join(dir, "go.sum"), lib.path+" v1.0.0 "+lib.sum+"\n"+lib.path+" v1.0.0/go.mod "+lib.modSum+"\n")
	write(t, filepath.Join(dir, "temper.yaml"), "go: 1.26.8\nplatforms: [linux/amd64]\nservices:\n  - name: consumer\n")
	write(t, filepath.Join(dir, "main.go"), fmt.Sprintf("package main\n\nimport %q\n\nfunc main() { println(lib.Word()) }\n", lib.path))
	return dir
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}
