package inventory

import (
	"archive/tar"
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/tools/txtar"

	"temper/pipeline/evidence"
)

var update = flag.Bool("update", false, "rewrite what the cases expect")

// layers makes an image's layers of the files of an archive, "LAYER/PATH" each;
// "PATH -> TARGET" is a symbolic link and "PATH = TARGET" a hard one.
func layers(t testing.TB, a *txtar.Archive) [][]byte {
	t.Helper()
	var out [][]byte
	for _, f := range a.Files {
		number, name, ok := strings.Cut(f.Name, "/")
		if !ok {
			continue
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Mode: 0o444}
		if at, to, ok := strings.Cut(name, " -> "); ok {
			h.Typeflag, name, h.Linkname = tar.TypeSymlink, at, to
		}
		if at, to, ok := strings.Cut(name, " = "); ok {
			h.Typeflag, name, h.Linkname = tar.TypeLink, at, to
		}
		h.Name, h.Size = name, int64(len(f.Data))
		if number != fmt.Sprint(len(out)-1) {
			out = append(out, nil)
		}
		last := &out[len(out)-1]
		*last = append(*last, entry(t, h, f.Data)...)
	}
	return out
}

// entry is one entry of a tar, without the tar's end.
func entry(t testing.TB, h *tar.Header, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(h); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func image(t testing.TB, layers ...[]byte) v1.Image {
	t.Helper()
	img := v1.Image(empty.Image)
	for _, l := range layers {
		var err error
		if img, err = mutate.AppendLayers(img, static.NewLayer(l, types.OCIUncompressedLayer)); err != nil {
			t.Fatal(err)
		}
	}
	return img
}

func TestRead(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("the cases: %v, %v", cases, err)
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			img := image(t, layers(t, a)...)
			inv, err := Read(context.Background(), img)
			if err != nil {
				t.Fatal(err)
			}
			var packages, files strings.Builder
			for _, p := range inv.Packages {
				fmt.Fprintf(&packages, "%s %s\n", p.Name, p.Version)
				for _, detail := range []string{p.URL, p.License, p.Origin} {
					if detail != "" {
						fmt.Fprintf(&packages, "  %s\n", detail)
					}
				}
			}
			for _, at := range inv.Unread {
				fmt.Fprintf(&packages, "unread %s\n", at)
			}
			for _, f := range inv.Files {
				fmt.Fprintf(&files, "%s %.8s %.8s\n", f.Path, f.Digest.Hex, f.SHA1)
			}
			for i, f := range a.Files {
				got := map[string]string{"packages": packages.String(), "files": files.String()}[f.Name]
				if got == "" {
					continue
				}
				if *update {
					a.Files[i].Data = []byte(got)
				}
				if diff := cmp.Diff(string(a.Files[i].Data), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", f.Name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			// The databases alone say the same.
			all, err := img.Layers()
			if err != nil {
				t.Fatal(err)
			}
			alone, unread, err := Packages(context.Background(), all)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(inv.Packages, alone); diff != "" {
				t.Errorf("packages alone (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(inv.Unread, unread); diff != "" {
				t.Errorf("databases that were not read (-want +got):\n%s", diff)
			}
		})
	}
}

// The executables are found wherever they are; the one that the image starts
// comes first.
func TestExecutables(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/hello\n\ngo 1.26\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() {}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-trimpath", "-o", "hello", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	hello, err := os.ReadFile(filepath.Join(dir, "hello"))
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, data []byte) []byte {
		return entry(t, &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o555, Size: int64(len(data))}, data)
	}
	img := image(t, file("a/hello", hello), file("z/hello", hello), file("elf", hello[:64]), file("short", []byte("\x7fE")))
	img, err = mutate.Config(img, v1.Config{Entrypoint: []string{"/z/hello"}})
	if err != nil {
		t.Fatal(err)
	}
	inv, err := Read(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range inv.Executables {
		got = append(got, x.Path+" "+x.Go.Main.Path)
	}
	if diff := cmp.Diff([]string{"/z/hello example.com/hello", "/a/hello example.com/hello"}, got); diff != "" {
		t.Errorf("executables (-want +got):\n%s", diff)
	}
	if len(inv.Files) != 4 {
		t.Errorf("there are %d files, want 4", len(inv.Files))
	}
}

