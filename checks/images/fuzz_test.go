package images

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"path"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/tools/txtar"

	"temper/checks"
)

// FuzzLayer takes any bytes for a layer, and holds its entries to what the rules
// rely on.
func FuzzLayer(f *testing.F) {
	f.Add(tarFiles(f, "etc/passwd", "root:x:0:0::/:\n"))
	f.Add(tarFiles(f, ".wh.a", "", "a/.wh..wh..opq", "", "app", "\x7fELF\x02\x01\x01"))
	f.Add(tarFiles(f, "etc/ssl/certs/ca-certificates.crt", "-----BEGIN CERTIFICATE-----", "x.tar", string(tarFiles(f, "run", "#!/bin/sh"))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		img, err := mutate.Append(empty.Image, mutate.Addendum{Layer: static.NewLayer(raw, types.OCIUncompressedLayer)})
		if err != nil {
			t.Skip() // it is not for us to make a layer of it
		}
		img = withConfig(t, img, v1.Config{User: "a:b", Entrypoint: []string{"/app"}})
		checkTwice(t, img)
		read, err := Read(t.Context(), img)
		if err != nil {
			return
		}
		for i := range read.Entries {
			e := &read.Entries[i]
			if e.Path != path.Clean(e.Path) || path.IsAbs(e.Path) || e.Path == ".." || strings.HasPrefix(e.Path, "../") {
				t.Errorf("an entry's path is %q", e.Path)
			}
			if e.Layer != 0 || e.Format == ELF && e.Facts == nil && e.Unreadable == "" {
				t.Errorf("entry %+v", e)
			}
			if strings.ContainsAny(e.Place(), "\x1b\n\r") {
				t.Errorf("the place %q is not for a terminal", e.Place())
			}
		}
	})
}

// checkTwice checks an image, which has to say the same twice.
func checkTwice(t *testing.T, img mutate.Appendable) {
	t.Helper()
	one, err := reportOn(img)
	if (one == nil) == (err == nil) {
		t.Fatalf("Check = %v, %v", one, err)
	}
	two, err2 := reportOn(img)
	if (err == nil) != (err2 == nil) {
		t.Fatalf("Check says %v, and then %v", err, err2)
	}
	a, errA := json.Marshal(one)
	b, errB := json.Marshal(two)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("Check says %s, %v, and then %s, %v", a, errA, b, errB)
	}
}

// FuzzConfig takes any configuration for that of an image with files in it.
func FuzzConfig(f *testing.F) {
	for _, config := range seeds(f, "config") {
		f.Add([]byte(`{"os": "linux", "architecture": "amd64", "config": ` + string(config) + `, "history": [{"created_by": "RUN |1 TOKEN=x apk add curl"}]}`))
	}
	layer := static.NewLayer(tarFiles(f, "etc/passwd", "a:x:0:0:::\n", "etc/group", "b:x:0:\n", "etc/os-release", "ID=debian\nVERSION_ID=9\n", "app", "\x7fELF"), types.OCIUncompressedLayer)
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		f.Fatal(err)
	}
	diffID, err := layer.DiffID()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkTwice(t, configured{img, raw})
		file, err := v1.ParseConfigFile(bytes.NewReader(raw))
		if err != nil {
			return
		}
		// What of it is about layers has to be right to get any further.
		file.RootFS.DiffIDs = []v1.Hash{diffID}
		if raw, err = json.Marshal(file); err != nil {
			return
		}
		checkTwice(t, configured{img, raw})
	})
}

// A configured image has another configuration than its layers were made with.
type configured struct {
	v1.Image
	raw []byte
}

func (c configured) RawConfigFile() ([]byte, error)      { return c.raw, nil }
func (c configured) ConfigFile() (*v1.ConfigFile, error) { return partial.ConfigFile(c) }

// FuzzIndex takes any bytes for an index, in which every digest that it names is
// there.
func FuzzIndex(f *testing.F) {
	const digest = `sha256:0000000000000000000000000000000000000000000000000000000000000000`
	for _, manifests := range []string{
		`{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "` + digest + `", "size": 1, "platform": {"os": "linux", "architecture": "amd64"}}`,
		`{"mediaType": "application/vnd.oci.image.index.v1+json", "digest": "` + digest + `", "size": 1}`,
		`{"mediaType": "application/vnd.docker.distribution.manifest.v2+json", "digest": "` + digest + `", "platform": {"os": "unknown"}}`,
	} {
		f.Add([]byte(`{"schemaVersion": 2, "manifests": [` + manifests + `]}`))
	}
	img, err := mutate.AppendLayers(empty.Image, static.NewLayer(tarFiles(f, "app", ""), types.OCIUncompressedLayer))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkTwice(t, index{img: img, raw: raw})
	})
}

