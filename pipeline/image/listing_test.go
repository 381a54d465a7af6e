package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	archives "github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// kinds are the letters that listings write a kind with.
var kinds = map[byte]string{tar.TypeReg: "-", tar.TypeDir: "d", tar.TypeSymlink: "l", tar.TypeLink: "h", tar.TypeFifo: "p"}

// headers reads a layer's tar.
func headers(t testing.TB, l v1.Layer) []*tar.Header {
	t.Helper()
	raw := must(readAll(l.Uncompressed()))(t)
	var all []*tar.Header
	r := tar.NewReader(bytes.NewReader(raw))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		check(t, err)
		all = append(all, h)
	}
}

// listing says what is in a layer, a line for each entry: kind, mode, owner,
// name, and where a link leads.
func listing(t testing.TB, l v1.Layer) []string {
	t.Helper()
	var lines []string
	for _, h := range headers(t, l) {
		line := fmt.Sprintf("%s%04o %d:%d %s", kinds[h.Typeflag], h.Mode, h.Uid, h.Gid, h.Name)
		if h.Linkname != "" {
			line += " -> " + h.Linkname
		}
		lines = append(lines, line)
	}
	return lines
}

// nothingVaries fails the test where the tar has something that differs
// between machines, or where its entries are not sorted.
func nothingVaries(t testing.TB, l v1.Layer) {
	t.Helper()
	var names []string
	for _, h := range headers(t, l) {
		if !h.ModTime.Equal(time.Unix(0, 0)) || !h.AccessTime.IsZero() || !h.ChangeTime.IsZero() {
			t.Errorf("%s has a time: %v %v %v", h.Name, h.ModTime, h.AccessTime, h.ChangeTime)
		}
		if h.Uname != "" || h.Gname != "" {
			t.Errorf("%s belongs to %s:%s, want numbers", h.Name, h.Uname, h.Gname)
		}
		for key := range h.PAXRecords {
			if key != "path" && key != "linkpath" { // a name too long for USTAR
				t.Errorf("%s has a PAX record %s", h.Name, key)
			}
		}
		names = append(names, strings.TrimSuffix(h.Name, "/"))
	}
	if !slices.IsSorted(names) {
		t.Errorf("the entries are not sorted: %q", names)
	}
}

// layerOf makes a layer as another tool would, from lines as listing writes
// them; files hold their names.
func layerOf(t testing.TB, mediaType types.MediaType, lines ...string) v1.Layer {
	t.Helper()
	return must(archives.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(tarOf(t, lines...))), nil
	}, archives.WithMediaType(mediaType)))(t)
}

func tarOf(t testing.TB, lines ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, line := range lines {
		line, link, _ := strings.Cut(line, " -> ")
		h := &tar.Header{Linkname: link, ModTime: time.Unix(1e9, 0), Uname: "somebody"}
		var kind rune
		must(fmt.Sscanf(line, "%c%o %d:%d %s", &kind, &h.Mode, &h.Uid, &h.Gid, &h.Name))(t)
		for flag, letter := range kinds {
			if letter == string(kind) {
				h.Typeflag = flag
			}
		}
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		check(t, w.WriteHeader(h))
		if h.Typeflag == tar.TypeReg {
			must(io.WriteString(w, h.Name))(t)
		}
	}
	check(t, w.Close())
	return buf.Bytes()
}

// dockerImage makes an image as docker does, with docker's media types.
func dockerImage(t testing.TB, p v1.Platform, layers ...v1.Layer) v1.Image {
	t.Helper()
	img := must(mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: p.OS, Architecture: p.Architecture, Variant: p.Variant,
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User: "0", WorkingDir: "/base", Env: []string{"PATH=/bin", "LANG=C"},
			Entrypoint: []string{"/bin/sh"}, Cmd: []string{"-c"}, Labels: map[string]string{"of": "the base"},
		},
	}))(t)
	var adds []mutate.Addendum
	for _, l := range layers {
		adds = append(adds, mutate.Addendum{Layer: l, MediaType: must(l.MediaType())(t), History: v1.History{CreatedBy: "docker"}})
	}
	return must(mutate.Append(img, adds...))(t)
}

// dockerBase is a base of one layer that holds those entries.
func dockerBase(t testing.TB, lines ...string) *Base {
	t.Helper()
	return must(newBase("docker", "", dockerImage(t, amd64, layerOf(t, types.DockerLayer, lines...))))(t)
}
