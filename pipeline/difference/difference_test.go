package difference

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what is found into the cases")

// An image of a case is said in lines, each a word and what it means:
//
//	image PLATFORM         begins an image; several make an index, and so does "index" before one
//	user, created, env     are of its configuration; env may be said again
//	annotation KEY=VALUE   is of its manifest
//	layer STEP             begins a layer, with what its history says; level=N before it is how it is compressed
//	file MODE OWNER PATH CONTENT, folder MODE OWNER PATH, link PATH TARGET, time PATH SECONDS
//
// Content may have the escapes of Go.
type recipe struct {
	index  bool
	images []*drawn
}

type drawn struct {
	platform    *v1.Platform
	config      v1.ConfigFile
	annotations map[string]string
	layers      []*drawnLayer
}

type drawnLayer struct {
	step    string
	level   int
	entries []*tar.Header
	content []string // by entry
}

func draw(t *testing.T, text string) mutate.Appendable {
	t.Helper()
	r := &recipe{}
	level := gzip.DefaultCompression
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		var img *drawn
		var l *drawnLayer
		if len(r.images) > 0 {
			img = r.images[len(r.images)-1]
			if len(img.layers) > 0 {
				l = img.layers[len(img.layers)-1]
			}
		}
		switch word {
		case "":
		case "index":
			r.index = true
		case "image":
			p, err := v1.ParsePlatform(rest)
			if err != nil {
				t.Fatal(err)
			}
			one := &drawn{platform: p, annotations: map[string]string{}}
			one.config.OS, one.config.Architecture, one.config.Variant = p.OS, p.Architecture, p.Variant
			r.images = append(r.images, one)
		case "user":
			img.config.Config.User = rest
		case "created":
			img.config.Created = v1.Time{Time: seconds(t, rest)}
		case "env":
			img.config.Config.Env = append(img.config.Config.Env, rest)
		case "annotation":
			k, v, _ := strings.Cut(rest, "=")
			img.annotations[k] = v
		case "level":
			n, err := strconv.Atoi(rest)
			if err != nil {
				t.Fatal(err)
			}
			level = n
		case "layer":
			img.layers = append(img.layers, &drawnLayer{step: rest, level: level})
		case "file", "folder":
			f := append(strings.SplitN(rest, " ", 4), "")
			mode, err := strconv.ParseInt(f[0], 8, 64)
			if err != nil {
				t.Fatal(err)
			}
			h := &tar.Header{Typeflag: tar.TypeDir, Mode: mode, Name: strings.TrimPrefix(f[2], "/"), ModTime: time.Unix(0, 0)}
			if _, err := fmt.Sscanf(f[1], "%d:%d", &h.Uid, &h.Gid); err != nil {
				t.Fatal(err)
			}
			if word == "file" {
				content, err := strconv.Unquote(`"` + f[3] + `"`)
				if err != nil {
					t.Fatal(err)
				}
				h.Typeflag, h.Size = tar.TypeReg, int64(len(content))
				l.content = append(l.content, content)
			} else {
				l.content = append(l.content, "")
			}
			l.entries = append(l.entries, h)
		case "link":
			path, target, _ := strings.Cut(rest, " ")
			l.content = append(l.content, "")
			l.entries = append(l.entries, &tar.Header{Typeflag: tar.TypeSymlink, Mode: 0o777, Name: strings.TrimPrefix(path, "/"), Linkname: target, ModTime: time.Unix(0, 0)})
		case "time":
			path, at, _ := strings.Cut(rest, " ")
			for _, h := range l.entries {
				if "/"+h.Name == path {
					h.ModTime = seconds(t, at)
				}
			}
		default:
			t.Fatalf("nobody knows the word %q", word)
		}
	}
	var members []mutate.IndexAddendum
	for _, one := range r.images {
		members = append(members, mutate.IndexAddendum{Add: one.image(t), Descriptor: v1.Descriptor{Platform: one.platform}})
	}
	if len(members) == 1 && !r.index {
		return members[0].Add.(v1.Image)
	}
	return mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), members...)
}

func seconds(t *testing.T, text string) time.Time {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(n, 0).UTC()
}

func (d *drawn) image(t *testing.T) v1.Image {
	t.Helper()
	img, err := mutate.ConfigFile(mutate.MediaType(empty.Image, types.OCIManifestSchema1), &d.config)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.annotations) > 0 {
		img = mutate.Annotations(img, d.annotations).(v1.Image)
	}
	for _, l := range d.layers {
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(l.tar(t))), nil },
			tarball.WithCompressionLevel(l.level), tarball.WithMediaType(types.OCILayer))
		if err != nil {
			t.Fatal(err)
		}
		if img, err = mutate.Append(img, mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: l.step}}); err != nil {
			t.Fatal(err)
		}
	}
	return img
}

