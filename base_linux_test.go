package temper_test

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// needy is a program that wants all that a base is there for: root
// certificates, time zones, users, a name service, temporary files, a home.
const needy = `package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"time"
)

func must(what string, err error) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}

func main() {
	certificates()
	handshake()
	zones()
	users()
	files()
	log.Print("all is there")
}

// certificates wants every root of the file in the system's pool.
func certificates() {
	rest, err := os.ReadFile(os.Getenv("SSL_CERT_FILE"))
	must("root certificates", err)
	n := 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		root, err := x509.ParseCertificate(block.Bytes)
		must("a root", err)
		_, err = root.Verify(x509.VerifyOptions{CurrentTime: root.NotBefore.Add(time.Hour), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		must(root.Subject.String(), err)
		n++
	}
	if n < 100 {
		log.Fatalf("there are %d root certificates", n)
	}
}

// handshake talks TLS to a server whose certificate is one of those roots'.
func handshake() {
	pair, err := tls.X509KeyPair([]byte(os.Getenv("SERVER_CERT")), []byte(os.Getenv("SERVER_KEY")))
	must("the server's certificate", err)
	near, far := net.Pipe()
	must("a deadline", near.SetDeadline(time.Now().Add(10*time.Second)))
	go func() {
		server := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{pair}})
		server.Write([]byte("hello"))
		server.Close()
	}()
	client := tls.Client(near, &tls.Config{ServerName: "server.example.com"})
	must("TLS", client.Handshake())
	said := make([]byte, 5)
	_, err = client.Read(said)
	must("reading over TLS", err)
	if string(said) != "hello" {
		log.Fatalf("over TLS it says %q", said)
	}
	chains := client.ConnectionState().VerifiedChains
	if len(chains) != 1 || len(chains[0]) != 2 {
		log.Fatalf("the chains are %v", chains)
	}
	// A name that the certificate does not have is refused all the same.
	if _, err := chains[0][0].Verify(x509.VerifyOptions{DNSName: "other.example.com"}); err == nil {
		log.Fatal("any name will do")
	}
}

func zones() {
	for zone, want := range map[string]string{"Europe/Paris": "CEST", "America/New_York": "EDT", "Asia/Tokyo": "JST", "US/Pacific": "PDT"} {
		there, err := time.LoadLocation(zone)
		must("time zones", err)
		if name, _ := time.Date(2026, 7, 1, 0, 0, 0, 0, there).Zone(); name != want {
			log.Fatalf("in July it is %s in %s, want %s", name, zone, want)
		}
	}
}

func users() {
	me, err := user.Current()
	must("who I am", err)
	if me.Uid != "65532" || me.Gid != "65532" || me.Username != "nonroot" || me.HomeDir != "/home/nonroot" {
		log.Fatalf("I am %+v", me)
	}
	for name, id := range map[string]string{"root": "0", "nonroot": "65532", "nobody": "65534"} {
		found, err := user.Lookup(name)
		must("a user by name", err)
		if found.Uid != id || found.Gid != id {
			log.Fatalf("%s is %+v", name, found)
		}
		group, err := user.LookupGroupId(id)
		must("a group by number", err)
		if group.Name != name {
			log.Fatalf("group %s is %+v", id, group)
		}
	}
	if _, err := user.Lookup("somebody"); err == nil {
		log.Fatal("there is somebody")
	}
	addresses, err := net.LookupHost("127.0.0.1")
	must("an address", err)
	if len(addresses) != 1 {
		log.Fatalf("127.0.0.1 is %v", addresses)
	}
	nsswitch, err := os.ReadFile("/etc/nsswitch.conf")
	must("the order of name services", err)
	if !bytes.Contains(nsswitch, []byte("hosts: files dns")) {
		log.Fatalf("names are looked up by %s", nsswitch)
	}
	release, err := os.ReadFile("/etc/os-release")
	must("what this is", err)
	if !bytes.Contains(release, []byte("ID=temper-builtin\nVERSION_ID=")) {
		log.Fatalf("this is %s", release)
	}
}

func files() {
	tmp, err := os.Stat("/tmp")
	must("/tmp", err)
	if tmp.Mode() != os.ModeDir|os.ModeSticky|0o777 {
		log.Fatalf("/tmp is %v", tmp.Mode())
	}
	f, err := os.CreateTemp("", "x")
	must("temporary files", err)
	must("removing them", os.Remove(f.Name()))
	dir, err := os.MkdirTemp("", "x")
	must("temporary folders", err)
	must("removing them", os.Remove(dir))
	must("a home to write in", os.WriteFile(filepath.Join("/home/nonroot", "x"), nil, 0o600))
	for _, path := range []string{"/x", "/etc/x", "/etc/passwd", "/etc/ssl/certs/ca-certificates.crt", "/usr/share/zoneinfo/x", "/home/x"} {
		if f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600); err == nil {
			f.Close()
			log.Fatalf("%s can be written", path)
		}
	}
}
`

