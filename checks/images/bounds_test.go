package images

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
)

// What is odd, and no reason not to look: each is looked at, and what is bad in
// it is found.
func TestCheckLooksAtOddLayers(t *testing.T) {
	shell := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o444} }
	deep := strings.Repeat("d/", 2000) + "busybox"
	for _, tc := range []struct {
		name, rule, want string
		layer            v1.Layer
	}{
		{"zstd", "shell", "layer 0: /opt/zsh: zsh is a shell", zstdLayer(t, tarOf(t, shell("opt/zsh")))},
		{"Docker's media type", "shell", "layer 0: /opt/zsh: zsh is a shell", static.NewLayer(tarOf(t, shell("opt/zsh")), types.DockerUncompressedLayer)},
		{"a duplicate entry, the first of which is bad", "setuid", "layer 0: /opt/a: it is setuid to user 0 (mode 4755)", plain(tarOf(t,
			tar.Header{Name: "opt/a", Typeflag: tar.TypeReg, Mode: 0o4755}, tar.Header{Name: "opt/a", Typeflag: tar.TypeReg, Mode: 0o444}))},
		{"one name written in several ways", "shell", "layer 0: /bin/sh: sh is a shell", plain(tarOf(t, shell("/.//bin/./sh")))},
		{"a hard link to nothing", "shell", "layer 0: /bin/sh: sh is a shell", plain(tarOf(t, tar.Header{Name: "bin/sh", Typeflag: tar.TypeLink, Linkname: "gone"}))},
		{"a symbolic link out of the image", "shell", "layer 0: /bin/sh: sh is a shell", plain(tarOf(t, tar.Header{Name: "bin/sh", Typeflag: tar.TypeSymlink, Linkname: "../../../../bin/sh"}))},
		{"a path that is deep", "shell", "layer 0: /" + deep + ": busybox is a shell", plain(tarOf(t, shell(deep)))},
		{"device nodes and pipes before it", "shell", "layer 0: /bin/sh: sh is a shell", plain(tarOf(t,
			tar.Header{Name: "dev/mem", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 1, Mode: 0o666},
			tar.Header{Name: "dev/sda", Typeflag: tar.TypeBlock, Devmajor: 8, Mode: 0o666},
			tar.Header{Name: "run/pipe", Typeflag: tar.TypeFifo, Mode: 0o666}, shell("bin/sh")))},
		{"below a whiteout that is no name", "shell", "layer 0: /.wh./sh: sh is a shell", plain(tarOf(t, tar.Header{Name: ".wh.", Typeflag: tar.TypeReg}, shell(".wh./sh")))},
		{"a name that is no UTF-8", "setuid", `layer 0: "/opt/\xff": it is setuid to user 0 (mode 4555)`, plain(tarOf(t, tar.Header{Name: "opt/\xff", Typeflag: tar.TypeReg, Mode: 0o4555, Format: tar.FormatGNU}))},
		{"GNU's sparse file with a program in it", "only-executable", "layer 0: /opt/data: it is an ELF executable (mode 0444)", plain(sparseELF(t))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			img, err := mutate.AppendLayers(empty.Image, tc.layer)
			if err != nil {
				t.Fatal(err)
			}
			r, err := reportOn(img)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(findingsOf(r, tc.rule)); got != tc.want {
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
}

// plain is a layer that is not compressed.
func plain(raw []byte) v1.Layer { return static.NewLayer(raw, types.OCIUncompressedLayer) }

// zstdLayer compresses a layer as containerd and buildkit may.
func zstdLayer(t *testing.T, raw []byte) v1.Layer {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	packed := w.EncodeAll(raw, nil)
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed)), nil }, tarball.WithMediaType(types.OCILayerZStd))
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

// sparseELF returns a tar in which a file of GNU's old sparse form begins with
// an ELF header, and goes on with a hole.
func sparseELF(t *testing.T) []byte {
	t.Helper()
	const data, size = 512, 1 << 20
	raw := tarOf(t, tar.Header{Name: "opt/data", Typeflag: tar.TypeReg, Mode: 0o444, Size: data, Format: tar.FormatGNU})
	copy(raw[512:], "\x7fELF\x02\x01\x01")
	raw[156] = tar.TypeGNUSparse
	copy(raw[386:], fmt.Sprintf("%011o\x00%011o\x00", 0, data)) // the one piece that is there
	copy(raw[483:], fmt.Sprintf("%011o\x00", size))
	resum(raw)
	return raw
}

// Every bound ends in an error, before memory or time does.
func TestCheckRefusesWhatHasNoEnd(t *testing.T) {
	const nowhere = `sha256:0000000000000000000000000000000000000000000000000000000000000000`
	folder := tarOf(t, tar.Header{Name: "a/", Typeflag: tar.TypeDir, Format: tar.FormatUSTAR})[:512]
	longName := tarOf(t, tar.Header{Name: "././@LongLink", Typeflag: tar.TypeReg, Format: tar.FormatGNU})[:512]
	longName[156] = tar.TypeGNULongName
	copy(longName[124:], fmt.Sprintf("%011o\x00", 1<<32))
	resum(longName)
	for _, tc := range []struct {
		name, want string
		artifact   mutate.Appendable
	}{
		{"layers", "more than 1024", many{empty.Image, slices.Repeat([]v1.Layer{plain(nil)}, maxLayers+1)}},
		{"entries", "more than 1048576 files", many{empty.Image, []v1.Layer{endless{folder}}}},
		{"a name", "header field too long", many{empty.Image, []v1.Layer{endless{slices.Concat(longName, make([]byte, 2<<20))}}}},
		{"an index that leads to itself", "more than 256 manifests", index{raw: []byte(`{"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.index.v1+json", "size": 1, "digest": "` + nowhere + `"}]}`)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := reportOn(tc.artifact)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Check = %v, %v, want an error that says %q", r, err, tc.want)
			}
		})
	}
}

// many is an image of the layers, whatever they are.
type many struct {
	v1.Image
	layers []v1.Layer
}

func (m many) Layers() ([]v1.Layer, error) { return m.layers, nil }

func (m many) ConfigFile() (*v1.ConfigFile, error) {
	file, err := m.Image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.RootFS.DiffIDs = make([]v1.Hash, len(m.layers))
	return file, nil
}

// An endless layer is one piece again and again.
type endless struct{ piece []byte }

func (e endless) Digest() (v1.Hash, error)             { return v1.Hash{}, nil }
func (e endless) DiffID() (v1.Hash, error)             { return v1.Hash{}, nil }
func (e endless) Size() (int64, error)                 { return 1 << 40, nil }
func (e endless) MediaType() (types.MediaType, error)  { return types.OCIUncompressedLayer, nil }
func (e endless) Compressed() (io.ReadCloser, error)   { return e.Uncompressed() }
func (e endless) Uncompressed() (io.ReadCloser, error) { return &repeated{piece: e.piece}, nil }

type repeated struct {
	piece []byte
	at    int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		k := copy(p[n:], r.piece[r.at:])
		n, r.at = n+k, (r.at+k)%len(r.piece)
	}
	return n, nil
}

func (r *repeated) Close() error { return nil }

// resum corrects the sum of a tar's header that was changed.
func resum(header []byte) {
	var sum int
	for i, c := range header[:512] {
		if i >= 148 && i < 156 {
			c = ' '
		}
		sum += int(c)
	}
	copy(header[148:156], fmt.Sprintf("%06o\x00 ", sum))
}
