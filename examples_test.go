package temper_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// Everything below is built once, in a temporary folder for all tests.
var tmp string

func TestMain(m *testing.M) {
	var err error
	if tmp, err = os.MkdirTemp("", "temper-examples-*"); err != nil {
		panic(err)
	}
	code := m.Run()
	exec.Command("chmod", "-R", "u+w", tmp).Run()
	os.RemoveAll(tmp)
	os.Exit(code)
}

// temper is the path of the command, compiled from this tree.
var temper = sync.OnceValues(func() (string, error) {
	path := filepath.Join(tmp, "temper")
	out, err := exec.Command("go", "build", "-o", path, "./pipeline/cmd/temper").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building temper: %w\n%s", err, out)
	}
	return path, nil
})

// configs are the folders below examples that have a temper.yaml, and every
// example is built by one of them.
func configs(t *testing.T, root string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "*", "temper.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dirs := []string{"."}
	for _, file := range files {
		dirs = append(dirs, filepath.Base(filepath.Dir(file)))
	}
	return dirs
}

// buildExamples builds all examples below root and returns the layouts' folders
// and the digest of each service. Services that break rules are built as well.
func buildExamples(t *testing.T, root, to string, env ...string) (layouts []string, digests map[string]string) {
	t.Helper()
	command, err := temper()
	if err != nil {
		t.Fatal(err)
	}
	digests = make(map[string]string)
	for _, dir := range configs(t, root) {
		out := filepath.Join(to, "layout-"+strings.ReplaceAll(dir, ".", "all"))
		cmd := exec.Command(command, "build", "-C", filepath.Join(root, dir), "-o", out)
		cmd.Env = append(os.Environ(), env...)
		var said bytes.Buffer
		cmd.Stderr = &said
		printed, err := cmd.Output()
		if code := cmd.ProcessState.ExitCode(); code != 0 && code != 3 {
			t.Fatalf("building %s: %v\n%s", dir, err, said.String())
		}
		for line := range strings.Lines(string(printed)) {
			name, digest, _ := strings.Cut(strings.TrimSpace(line), " ")
			digests[name] = digest
		}
		layouts = append(layouts, out)
	}
	return layouts, digests
}

type built struct {
	layouts []string
	digests map[string]string
}

var here struct {
	sync.Once
	built
}

// builtHere are the examples as this tree has them.
func builtHere(t *testing.T) built {
	t.Helper()
	here.Do(func() {
		here.layouts, here.digests = buildExamples(t, "examples", filepath.Join(tmp, "here"), "TEMPER_CACHE="+filepath.Join(tmp, "cache-here"))
	})
	if len(here.digests) == 0 {
		t.Fatal("the examples were not built")
	}
	return here.built
}

func TestEveryExampleIsBuilt(t *testing.T) {
	b := builtHere(t)
	mods, err := filepath.Glob("examples/*/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if len(mods) < 4 {
		t.Errorf("there are %d examples, want at least 4", len(mods))
	}
	for _, mod := range mods {
		if name := filepath.Base(filepath.Dir(mod)); b.digests[name] == "" {
			t.Errorf("no image was built of examples/%s: is it in examples/temper.yaml?", name)
		}
	}
}