// An index holds one image and itself under every digest.
type index struct {
	img v1.Image
	raw []byte
}

func (x index) Digest() (v1.Hash, error)                  { return empty.Index.Digest() }
func (x index) MediaType() (types.MediaType, error)       { return types.OCIImageIndex, nil }
func (x index) Size() (int64, error)                      { return int64(len(x.raw)), nil }
func (x index) RawManifest() ([]byte, error)              { return x.raw, nil }
func (x index) Image(v1.Hash) (v1.Image, error)           { return x.img, nil }
func (x index) ImageIndex(v1.Hash) (v1.ImageIndex, error) { return x, nil }
func (x index) IndexManifest() (*v1.IndexManifest, error) {
	m, err := v1.ParseIndexManifest(bytes.NewReader(x.raw))
	if err == nil && m == nil {
		err = errors.New("no manifest")
	}
	return m, err
}

// FuzzSecrets holds the finder to what it promises: it finds the same however a
// text is cut, and never says what it found.
func FuzzSecrets(f *testing.F) {
	for _, c := range credentials {
		f.Add([]byte(c.needle))
	}
	for _, file := range []string{"testdata/secret/tokens.txtar", "testdata/secret/none.txtar"} {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			f.Add(bytes.ReplaceAll(file.Data, []byte("{.}"), nil))
		}
	}
	keys, err := makeKeys()
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"sec1", "sigstore", "openssh"} {
		f.Add([]byte(keys[name]))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		find := func(parts ...[]byte) string {
			found := &secretFinder{netrc: true}
			s := newScanner(credentialNeedles(), found.credential)
			defer s.Close()
			for _, part := range parts {
				s.Write(part)
			}
			s.Flush()
			return strings.Join(found.all(), "\n")
		}
		whole, cut := find(raw), find(raw[:len(raw)/2], raw[len(raw)/2:])
		if whole != cut {
			t.Errorf("in one piece %q, in two %q", whole, cut)
		}
		for said := range strings.Lines(whole) {
			if !strings.HasPrefix(said, "it holds a") {
				t.Errorf("the finder says %q", said)
			}
		}
	})
}

// FuzzAccounts takes any texts for the files of an image by which its user and
// its base are judged. The user rule and runtimes agree on who is root.
func FuzzAccounts(f *testing.F) {
	f.Add("000:0", "root:x:0:0::/:\n", "root:x:0:\n", "ID=debian\nVERSION_ID=9\n")
	f.Add("app", "app:x:10:0\napp\n:\n", "app:x:+0\n", "ID=\"alpine\"\nVERSION_ID='3.20.1'\nPRETTY_NAME=Distroless\n")
	f.Fuzz(func(t *testing.T, as, passwd, group, release string) {
		img := &Image{Config: &v1.ConfigFile{Config: v1.Config{User: as}}, Entries: []Entry{
			{Path: "etc/passwd", Type: tar.TypeReg, content: []byte(passwd)},
			{Path: "etc/group", Type: tar.TypeReg, content: []byte(group)},
			{Path: "etc/os-release", Type: tar.TypeReg, content: []byte(release)},
		}}
		img.tree = newTree(img.Entries)
		r, err := checks.Run(t.Context(), checks.Subject{Name: "case"}, "", img, []*checks.Check[*Image]{user, baseEOL})
		if err != nil {
			t.Fatal(err)
		}
		uid, gid, both := strings.Cut(as, ":")
		zero := func(s string) bool { return strings.Trim(s, "+-0") == "" }
		if findingsOf(r, "user") == "" && (!both || zero(uid) || zero(gid)) {
			t.Errorf("user %q passes", as)
		}
	})
}

// seeds are the sections of one name of all cases.
func seeds(f *testing.F, name string) (list [][]byte) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatal("no cases", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, section := range archive.Files {
			if section.Name == name {
				list = append(list, section.Data)
			}
		}
	}
	return list
}

// tarFiles makes a layer of names, each followed by its content.
func tarFiles(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o444, Typeflag: tar.TypeReg, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
