package images

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/tools/txtar"

	"temper/checks/memory"
)

// A watched layer counts how often it is read, and may have other bytes than
// its digest says.
type watched struct {
	v1.Layer
	mediaType        types.MediaType
	diffID           v1.Hash
	packed, unpacked int
	otherBytes       bool
}

func (w *watched) MediaType() (types.MediaType, error) {
	if w.mediaType != "" {
		return w.mediaType, nil
	}
	return w.Layer.MediaType()
}

func (w *watched) DiffID() (v1.Hash, error) {
	if w.diffID.Hex != "" {
		return w.diffID, nil
	}
	return w.Layer.DiffID()
}

func (w *watched) Compressed() (io.ReadCloser, error) {
	w.packed++
	if w.otherBytes {
		return io.NopCloser(strings.NewReader("something else")), nil
	}
	return w.Layer.Compressed()
}

func (w *watched) Uncompressed() (io.ReadCloser, error) {
	w.unpacked++
	return w.Layer.Uncompressed()
}

// watch returns the image of a case with its layers watched.
func watch(t *testing.T, text string) (v1.Image, []*watched) {
	t.Helper()
	artifact, _ := parseImage(t, txtar.Parse([]byte(text+"-- want --\n")))
	img := artifact.(v1.Image)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	var all []*watched
	var adds []v1.Layer
	for _, l := range layers {
		w := &watched{Layer: l, mediaType: types.OCIUncompressedLayer} // so that it is asked for what is packed or for what is not
		all, adds = append(all, w), append(adds, w)
	}
	return rebuilt(t, config, adds...), all
}

func rebuilt(t *testing.T, config *v1.ConfigFile, layers ...v1.Layer) v1.Image {
	t.Helper()
	config = config.DeepCopy()
	config.RootFS.DiffIDs, config.History = nil, nil
	img, err := mutate.ConfigFile(empty.Image, config)
	if err != nil {
		t.Fatal(err)
	}
	if img, err = mutate.AppendLayers(img, layers...); err != nil {
		t.Fatal(err)
	}
	return img
}

const remembered = `
-- config --
{"Entrypoint": ["/app"], "User": "65532:65532"}
-- 0 etc/passwd 0644 --
root:x:0:0::/:/sbin/nologin
-- 0 usr/bin/tool 0755 --
ELF
BusyBox is a multi-call binary
applet not found
-- 1 app 0555 --
GO build -trimpath -ldflags=-s
-- 1 srv/key 0444 --
{pkcs8}
-- 1 srv/files.tar 0444 --
PACK tar inner/run
#!/bin/sh
-- 1 usr/bin/ping 0755 pax:SCHILY.xattr.security.capability=0100000200200000000000000000000000000000 --
ELF
`

