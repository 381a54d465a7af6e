package temper_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// needy is a program that wants all that a base is there for: root
// certificates, time zones, users, a name service, temporary files, a home.
const needy = `package main

import (
	"crypto/x509"
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
	pool, err := x509.SystemCertPool()
	must("root certificates", err)
	if pool.Equal(x509.NewCertPool()) {
		log.Fatal("there are no root certificates")
	}
	paris, err := time.LoadLocation("Europe/Paris")
	must("time zones", err)
	if name, offset := time.Date(2026, 7, 1, 0, 0, 0, 0, paris).Zone(); name != "CEST" || offset != 7200 {
		log.Fatalf("in July it is %s in Paris, %d s from UTC", name, offset)
	}
	me, err := user.Current()
	must("who I am", err)
	nonroot, err := user.Lookup("nonroot")
	must("a user by name", err)
	if me.Uid != "65532" || nonroot.Uid != me.Uid || me.Username != "nonroot" {
		log.Fatalf("I am %+v, nonroot is %+v", me, nonroot)
	}
	group, err := user.LookupGroupId("65532")
	must("a group by number", err)
	if group.Name != "nonroot" {
		log.Fatalf("my group is %+v", group)
	}
	if _, err := user.Lookup("root"); err != nil {
		log.Fatal(err)
	}
	addresses, err := net.LookupHost("127.0.0.1")
	must("an address", err)
	if len(addresses) != 1 {
		log.Fatalf("127.0.0.1 is %v", addresses)
	}
	f, err := os.CreateTemp("", "x")
	must("temporary files", err)
	must("removing them", os.Remove(f.Name()))
	must("a home to write in", os.WriteFile(filepath.Join(me.HomeDir, "x"), nil, 0o600))
	if os.WriteFile("/etc/x", nil, 0o600) == nil {
		log.Fatal("/etc can be written")
	}
	log.Print("all is there")
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
	said, ended := start(t, config.Config, layers)
	select {
	case err := <-ended:
		if err != nil {
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
