package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/binary"
	"temper/pipeline/service"
)

var (
	amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}
	arm64 = v1.Platform{OS: "linux", Architecture: "arm64"}
)

// compiled is where the executables of all tests lie.
var compiled string

func TestMain(m *testing.M) {
	if dir := os.Getenv(interruptedEnv); dir != "" {
		writeAndHang(dir)
	}
	dir, err := os.MkdirTemp("", "temper-image-*")
	if err != nil {
		panic(err)
	}
	compiled = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// hello is the smallest program; nothing of it is read but that it is one.
const hello = `package main

func main() { println("hello") }
`

var compileAMD64, compileARM64 = compiler(amd64), compiler(arm64)

func compiler(p v1.Platform) func() (*binary.Binary, error) {
	return sync.OnceValues(func() (*binary.Binary, error) {
		src := filepath.Join(compiled, p.Architecture)
		for name, content := range map[string]string{"go.mod": "module example.com/hello\n\ngo 1.26\n", "main.go": hello} {
			if err := os.MkdirAll(src, 0o777); err != nil {
				return nil, err
			}
			if err := os.WriteFile(filepath.Join(src, name), []byte(content), 0o666); err != nil {
				return nil, err
			}
		}
		out := filepath.Join(src, "hello")
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out, ".")
		cmd.Dir = src
		cmd.Env = append(os.Environ(), "GOOS="+p.OS, "GOARCH="+p.Architecture, "GOAMD64=v1", "GOARM64=v8.0", "CGO_ENABLED=0",
			"GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off", "GOTOOLCHAIN=local", "GOEXPERIMENT=")
		if said, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("compiling for %s: %w\n%s", p, err, said)
		}
		return binary.Open(context.Background(), out, p)
	})
}

// executables returns real ones, as package binary finds them fit.
func executables(t testing.TB, platforms ...v1.Platform) []*binary.Binary {
	t.Helper()
	compile := map[string]func() (*binary.Binary, error){"linux/amd64": compileAMD64, "linux/arm64": compileARM64}
	var bins []*binary.Binary
	for _, p := range platforms {
		bins = append(bins, must(compile[p.String()]())(t))
	}
	return bins
}

// pretended returns a binary of that content, which is no executable: package
// image does not look into it.
func pretended(t testing.TB, p v1.Platform, content []byte) *binary.Binary {
	t.Helper()
	path := filepath.Join(t.TempDir(), "binary")
	check(t, os.WriteFile(path, content, 0o600))
	return &binary.Binary{Path: path, Platform: p, Digest: sum(content), Size: int64(len(content))}
}

// noise returns bytes that compress about as well as an executable does, the
// same ones for a seed with every Go release: short words, of which few are
// frequent, and zeros.
func noise(seed uint64, size int) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	words := make([][]byte, 1<<15)
	for i := range words {
		words[i] = make([]byte, 1+r.IntN(12))
		for j := range words[i] {
			words[i][j] = byte(r.IntN(256))
		}
	}
	b := make([]byte, 0, size+32)
	for len(b) < size {
		n := r.IntN(len(words)) >> r.IntN(16)
		b = append(b, words[n]...)
		if n%4 == 0 {
			b = append(b, make([]byte, r.IntN(8))...)
		}
	}
	return b[:size]
}

func sum(content []byte) v1.Hash {
	h := sha256.Sum256(content)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h[:])}
}

// must takes what a call returns: must(os.ReadFile(name))(t).
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mentions fails the test unless the error says all of what is wanted.
func mentions(t testing.TB, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("there is no error, want one that mentions %q", want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error is %q, which does not mention %q", err, w)
		}
	}
}

// plant puts files on disk, one a line: "NAME" with its name for content,
// "NAME MODE", "NAME -> TARGET" for a link, "NAME/" for a folder.
func plant(t testing.TB, dir string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		name, target, isLink := strings.Cut(line, " -> ")
		name, mode, hasMode := strings.Cut(name, " ")
		path := filepath.Join(dir, filepath.FromSlash(name))
		check(t, os.MkdirAll(filepath.Dir(path), 0o777))
		switch {
		case isLink:
			check(t, os.Symlink(target, path))
		case strings.HasSuffix(name, "/"):
			check(t, os.MkdirAll(path, 0o777))
		default:
			check(t, os.WriteFile(path, []byte(name), 0o666))
		}
		if hasMode {
			var m fs.FileMode
			must(fmt.Sscanf(mode, "%o", &m))(t)
			check(t, os.Chmod(path, m))
		}
	}
}

// snapshot returns what a folder holds: digests by path.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == lockFile {
			return err
		}
		raw, err := os.ReadFile(path)
		all[filepath.ToSlash(strings.TrimPrefix(path, dir))] = sum(raw).Hex
		return err
	}))
	return all
}

// temps returns the files of a folder that are not whole.
func temps(t testing.TB, dir string) []string {
	t.Helper()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(snapshot(t, dir))), func(name string) bool {
		return !strings.Contains(name, "/"+tempPrefix)
	})
}

// repository returns a service of a repository of its own, with those files.
func repository(t testing.TB, lines ...string) *service.Service {
	t.Helper()
	root := must(filepath.EvalSymlinks(t.TempDir()))(t)
	plant(t, root, lines...)
	return &service.Service{Name: "orders", Root: root, Dir: root, Path: "/usr/local/bin/orders", User: service.DefaultUser}
}

// copies adds a folder or file of the repository to the image.
func copies(svc *service.Service, from, to string) *service.Service {
	svc.Files = append(svc.Files, service.Files{From: filepath.Join(svc.Root, filepath.FromSlash(from)), To: to})
	return svc
}

func readAll(r io.ReadCloser, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// flip alters the last byte of a file.
func flip(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	raw[len(raw)-1] ^= 1
	return os.WriteFile(file, raw, 0o644)
}