// The digest of every example is the same elsewhere: another folder, another
// home and umask, another cache, a hostile environment, no .git, and a .git with
// commits that do not touch the service.
func TestExamplesHaveOneDigestEverywhere(t *testing.T) {
	want := builtHere(t)
	root := filepath.Join(tmp, "another place", "copy")
	copyTree(t, "examples", root)
	home := filepath.Join(tmp, "another home")
	settings := filepath.Join(home, ".config", "go", "env")
	if err := os.MkdirAll(filepath.Dir(settings), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, []byte("GOFLAGS=-race\nGOAMD64=v3\nCGO_ENABLED=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hostile := []string{
		"TEMPER_CACHE=" + filepath.Join(tmp, "cache-there"), "HOME=" + home, "XDG_CONFIG_HOME=", "GOENV=" + settings,
		"GOMODCACHE=" + goEnv(t, "GOMODCACHE"), "GOPROXY=" + goEnv(t, "GOPROXY"),
		"CGO_ENABLED=1", "GOFLAGS=-race", "GOAMD64=v3", "GOARM64=v9.0", "GOEXPERIMENT=arenas", "GODEBUG=http2client=0", "GOOS=plan9",
		"SOURCE_DATE_EPOCH=1234567890", "TZ=Asia/Tokyo", "LANG=tr_TR.UTF-8", "USER=somebody",
	}
	restore := narrowUmask()
	defer restore()
	compare := func(where string) {
		t.Helper()
		got := built{}
		got.layouts, got.digests = buildExamples(t, root, filepath.Join(tmp, "there"), hostile...)
		for _, name := range slices.Sorted(maps.Keys(want.digests)) {
			if got.digests[name] != want.digests[name] {
				t.Errorf("%s: the digest of %s is %s, want %s\n%s", where, name, got.digests[name], want.digests[name],
					difference(t, want.layouts, got.layouts, name))
			}
		}
	}
	compare("without .git")
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", root, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	git("add", "-A")
	git("commit", "-qm", "one")
	compare("at a commit")
	if err := os.WriteFile(filepath.Join(root, "NOTES"), []byte("not part of any service\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	git("add", "-A")
	git("commit", "-qm", "two")
	if err := os.WriteFile(filepath.Join(root, "NOTES"), []byte("and not committed\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	compare("at another commit, with a dirty tree")
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// copyTree copies files by content, with other permissions.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			if d.Name() == ".temper" {
				return filepath.SkipDir
			}
			return os.MkdirAll(target, 0o700)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, raw, 0o640)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The image of an example is its binary and assets plus at most 400 kB.
func TestExamplesCarryLittleElse(t *testing.T) {
	for _, dir := range builtHere(t).layouts {
		eachImage(t, dir, func(name, platform string, img v1.Image) {
			m, err := img.Manifest()
			if err != nil {
				t.Fatal(err)
			}
			layers, err := img.Layers()
			if err != nil {
				t.Fatal(err)
			}
			rest := m.Config.Size
			for i, l := range layers {
				var own bool
				for _, f := range filesOf(t, l) {
					own = own || strings.HasPrefix(f.name, "usr/local/bin/") || strings.HasPrefix(f.name, "srv/web/") || strings.HasPrefix(f.name, "opt/careless/")
				}
				if !own {
					rest += m.Layers[i].Size
				}
			}
			if rest > 400_000 {
				t.Errorf("%s for %s carries %d bytes beside its binary and assets, want at most 400000", name, platform, rest)
			}
		})
	}
}

// openLayout reads the index of a layout.
func openLayout(t *testing.T, dir string) (v1.ImageIndex, *v1.IndexManifest) {
	t.Helper()
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	return index, m
}

// eachImage calls f for every platform's image of every service in a layout.
func eachImage(t *testing.T, dir string, f func(name, platform string, img v1.Image)) {
	t.Helper()
	index, m := openLayout(t, dir)
	seen := 0
	for _, d := range m.Manifests {
		name := d.Annotations["org.opencontainers.image.ref.name"]
		if name == "" || !d.MediaType.IsIndex() {
			continue
		}
		inner, err := index.ImageIndex(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		im, err := inner.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range im.Manifests {
			img, err := inner.Image(p.Digest)
			if err != nil {
				t.Fatal(err)
			}
			f(name, p.Platform.String(), img)
			seen++
		}
	}
	if seen == 0 {
		t.Fatalf("%s holds no image of several platforms", dir)
	}
}

type file struct{ name, what string }

func filesOf(t *testing.T, l v1.Layer) []file {
	t.Helper()
	raw, err := l.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	var list []file
	for r := tar.NewReader(raw); ; {
		h, err := r.Next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, r); err != nil {
			t.Fatal(err)
		}
		list = append(list, file{h.Name, fmt.Sprintf("type %c mode %04o owner %d:%d size %d time %d link %q sha256 %x",
			h.Typeflag, h.Mode, h.Uid, h.Gid, h.Size, h.ModTime.Unix(), h.Linkname, sum.Sum(nil))})
	}
}

// difference says which layer and file of a service is not the same in two sets
// of layouts.
func difference(t *testing.T, a, b []string, service string) string {
	t.Helper()
	collect := func(layouts []string) map[string]string {
		all := make(map[string]string)
		for _, dir := range layouts {
			eachImage(t, dir, func(name, platform string, img v1.Image) {
				if name != service {
					return
				}
				config, err := img.ConfigFile()
				if err != nil {
					t.Fatal(err)
				}
				raw, err := json.Marshal(config)
				if err != nil {
					t.Fatal(err)
				}
				all[platform+" config"] = string(raw)
				layers, err := img.Layers()
				if err != nil {
					t.Fatal(err)
				}
				for i, l := range layers {
					for _, f := range filesOf(t, l) {
						all[fmt.Sprintf("%s layer %d: %s", platform, i, f.name)] = f.what
					}
				}
			})
		}
		return all
	}
	want, got := collect(a), collect(b)
	var lines []string
	for key, value := range want {
		if got[key] != value {
			lines = append(lines, fmt.Sprintf("%s\n  want %s\n  got  %s", key, value, got[key]))
		}
		delete(got, key)
	}
	for key := range got {
		lines = append(lines, key+" is there only in the second")
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