func (l *drawnLayer) tar(t *testing.T) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for i, h := range l.entries {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, l.content[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// told is a list of differences as the cases have it.
func told(list []Difference, left int) string {
	var b strings.Builder
	for _, d := range list {
		if d.What == "compression" { // which is another with each release of the standard library
			d.Released, d.Rebuilt = "one digest", "another"
		}
		fmt.Fprintf(&b, "%s\n  there  %s\n  here   %s\n  cause  %s\n", strings.TrimPrefix(d.Place()+": "+d.What, ": "), d.Released, d.Rebuilt, d.Cause)
	}
	if left > 0 {
		fmt.Fprintf(&b, "and %d more\n", left)
	}
	return b.String()
}

func between(t *testing.T, released, rebuilt mutate.Appendable) ([]Difference, int) {
	t.Helper()
	tmp := t.TempDir()
	list, left, err := Between(context.Background(), released, rebuilt, tmp)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := os.ReadDir(tmp)
	if err != nil || len(rest) > 0 {
		t.Errorf("files are left behind: %v, %v", rest, err)
	}
	return list, left
}

// Each case of testdata/images is two images and all in which they differ.
func TestBetween(t *testing.T) {
	files, err := filepath.Glob("testdata/images/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("cases: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			part := make(map[string]*txtar.File)
			for i := range a.Files {
				part[a.Files[i].Name] = &a.Files[i]
			}
			released, rebuilt := draw(t, string(part["released"].Data)), draw(t, string(part["rebuilt"].Data))
			got := told(between(t, released, rebuilt))
			if *update {
				part["want"].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(part["want"].Data), got); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
			if again := told(between(t, released, rebuilt)); again != got {
				t.Errorf("told another time:\n%s", again)
			}
			for _, same := range []mutate.Appendable{released, rebuilt} {
				if list, left := between(t, same, same); len(list)+left > 0 {
					t.Errorf("one differs from itself: %s", told(list, left))
				}
			}
		})
	}
}

// An image whose manifest or configuration was only written otherwise differs.
type rewritten struct {
	v1.Image
	manifest, config []byte
}

func (r *rewritten) RawManifest() ([]byte, error)   { return r.manifest, nil }
func (r *rewritten) RawConfigFile() ([]byte, error) { return r.config, nil }
func (r *rewritten) Digest() (v1.Hash, error)       { return partial.Digest(r) }

func TestBetweenManifestsInOtherWords(t *testing.T) {
	img := draw(t, "image linux/amd64\nuser 1:1\nlayer base\nfile 0444 0:0 /a a").(v1.Image)
	manifest, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	list, _ := between(t, img, &rewritten{img, append(manifest, '\n'), config})
	if len(list) != 1 || list[0].What != "manifest" || !strings.Contains(list[0].Cause, "in other words") {
		t.Errorf("a line break more: %s", told(list, 0))
	}
}

// Whoever lies about a layer's content is told of.
type lying struct{ v1.Layer }

func (lying) DiffID() (v1.Hash, error) {
	return v1.NewHash("sha256:" + strings.Repeat("0", 64))
}

func TestBetweenNamesALie(t *testing.T) {
	layer := func(content string) v1.Layer {
		layers, err := draw(t, "image linux/amd64\nlayer temper binary /a\nfile 0555 0:0 /a "+content).(v1.Image).Layers()
		if err != nil {
			t.Fatal(err)
		}
		return layers[0]
	}
	c := &comparison{tmp: t.TempDir(), limit: most}
	if err := c.layers(context.Background(), Difference{Layer: 1}, lying{layer("one")}, layer("two")); err != nil {
		t.Fatal(err)
	}
	if len(c.list) != 2 || c.list[0].What != "content that the configuration names" || c.list[1].Path != "/a" {
		t.Errorf("told: %s", told(c.list, c.left))
	}
}

// What is too much to compare is an error, and nothing is left behind.
func TestBetweenIsBounded(t *testing.T) {
	released := draw(t, "image linux/amd64\nlayer x\nfile 0444 0:0 /a a\nfile 0444 0:0 /b b")
	rebuilt := draw(t, "image linux/amd64\nlayer x\nfile 0444 0:0 /a a\nfile 0444 0:0 /b c")
	for _, bound := range []func() func(){
		func() func() { old := maxUnpacked; maxUnpacked = 100; return func() { maxUnpacked = old } },
		func() func() { old := maxEntries; maxEntries = 1; return func() { maxEntries = old } },
		func() func() { old := maxNames; maxNames = 1; return func() { maxNames = old } },
	} {
		undo := bound()
		tmp := t.TempDir()
		_, _, err := Between(context.Background(), released, rebuilt, tmp)
		undo()
		if err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("error %v", err)
		}
		if rest, err := os.ReadDir(tmp); err != nil || len(rest) > 0 {
			t.Errorf("files are left behind: %v, %v", rest, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Between(ctx, released, rebuilt, t.TempDir()); err == nil {
		t.Error("a comparison that nobody wants any more goes on")
	}
}

func TestShortKeepsTheDifference(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for _, pair := range [][2]string{{long + "a", long + "b"}, {"a" + long, "b" + long}, {long, long + "tail"}, {long, ""}} {
		a, b := short(pair[0], pair[1])
		if a == b || len(a) > maxValue+6 || len(b) > maxValue+6 {
			t.Errorf("%d and %d bytes become %q and %q", len(pair[0]), len(pair[1]), a, b)
		}
	}
}