func TestBuiltinBaseIsComplete(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("changing the root takes root: run the tests with sudo to have this one")
	}
	command, err := temper()
	if err != nil {
		t.Fatal(err)
	}
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "oci")
	for name, content := range map[string]string{"go.mod": "module example.com/needy\n\ngo 1.26\n", "main.go": needy} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	platform := "linux/" + goEnv(t, "GOARCH")
	cmd := exec.Command(command, "build", "-C", dir, "-o", out, "--platform", platform)
	cmd.Env = append(os.Environ(), "TEMPER_CACHE="+t.TempDir())
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	img := onlyImage(t, out)
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if got := config.Config.WorkingDir; got != "/home/nonroot" {
		t.Errorf("it starts in %q, want /home/nonroot", got)
	}
	ours, certificate, key := anAuthority(t)
	layers = append(layers, oneFile(t, certFile, append(fileIn(t, layers[0], certFile), ours...)))
	said, ended := start(t, config.Config, layers, "SERVER_CERT="+certificate, "SERVER_KEY="+key)
	select {
	case err := <-ended:
		if err != nil || !strings.Contains(said.String(), "all is there") {
			t.Errorf("%v\n%s", err, said)
		}
	case <-time.After(time.Minute):
		t.Errorf("it does not end:\n%s", said)
	}
}

// onlyImage is the image of one platform that a layout holds.
func onlyImage(t *testing.T, dir string) v1.Image {
	t.Helper()
	index, m := openLayout(t, dir)
	for _, d := range m.Manifests {
		if d.Annotations["org.opencontainers.image.ref.name"] != "" {
			img, err := index.Image(d.Digest)
			if err != nil {
				t.Fatal(err)
			}
			return img
		}
	}
	t.Fatalf("%s holds no image", dir)
	return nil
}

const certFile = "etc/ssl/certs/ca-certificates.crt"

// anAuthority returns a root, as PEM, and the certificate and key of a server
// that it vouches for.
func anAuthority(t *testing.T) (root []byte, certificate, key string) {
	t.Helper()
	issue := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) ([]byte, *x509.Certificate, *ecdsa.PrivateKey) {
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if parent == nil {
			parent, signer = template, own
		}
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour*24)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, own.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		made, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), made, own
	}
	root, authority, signer := issue(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ours"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	leaf, _, own := issue(&x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{"server.example.com"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, authority, signer)
	der, err := x509.MarshalECPrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return root, string(leaf), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

// oneFile returns a layer that holds one file.
func oneFile(t *testing.T, name string, content []byte) v1.Layer {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o444, Size: int64(len(content)), Typeflag: tar.TypeReg})
	if err == nil {
		_, err = w.Write(content)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return static.NewLayer(buf.Bytes(), types.OCIUncompressedLayer)
}

// fileIn returns the content of a file in a layer.
func fileIn(t *testing.T, l v1.Layer, name string) []byte {
	t.Helper()
	raw, err := l.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for r := tar.NewReader(raw); ; {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("looking for %s: %v", name, err)
		}
		if h.Name != name {
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
}
