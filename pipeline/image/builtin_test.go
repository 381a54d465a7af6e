package image

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"go/build"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"golang.org/x/crypto/x509roots/fallback/bundle"
	"golang.org/x/mod/modfile"
)

// The digest of the built-in base, of BuiltinVersion 1. If it changes, so has
// what every image stands on: raise BuiltinVersion, and say in the commit what
// is new in it.
const builtinDigest = "sha256:074a2fd2ffe99239ad0295eef8e06b3b127037a81a7b31454944d601d836163a"

func TestBuiltin(t *testing.T) {
	if BuiltinVersion != 1 {
		t.Errorf("BuiltinVersion is %d: write the digest of the new one here", BuiltinVersion)
	}
	base := must(Builtin())(t)
	if got := base.Digest.String(); got != builtinDigest {
		t.Errorf("the built-in base is %s, want %s", got, builtinDigest)
	}
	check(t, validate.Index(base.index))
	if again := must(makeBuiltin())(t); again.Digest != base.Digest {
		t.Errorf("made again, the built-in base is %s, want %s", again.Digest, base.Digest)
	}
}

// builtinLayer returns the one layer of all platforms.
func builtinLayer(t testing.TB) v1.Layer {
	t.Helper()
	base := must(Builtin())(t)
	var layer v1.Layer
	for _, p := range builtinPlatforms {
		img := must(base.Image(p))(t)
		layers := must(img.Layers())(t)
		if len(layers) != 1 {
			t.Fatalf("the base for %s has %d layers, want 1", p, len(layers))
		}
		if layer != nil && digestOf(t, layer) != digestOf(t, layers[0]) {
			t.Fatalf("the base for %s has a layer of its own", p)
		}
		layer = layers[0]
	}
	return layer
}

func TestBuiltinFiles(t *testing.T) {
	layer := builtinLayer(t)
	nothingVaries(t, layer)
	lines := slices.DeleteFunc(listing(t, layer), func(line string) bool {
		return strings.Contains(line, zoneDir[1:]) && !strings.HasSuffix(line, zoneDir[1:]) && !strings.HasSuffix(line, "/Asia/Tokyo")
	})
	want := []string{
		"d0755 0:0 etc/",
		"-0444 0:0 etc/group",
		"-0444 0:0 etc/nsswitch.conf",
		"-0444 0:0 etc/os-release",
		"-0444 0:0 etc/passwd",
		"d0755 0:0 etc/ssl/",
		"d0755 0:0 etc/ssl/certs/",
		"-0444 0:0 etc/ssl/certs/ca-certificates.crt",
		"d0755 0:0 home/",
		"d0700 65532:65532 home/nonroot/",
		"d1777 0:0 tmp/",
		"d0755 0:0 usr/",
		"d0755 0:0 usr/share/",
		"d0755 0:0 usr/share/zoneinfo/",
		"-0444 0:0 usr/share/zoneinfo/Asia/Tokyo",
		"h0444 0:0 usr/share/zoneinfo/Japan -> usr/share/zoneinfo/Asia/Tokyo",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("the base does not hold the expected files (-want +got):\n%s", diff)
	}
	if size := must(layer.Size())(t); size > 400<<10 {
		t.Errorf("the base has %d bytes, want a few hundred kilobytes", size)
	}
}

// Nothing in the base can be executed, neither by its mode nor by what it is.
func TestBuiltinHasNothingToExecute(t *testing.T) {
	raw := must(readAll(builtinLayer(t).Uncompressed()))(t)
	r := tar.NewReader(bytes.NewReader(raw))
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		check(t, err)
		if h.Typeflag == tar.TypeDir {
			continue
		}
		if h.Mode&0o7333 != 0 {
			t.Errorf("%s has the mode %04o, want it to be read and nothing else", h.Name, h.Mode)
		}
		content := must(io.ReadAll(r))(t)
		if bytes.HasPrefix(content, []byte("\x7fELF")) || bytes.HasPrefix(content, []byte("#!")) {
			t.Errorf("%s is an executable", h.Name)
		}
	}
}