// What cannot be read is an error that says where, and never a list that lacks
// something.
func TestReadRefuses(t *testing.T) {
	file := func(name, content string) []byte {
		return entry(t, &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content))}, []byte(content))
	}
	small := file("a", "content")
	for _, test := range []struct {
		name  string
		layer []byte
		want  string
	}{
		{"status.d without a version", file("var/lib/dpkg/status.d/odd", "Package: odd\n"), "/var/lib/dpkg/status.d/odd: a paragraph without"},
		{"status.d with a broken line", file("var/lib/dpkg/status.d/odd", "Package: odd\nnothing\n"), "/var/lib/dpkg/status.d/odd: line 2"},
		{"a broken status", file("var/lib/dpkg/status", "Version: 1\n\n"), "/var/lib/dpkg/status: line 2: a paragraph without"},
		{"apk with a broken line", file("lib/apk/db/installed", "P:odd\nnothing\n"), "/lib/apk/db/installed: line 2"},
		{"apk without a version", file("usr/lib/apk/db/installed", "P:odd\n\n"), "/usr/lib/apk/db/installed: line 2: a paragraph without"},
		{"too much of a database", file("lib/apk/db/installed", strings.Repeat("F:a\n", maxDatabase/4+1)), "more than 33554432 bytes"},
		{"too many packages", file("lib/apk/db/installed", strings.Repeat("P:a\nV:1\n\n", maxPackages+1)), "more than 131072 packages"},
		{"a path that leaves", file("../a", ""), "the path leaves the image"},
		{"a link that leaves", entry(t, &tar.Header{Typeflag: tar.TypeLink, Name: "a", Linkname: "../b"}, nil), "the path leaves the image"},
		{"a long path", file(strings.Repeat("a/", maxPath/2)+"b", ""), "longer than 4096 bytes"},
		{"a file that is cut", small[:515], "unexpected EOF"},
		{"no tar", bytes.Repeat([]byte("x"), 1024), "invalid tar header"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if inv, err := Read(context.Background(), image(t, test.layer)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("it is %v, %v; want an error with %q", inv, err, test.want)
			}
		})
	}
	foreign, err := mutate.AppendLayers(empty.Image, static.NewLayer(small, types.DockerForeignLayer))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(context.Background(), foreign); err == nil || !strings.Contains(err.Error(), "cannot be looked at") {
		t.Errorf("a foreign layer: %v", err)
	}
	if _, err := Read(context.Background(), lying{image(t, small)}); err == nil || !strings.Contains(err.Error(), "the config says sha256:") {
		t.Errorf("another layer than the config names: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Read(ctx, image(t, small)); err != context.Canceled && !strings.Contains(fmt.Sprint(err), context.Canceled.Error()) {
		t.Errorf("after the context's end: %v", err)
	}
}

// A lying image has layers that its configuration does not name.
type lying struct{ v1.Image }

func (l lying) ConfigFile() (*v1.ConfigFile, error) {
	c, err := l.Image.ConfigFile()
	if err != nil {
		return nil, err
	}
	c = c.DeepCopy()
	c.RootFS.DiffIDs = []v1.Hash{{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}}
	return c, nil
}

func FuzzDpkg(f *testing.F) {
	fuzz(f, parseDpkg, "Package: libc6\nSource: glibc (1)\nVersion: 2.41-12\nArchitecture: amd64\nDescription: x\n y\n .\n\nPackage: a\nStatus: install ok installed\nVersion: 1:2~3\n", "Package:\n\tx\n", ":\n")
}

func FuzzAPK(f *testing.F) {
	fuzz(f, parseAPK, "C:Q1=\nP:tzdata\nV:2025c-r1\nA:x86_64\nL:(MIT OR ISC) AND CC-PDDC\no:tz\nF:usr\n\nP:a\nV:1\n", "P:\n", "a:\n\n\n")
}

// fuzz wants packages with a name, a version and a purl in printable ASCII of
// everything that the parser takes.
func fuzz(f *testing.F, parse func([]byte, distribution) ([]evidence.Package, error), seeds ...string) {
	for _, seed := range seeds {
		f.Add([]byte(seed), "debian", "13")
	}
	f.Fuzz(func(t *testing.T, raw []byte, id, version string) {
		list, err := parse(raw, distribution{id, version})
		if err != nil {
			return
		}
		for _, p := range list {
			odd := func(r rune) bool { return r <= ' ' || r > '~' }
			if p.Name == "" || p.Version == "" || !strings.HasPrefix(p.URL, "pkg:") || strings.ContainsFunc(p.URL, odd) {
				t.Errorf("the package is %+v", p)
			}
		}
	})
}

func FuzzRelease(f *testing.F) {
	f.Add([]byte("ID=debian\nVERSION_ID=\"13\"\n"))
	f.Add([]byte("ID='\n=\n\"\nVERSION_ID"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if p := parseRelease(raw).pkg(); p.Name == "" || strings.Contains(p.Name, "\n") {
			t.Errorf("the distribution is %q", p.Name)
		}
	})
}

// FuzzRead gives two layers to a reader; whatever they hold, it comes to an end
// and lists each path once.
func FuzzRead(f *testing.F) {
	for _, file := range []string{"distroless", "debian", "wolfi"} {
		a, err := txtar.ParseFile(filepath.Join("testdata", file+".txtar"))
		if err != nil {
			f.Fatal(err)
		}
		made := append(layers(f, a), nil)
		f.Add(made[0], made[1])
	}
	f.Fuzz(func(t *testing.T, lower, upper []byte) {
		inv, err := Read(context.Background(), image(t, lower, upper))
		if err != nil {
			return
		}
		seen := make(map[string]bool)
		for _, file := range inv.Files {
			if seen[file.Path] || !strings.HasPrefix(file.Path, "/") {
				t.Errorf("file %q", file.Path)
			}
			seen[file.Path] = true
		}
	})
}
