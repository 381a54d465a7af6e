package images

import (
	"archive/tar"
	"bytes"
	"context"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rogpeppe/go-internal/txtar"
)

// BuildInfo, which reads as little as it can, finds the program that Read finds
// in every image of the rules' cases.
func TestBuildInfoFindsWhatReadFinds(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	programs := 0
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		artifact, _ := parseImage(t, a)
		list, err := Startable("it", artifact)
		if err != nil {
			continue // a case of what cannot be read
		}
		for _, img := range list {
			read, err := Read(context.Background(), img)
			if err != nil {
				continue
			}
			var want *debug.BuildInfo
			if e := read.Entrypoint; e != nil {
				if e.Facts == nil && e.Format == ELF {
					continue // Read wants more of an executable than its build info
				}
				if e.Facts != nil {
					want = e.Facts.Go
				}
			}
			got, err := BuildInfo(context.Background(), img)
			if err != nil {
				t.Errorf("%s: %v", file, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: BuildInfo (-Read +BuildInfo):\n%s", file, diff)
			}
			if got != nil {
				programs++
			}
		}
	}
	if programs == 0 {
		t.Error("none of the cases starts a program of Go")
	}
}

// An entry of a layer in the cases below: "DIR/" is a folder, "FILE=MODULE" a
// program of that module, "LINK>TARGET" a symbolic link, "NAME<TARGET" a hard
// one, and anything else an empty file.
func layerOf(t *testing.T, entries string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, entry := range strings.Fields(entries) {
		h, content := &tar.Header{Name: entry, Typeflag: tar.TypeReg, Mode: 0o555}, []byte(nil)
		if name, module, ok := strings.Cut(entry, "="); ok {
			h.Name, content = name, goProgram(t, "module="+module)
		} else if name, target, ok := strings.Cut(entry, ">"); ok {
			h.Name, h.Typeflag, h.Linkname = name, tar.TypeSymlink, target
		} else if name, target, ok := strings.Cut(entry, "<"); ok {
			h.Name, h.Typeflag, h.Linkname = name, tar.TypeLink, target
		} else if strings.HasSuffix(entry, "/") {
			h.Typeflag = tar.TypeDir
		}
		h.Size = int64(len(content))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBuildInfo(t *testing.T) {
	for _, tc := range []struct {
		name   string
		start  string
		layers []string // from the lowest up
		want   string   // the module, or nothing
	}{
		{"one layer", "/bin/a", []string{"bin/ bin/a=a.example"}, "a.example"},
		{"below assets", "/bin/a", []string{"bin/ bin/a=a.example", "srv/ srv/x bin/"}, "a.example"},
		{"replaced", "/bin/a", []string{"bin/ bin/a=a.example", "bin/ bin/a=b.example"}, "b.example"},
		{"replaced in the same layer", "/bin/a", []string{"bin/ bin/a=a.example bin/a=b.example"}, "b.example"},
		{"replaced by a link", "/bin/a", []string{"bin/ bin/a=a.example bin/b=b.example", "bin/a>b"}, "b.example"},
		{"deleted", "/bin/a", []string{"bin/ bin/a=a.example", "bin/.wh.a"}, ""},
		{"deleted with its folder", "/bin/a", []string{"bin/ bin/a=a.example", ".wh.bin"}, ""},
		{"deleted and there again", "/bin/a", []string{"bin/ bin/a=a.example", "bin/.wh..wh..opq bin/ bin/a=b.example"}, "b.example"},
		{"a folder that is a link below", "/bin/a", []string{"usr/ bin>usr usr/a=a.example", "bin/a=b.example"}, "b.example"},
		{"a folder that becomes a link", "/bin/a", []string{"bin/ bin/a=a.example", "usr/ usr/a=b.example .wh.bin bin>usr"}, "b.example"},
		{"through a link", "/bin/a", []string{"usr/ usr/a=a.example", "bin>usr"}, "a.example"},
		{"no folders of its own", "/bin/a", []string{"bin/", "bin/a=a.example"}, "a.example"},
		{"another with that end", "/bin/a", []string{"bin/ bin/aa=a.example x/ x/bin/ x/bin/a=b.example"}, ""},
		{"written through a link of the same layer", "/bin/a", []string{"bin/ bin/a=a.example", "x>bin x/a=b.example"}, "b.example"},
		{"written through a link of a layer below", "/bin/a", []string{"x>bin", "bin/ bin/a=a.example", "x/a=b.example"}, "b.example"},
		{"written through a link beside it", "/bin/a", []string{"bin/ x>bin bin/a=a.example x/a=b.example"}, "b.example"},
		{"deleted through a link", "/bin/a", []string{"x>bin", "bin/ bin/a=a.example", "x/.wh.a"}, ""},
		{"deleted through a link, with its folder", "/usr/bin/a", []string{"x>usr", "usr/ usr/bin/ usr/bin/a=a.example", "x/.wh.bin"}, ""},
		{"emptied through a link", "/bin/a", []string{"x>bin", "bin/ bin/a=a.example", "x/.wh..wh..opq"}, ""},
		{"a hard link", "/bin/b", []string{"bin/ bin/a=a.example bin/b<bin/a"}, "a.example"},
		{"a hard link to what is replaced later", "/bin/b", []string{"bin/ bin/a=a.example bin/b<bin/a bin/a=b.example"}, "a.example"},
		{"a hard link to what another layer replaces", "/bin/b", []string{"bin/ bin/a=a.example bin/b<bin/a", "bin/a=b.example"}, "a.example"},
		{"a hard link to what another layer deletes", "/bin/b", []string{"bin/ bin/a=a.example bin/b<bin/a", "bin/.wh.a"}, "a.example"},
		{"a hard link to a hard link", "/bin/c", []string{"bin/ bin/a=a.example bin/b<bin/a bin/c<bin/b", "bin/b=b.example"}, "a.example"},
		{"a hard link through a folder that is a link", "/bin/b", []string{"bin/ x>bin bin/a=a.example bin/b<x/a"}, "a.example"},
		{"a hard link to a link", "/bin/b", []string{"bin/ bin/a=a.example bin/l>a bin/b<bin/l", "bin/l=b.example"}, "a.example"},
		{"no program", "/bin/a", []string{"bin/ bin/a"}, ""},
		{"no path", "a", []string{"a=a.example"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
			for _, entries := range tc.layers {
				img = appendLayer(t, img, layerOf(t, entries))
			}
			img = withConfig(t, img, v1.Config{Entrypoint: []string{tc.start}})
			got := ""
			info, err := BuildInfo(context.Background(), img)
			if err != nil {
				t.Fatal(err)
			}
			if info != nil {
				got = info.Main.Path
			}
			if got != tc.want {
				t.Errorf("BuildInfo is that of %q, want %q", got, tc.want)
			}
			read, err := Read(context.Background(), img)
			if err != nil {
				t.Fatal(err)
			}
			found := ""
			if e := read.Entrypoint; e != nil && e.Facts != nil && e.Facts.Go != nil {
				found = e.Facts.Go.Main.Path
			}
			if found != tc.want {
				t.Errorf("Read finds %q, want %q", found, tc.want)
			}
		})
	}
}

// A base may be large: what lies below a program that stands there plainly is
// not read.
func TestBuildInfoReadsNoMoreThanItMust(t *testing.T) {
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img, err := mutate.AppendLayers(img, lost{})
	if err == nil {
		img = appendLayer(t, img, layerOf(t, "bin/ bin/a=a.example"))
	}
	if err != nil {
		t.Fatal(err)
	}
	img = withConfig(t, img, v1.Config{Entrypoint: []string{"/bin/a"}})
	info, err := BuildInfo(context.Background(), img)
	if err != nil || info == nil || info.Main.Path != "a.example" {
		t.Errorf("BuildInfo: %v, %v", info, err)
	}
	img = withConfig(t, img, v1.Config{Entrypoint: []string{"/bin/b"}})
	if info, err := BuildInfo(context.Background(), img); err == nil {
		t.Errorf("BuildInfo of what stands in a layer that cannot be read: %v", info)
	}
}

// countedZeros are read, and count themselves while they are.
type countedZeros struct{ now, most *atomic.Int32 }

func (z countedZeros) Read(p []byte) (int, error) {
	n := z.now.Add(1)
	defer z.now.Add(-1)
	for most := z.most.Load(); n > most && !z.most.CompareAndSwap(most, n); most = z.most.Load() {
	}
	runtime.Gosched()
	clear(p)
	return min(len(p), 1<<20), nil
}

// However many programs an index has, one that is big is in memory at a time.
func TestBigProgramsTakeTurns(t *testing.T) {
	var now, most atomic.Int32
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if info, err := infoOf(countedZeros{&now, &most}, bigProgram+1, true); info != nil || err != nil {
				t.Errorf("zeros are a program: %v, %v", info, err)
			}
		})
	}
	all.Wait()
	if most.Load() != 1 {
		t.Errorf("%d were read at a time", most.Load())
	}
}