// Every root is one that Mozilla trusts without a condition, in PEM that x509
// takes.
func TestBuiltinRoots(t *testing.T) {
	var want, got []string
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			want = append(want, sum(root.Certificate).Hex)
		}
	}
	rest := roots()
	if !x509.NewCertPool().AppendCertsFromPEM(rest) {
		t.Error("x509 takes no certificate of the file")
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		cert := must(x509.ParseCertificate(block.Bytes))(t)
		if !cert.IsCA {
			t.Errorf("%s is not an authority", cert.Subject)
		}
		got = append(got, sum(cert.Raw).Hex)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(rest) > 0 {
		t.Errorf("the roots are not the expected ones (-want +got):\n%s\nand %q", diff, rest)
	}
	if len(got) < 100 {
		t.Errorf("there are %d roots, want more than a hundred", len(got))
	}
}

// A constant that says where the roots are from is worth what this test is.
func TestRootsVersion(t *testing.T) {
	const module = "golang.org/x/crypto/x509roots/fallback"
	file := filepath.Join("..", "..", "go.mod")
	mod := must(modfile.Parse(file, must(os.ReadFile(file))(t), nil))(t)
	var versions []string
	for _, r := range mod.Require {
		if r.Mod.Path == module {
			versions = append(versions, r.Mod.Version)
		}
	}
	for _, r := range mod.Replace {
		if r.Old.Path == module {
			versions = append(versions, r.New.String())
		}
	}
	if diff := cmp.Diff([]string{RootsVersion}, versions); diff != "" {
		t.Errorf("RootsVersion is not the version in go.mod (-RootsVersion +go.mod):\n%s", diff)
	}
}

// zoneDataSum is the digest of zoneinfo.zip, which does not say itself of what
// release it is. Who replaces the file changes ZoneDataVersion as well.
const zoneDataSum = "8f55634d05f8bca1f7bc7c69c5933428c69357e0bdf565e5ba224e3f88ff12e8"

func TestZoneDataVersion(t *testing.T) {
	if got := sum(must(zoneinfo())(t)).Hex; ZoneDataVersion != "2025c" || got != zoneDataSum {
		t.Errorf("zoneinfo.zip of %s is %s, want %s of 2025c", ZoneDataVersion, got, zoneDataSum)
	}
	// Go says what it has, but need not be the Go that the file was taken from.
	lib := filepath.Join(build.Default.GOROOT, "lib", "time")
	script, err := os.ReadFile(filepath.Join(lib, "update.bash"))
	if err != nil {
		t.Skipf("Go's own zone data is not there to compare with: %v", err)
	}
	data := regexp.MustCompile(`(?m)^DATA=(\S+)$`).FindSubmatch(script)
	if data == nil || string(data[1]) != ZoneDataVersion {
		t.Skipf("the Go at hand has zone data %s; to compare, have one with %s", data, ZoneDataVersion)
	}
	if got := sum(must(os.ReadFile(filepath.Join(lib, "zoneinfo.zip")))(t)).Hex; got != zoneDataSum {
		t.Errorf("Go's zone data of %s is %s, and the base's %s", ZoneDataVersion, got, zoneDataSum)
	}
}

// The base has every zone that Go knows, and Go reads each, hard link or not.
func TestBuiltinZones(t *testing.T) {
	content, links := make(map[string][]byte), make(map[string]string)
	r := tar.NewReader(bytes.NewReader(must(readAll(builtinLayer(t).Uncompressed()))(t)))
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		check(t, err)
		switch h.Typeflag {
		case tar.TypeReg:
			content[h.Name] = must(io.ReadAll(r))(t)
		case tar.TypeLink:
			if content[h.Linkname] == nil {
				t.Errorf("%s is a link to %s, which does not come before it", h.Name, h.Linkname)
			}
			links[h.Name] = h.Linkname
		}
	}
	if len(links) < 50 {
		t.Errorf("there are %d hard links, want one for every other name of a zone", len(links))
	}
	zones := must(zoneinfo())(t)
	archive := must(zip.NewReader(bytes.NewReader(zones), int64(len(zones))))(t)
	for _, f := range archive.File {
		name := zoneDir[1:] + f.Name
		got := content[name]
		if to, ok := links[name]; ok {
			got = content[to]
		}
		if want := must(readAll(f.Open()))(t); !bytes.Equal(got, want) {
			t.Errorf("%s is not what zoneinfo.zip has", f.Name)
		}
		if _, err := time.LoadLocationFromTZData(f.Name, got); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/Coyhaique" /* since 2025b */, "US/Pacific" /* backward */} {
		if name := zoneDir[1:] + zone; content[name] == nil && links[name] == "" {
			t.Errorf("there is no zone %s", zone)
		}
	}
}