func judge(t *testing.T, img v1.Image, opts Options) *Judgement {
	t.Helper()
	j, err := Check(t.Context(), "case", img, opts)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func memoryIn(t *testing.T, dir string) *Memory {
	t.Helper()
	m, err := NewMemory(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var unexported = cmp.AllowUnexported(Entry{}, tool{})

// Two names that JSON would make one of stay two, and so do other bytes.
func TestMemoryKeepsWhatIsNoUTF8(t *testing.T) {
	layer := plain(tarOf(t,
		tar.Header{Name: "\ufffd", Typeflag: tar.TypeDir, Mode: 0o755, Uid: 65532},
		tar.Header{Name: "\ufffd/app", Typeflag: tar.TypeReg, Mode: 0o555},
		tar.Header{Name: "\xff", Typeflag: tar.TypeDir, Mode: 0o755, Format: tar.FormatGNU},
		tar.Header{Name: "l", Linkname: "\xfe", Typeflag: tar.TypeSymlink, Format: tar.FormatGNU},
		tar.Header{Name: "p", Typeflag: tar.TypeReg, Mode: 0o444, PAXRecords: map[string]string{
			"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x80" + strings.Repeat("\x00", 15)}}))
	img := withConfig(t, rebuilt(t, &v1.ConfigFile{OS: "linux"}, layer), v1.Config{User: "65532:65532", Entrypoint: []string{"/\ufffd/app"}})
	dir := t.TempDir()
	want := judge(t, img, Options{Memory: memoryIn(t, dir)})
	if findingsOf(want.Report, "entrypoint-owner") == "" || findingsOf(want.Report, "capabilities") == "" {
		t.Fatalf("the case shows nothing: %v", want.Report.Findings)
	}
	got := judge(t, img, Options{Memory: memoryIn(t, dir)})
	if diff := cmp.Diff(want.Report, got.Report); diff != "" {
		t.Errorf("what is remembered differs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Images[0].Entries, got.Images[0].Entries, unexported); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestLayersAreReadOnce(t *testing.T) {
	img, layers := watch(t, remembered)
	want := judge(t, img, Options{})
	for _, rule := range []string{"shell", "secret", "only-executable", "capabilities"} {
		if findingsOf(want.Report, rule) == "" {
			t.Errorf("the case shows nothing of rule %s", rule)
		}
	}
	reset := func() {
		for _, l := range layers {
			l.packed, l.unpacked = 0, 0
		}
	}
	dir := t.TempDir()
	for _, tc := range []struct {
		name             string
		opts             Options
		packed, unpacked int
	}{
		{"first", Options{Memory: memoryIn(t, dir)}, 0, 1},
		{"later, in another process", Options{Memory: memoryIn(t, dir)}, 1, 0},
		{"later, in a registry", Options{Memory: memoryIn(t, dir), ByDigest: true}, 0, 0},
		{"without a memory", Options{}, 0, 1},
		{"in a memory of its own", Options{Memory: memoryIn(t, "")}, 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reset()
			got := judge(t, img, tc.opts)
			if diff := cmp.Diff(want.Report, got.Report); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.Images[0].Entries, got.Images[0].Entries, unexported); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			for i, l := range layers {
				// mutate reads what it hands out through the layer itself.
				if l.packed != tc.packed || l.unpacked != tc.unpacked {
					t.Errorf("layer %d was read %d times packed and %d times unpacked, want %d and %d", i, l.packed, l.unpacked, tc.packed, tc.unpacked)
				}
			}
		})
	}
}

// Within one run, images that share a layer read it once.
func TestSharedLayersAreReadOnce(t *testing.T) {
	img, layers := watch(t, remembered)
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.Author = "another"
	other := rebuilt(t, config, layers[0], layers[1])
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}},
		mutate.IndexAddendum{Add: other, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}})
	j, err := Check(t.Context(), "case", index, Options{Memory: memoryIn(t, "")})
	if err != nil {
		t.Fatal(err)
	}
	if len(j.Images) != 2 {
		t.Fatalf("%d images", len(j.Images))
	}
	for i, l := range layers {
		if l.unpacked != 1 {
			t.Errorf("layer %d was read %d times", i, l.unpacked)
		}
	}
}

// What is remembered stands for the very bytes, and for nothing that claims to
// be them.
func TestMemoryIsNotDeceived(t *testing.T) {
	img, layers := watch(t, remembered)
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	clean, _ := watch(t, `
-- config --
{"Entrypoint": ["/app"], "User": "65532:65532"}
-- 0 srv/text 0444 --
text
`)
	cleanLayers, err := clean.Layers()
	if err != nil {
		t.Fatal(err)
	}
	cleanID, err := cleanLayers[0].DiffID()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	judge(t, img, Options{Memory: memoryIn(t, dir)})
	judge(t, clean, Options{Memory: memoryIn(t, dir)})

	for _, tc := range []struct {
		name  string
		layer *watched
		want  string
	}{
		{"altered bytes", &watched{Layer: layers[0].Layer, otherBytes: true, mediaType: types.OCIUncompressedLayer}, "its bytes have digest"},
		{"the diff id of another layer", &watched{Layer: layers[0].Layer, diffID: cleanID}, "its content has digest"},
		{"a foreign layer", &watched{Layer: layers[0].Layer, mediaType: types.DockerForeignLayer}, "cannot be looked at"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			claims := rebuilt(t, config, tc.layer, layers[1])
			_, err := Check(t.Context(), "case", claims, Options{Memory: memoryIn(t, dir)})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one that says %q", err, tc.want)
			}
		})
	}
}

// A file of the memory that is not as it was written is no memory, nor is that
// of another program.
func TestMemoryThatIsDamaged(t *testing.T) {
	img, layers := watch(t, remembered)
	want := judge(t, img, Options{}).Report
	read := func(m *Memory) int {
		t.Helper()
		layers[0].unpacked = 0
		if diff := cmp.Diff(want, judge(t, img, Options{Memory: m}).Report); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
		return layers[0].unpacked
	}
	dir := t.TempDir()
	read(memoryIn(t, dir))
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v: %v", files, err)
	}
	for name, damage := range map[string]func([]byte) []byte{
		"edited":    func(b []byte) []byte { return bytes.Replace(b, []byte(`"Mode":420`), []byte(`"Mode":493`), 1) },
		"truncated": func(b []byte) []byte { return b[:len(b)/2] },
		"empty":     func([]byte) []byte { return nil },
	} {
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, damage(raw), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if n := read(memoryIn(t, dir)); n != 1 {
			t.Errorf("%s: the layer was read %d times, want once", name, n)
		}
		if n := read(memoryIn(t, dir)); n != 0 {
			t.Errorf("%s: after that it was read %d times, want none", name, n)
		}
	}
	folder, err := memory.OpenAs(dir, "another program")
	if err != nil {
		t.Fatal(err)
	}
	other := &Memory{folder: folder, layers: make(map[string]*recollection)}
	if n := read(other); n != 1 {
		t.Errorf("another program read the layer %d times, want once", n)
	}
}

// What was read of a tar before it was a layer is what Check finds, which does not read the
// layer; a tar of something else, or one that breaks off, is of no use to it.
func TestAhead(t *testing.T) {
	img, layers := watch(t, remembered)
	want := judge(t, img, Options{})
	(*Memory)(nil).Ahead(t.Context(), io.NopCloser(strings.NewReader(""))) // which holds nothing
	tars := func() (all []io.ReadCloser) {
		t.Helper()
		for _, l := range layers {
			tar, err := l.Layer.Uncompressed()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, tar)
		}
		return all
	}
	for _, tc := range []struct {
		name string
		tars []io.ReadCloser
		read int
	}{
		{"the tars", tars(), 0},
		{"others", []io.ReadCloser{io.NopCloser(bytes.NewReader(tarOf(t, tar.Header{Name: "a", Typeflag: tar.TypeDir, Mode: 0o755})))}, 1},
		{"halves", []io.ReadCloser{io.NopCloser(io.LimitReader(tars()[0], 700))}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := memoryIn(t, t.TempDir())
			for _, tar := range tc.tars {
				m.Ahead(t.Context(), tar)
			}
			for round, read := range []int{tc.read, 0} {
				for _, l := range layers {
					l.packed, l.unpacked = 0, 0
				}
				got := judge(t, img, Options{Memory: m, ByDigest: true})
				if diff := cmp.Diff(want.Report, got.Report); diff != "" {
					t.Errorf("round %d (-want +got):\n%s", round, diff)
				}
				if diff := cmp.Diff(want.Images[0].Entries, got.Images[0].Entries, unexported); diff != "" {
					t.Errorf("round %d: entries (-want +got):\n%s", round, diff)
				}
				for i, l := range layers {
					if l.packed+l.unpacked != read {
						t.Errorf("round %d: layer %d was read %d times, want %d", round, i, l.packed+l.unpacked, read)
					}
				}
			}
		})
	}
}
