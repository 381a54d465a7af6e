package images

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/tools/txtar"

	"temper/checks"
	"temper/checks/executables"
)

var update = flag.Bool("update", false, "rewrite the want sections of testdata")

// A case is an image written as txtar: "config" is the image's configuration
// (entrypoint and user are good where it does not say), "history" what built
// it, line by line, and every other file is an entry of a layer, named
//
//	LAYER PATH MODE [dir|symlink TARGET|hardlink TARGET] [uid=N] [gid=N] [pax:KEY=HEX]
//
// with the content below it. The content GO FLAGS... stands for an executable
// that Go compiles with these flags, "ELF" for the first bytes of one, before
// what else the content is, PACK KIND NAME for what follows in an archive, HALF
// for the first half of what follows, {name} for a key of secretText. "index" puts
// the image into an index that calls it what is written there. In "want" are the
// findings of the rule that the folder is named for.
func TestRules(t *testing.T) {
	today = func() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }
	defer func() { today = time.Now }()
	tested := make(map[string]map[string]bool)
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		rule := filepath.Base(filepath.Dir(file))
		t.Run(rule+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			img, want := parseImage(t, archive)
			r, err := reportOn(img)
			if err != nil {
				t.Fatal(err)
			}
			got := findingsOf(r, rule)
			if *update {
				rewrite(t, file, archive, got)
			} else if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if tested[rule] == nil {
				tested[rule] = make(map[string]bool)
			}
			if got == "" {
				tested[rule]["passes"] = true
			} else {
				tested[rule]["fails"] = true
			}
		})
	}
	for _, r := range AllRules() {
		for _, kind := range []string{"passes", "fails"} {
			if !tested[r.Name][kind] {
				t.Errorf("testdata/%s has no case that %s", r.Name, kind)
			}
		}
	}
}

// What every rule has to say of itself.
func TestRulesExplainThemselves(t *testing.T) {
	names := make(map[string]bool)
	for _, r := range AllRules() {
		paragraphs := strings.Split(r.Doc, "\n\n")
		switch {
		case names[r.Name]:
			t.Errorf("two rules are named %s", r.Name)
		case len(paragraphs) < 3:
			t.Errorf("%s: the doc does not say what, why and how", r.Name)
		case strings.HasSuffix(r.Title(), "."):
			t.Errorf("%s: the title ends in a period", r.Name)
		case !strings.HasPrefix(r.Source, "https://"):
			t.Errorf("%s: the source %q is no link", r.Name, r.Source)
		case r.Severity != checks.Error && r.Severity != checks.Warning:
			t.Errorf("%s: severity %q", r.Name, r.Severity)
		}
		names[r.Name] = true
	}
}

// reportOn is what the rules say of a case.
func reportOn(artifact mutate.Appendable) (*checks.Report, error) {
	j, err := Check(context.Background(), "case", artifact, Options{})
	if err != nil {
		return nil, err
	}
	return j.Report, nil
}

func findingsOf(r *checks.Report, rule string) string {
	var b strings.Builder
	for _, f := range r.Findings {
		if f.Rule == rule {
			fmt.Fprintf(&b, "%s: %s\n", f.Place, f.Message)
		}
	}
	return b.String()
}

func rewrite(t *testing.T, file string, a *txtar.Archive, want string) {
	for i := range a.Files {
		if a.Files[i].Name == "want" {
			a.Files[i].Data = []byte(want)
		}
	}
	if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
		t.Fatal(err)
	}
}

func parseImage(t *testing.T, a *txtar.Archive) (artifact mutate.Appendable, want string) {
	t.Helper()
	var img v1.Image
	var in *mutate.IndexAddendum
	config := v1.Config{User: "65532:65532", Entrypoint: []string{"/app"}}
	layers := make([]bytes.Buffer, 4)
	writers := make([]*tar.Writer, len(layers))
	for i := range layers {
		writers[i] = tar.NewWriter(&layers[i])
	}
	top, hasWant := 0, false
	var history []v1.History
	for _, f := range a.Files {
		f.Data = secretText(t, f.Data)
		switch f.Name {
		case "config":
			if err := json.Unmarshal(f.Data, &config); err != nil {
				t.Fatal(err)
			}
		case "index":
			in = &mutate.IndexAddendum{Descriptor: v1.Descriptor{MediaType: types.OCIManifestSchema1}}
			if said := strings.TrimSpace(string(f.Data)); said != "" {
				var err error
				if in.Descriptor.Platform, err = v1.ParsePlatform(said); err != nil {
					t.Fatal(err)
				}
			}
		case "history":
			for line := range strings.Lines(string(f.Data)) {
				history = append(history, v1.History{CreatedBy: strings.TrimSpace(line), EmptyLayer: true})
			}
		case "want":
			want, hasWant = string(f.Data), true
		default:
			n := writeEntry(t, writers, f)
			top = max(top, n)
		}
	}
	if !hasWant {
		t.Fatal("the case has no want section")
	}
	img = mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	for i := 0; i <= top; i++ {
		if err := writers[i].Close(); err != nil {
			t.Fatal(err)
		}
		img = appendLayer(t, img, layers[i].Bytes())
	}
	img = withConfig(t, img, config, history...)
	if in == nil {
		return img, want
	}
	in.Add = img
	return mutate.AppendManifests(empty.Index, *in), want
}

func appendLayer(t *testing.T, img v1.Image, raw []byte) v1.Image {
	t.Helper()
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(raw)), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	if img, err = mutate.AppendLayers(img, layer); err != nil {
		t.Fatal(err)
	}
	return img
}

func withConfig(t *testing.T, img v1.Image, config v1.Config, history ...v1.History) v1.Image {
	t.Helper()
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", "amd64", config
	file.History = append(history, file.History...)
	if img, err = mutate.ConfigFile(img, file); err != nil {
		t.Fatal(err)
	}
	return img
}

func writeEntry(t *testing.T, writers []*tar.Writer, f txtar.File) (layer int) {
	t.Helper()
	fields := strings.Fields(f.Name)
	if len(fields) < 3 {
		t.Fatalf("entry %q is not LAYER PATH MODE", f.Name)
	}
	layer, err := strconv.Atoi(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	mode, err := strconv.ParseInt(fields[2], 8, 64)
	if err != nil {
		t.Fatal(err)
	}
	h := &tar.Header{Name: fields[1], Mode: mode, Typeflag: tar.TypeReg}
	data := f.Data
	fields = slices.DeleteFunc(fields, func(field string) bool { return attribute(t, h, field) })
	if len(fields) > 3 {
		data = nil
		h.Typeflag = map[string]byte{"dir": tar.TypeDir, "symlink": tar.TypeSymlink, "hardlink": tar.TypeLink}[fields[3]]
		if len(fields) > 4 {
			h.Linkname = fields[4]
		}
	}
	data = expand(t, data)
	h.Size = int64(len(data))
	if err := writers[layer].WriteHeader(h); err != nil {
		t.Fatal(err)
	}
	if _, err := writers[layer].Write(data); err != nil {
		t.Fatal(err)
	}
	return layer
}

// expand makes a file's content of what stands for it.
func expand(t *testing.T, data []byte) []byte {
	t.Helper()
	line, rest, _ := bytes.Cut(data, []byte("\n"))
	words := strings.Fields(string(line))
	switch {
	case len(words) > 0 && words[0] == "GO":
		return goProgram(t, words[1:]...)
	case len(words) == 1 && words[0] == "ELF":
		return slices.Concat(goProgram(t)[:100], rest)
	case len(words) == 3 && words[0] == "PACK":
		return pack(t, words[1], words[2], expand(t, rest))
	case len(words) == 1 && words[0] == "HALF":
		return expand(t, rest)[:len(expand(t, rest))/2]
	}
	return data
}

// attribute sets what a field such as "uid=1000" says.
func attribute(t *testing.T, h *tar.Header, field string) bool {
	key, value, found := strings.Cut(field, "=")
	if !found {
		return false
	}
	id, err := strconv.Atoi(value)
	switch {
	case key == "uid":
		h.Uid = id
	case key == "gid":
		h.Gid = id
	case strings.HasPrefix(key, "pax:"):
		var raw []byte
		raw, err = hex.DecodeString(value)
		if h.PAXRecords == nil {
			h.PAXRecords = make(map[string]string)
		}
		h.PAXRecords[strings.TrimPrefix(key, "pax:")] = string(raw)
	default:
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

var programs sync.Map

// goProgram compiles the smallest program there is, static and stripped unless
// the flags say otherwise. Words with a "=" and no "-" are environment.
func goProgram(t *testing.T, flags ...string) []byte {
	t.Helper()
	key := strings.Join(flags, " ")
	if raw, ok := programs.Load(key); ok {
		return raw.([]byte)
	}
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	args := []string{"build", "-buildvcs=false", "-o", out}
	env := append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=", "GOWORK=off")
	module, source := "example.com/app", "package main\n\nfunc main() {}\n"
	trimmed, stripped, known := true, true, true
	for _, f := range flags {
		switch {
		case f == "untrimmed":
			trimmed = false
		case f == "unstripped":
			stripped = false
		case f == "strings": // with every string that the tools are known by
			source = fmt.Sprintf("package main\n\nimport \"os\"\n\nvar list = %#v\n\nfunc main() {\n\tfor _, s := range list {\n\t\tos.Stdout.WriteString(s)\n\t}\n}\n", elfStrings().list)
		case f == "unknown": // without what debug/buildinfo looks for
			known = false
		case strings.HasPrefix(f, "module="):
			module = strings.TrimPrefix(f, "module=")
		case strings.HasPrefix(f, "import="):
			source = strings.Replace(source, "\n\n", "\n\nimport _ \""+strings.TrimPrefix(f, "import=")+"\"\n\n", 1)
		case strings.HasPrefix(f, "-"):
			args = append(args, f)
		default:
			env = append(env, f)
		}
	}
	if trimmed {
		args = append(args, "-trimpath")
	}
	if stripped {
		args = append(args, "-ldflags=-s -w")
	}
	for name, content := range map[string]string{"go.mod": "module " + module + "\n\ngo 1.26\n", "main.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir, cmd.Env = dir, env
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, said)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if !known {
		raw = bytes.ReplaceAll(raw, []byte("\xff Go buildinf:"), make([]byte, 14))
	}
	programs.Store(key, raw)
	return raw
}

// The whole set of rules has something to look at only where there is an ELF
// entrypoint; without one the image is no pass.
func TestNoEntrypointIsNoPass(t *testing.T) {
	img := withConfig(t, appendLayer(t, empty.Image, make([]byte, 1024)), v1.Config{User: "1:1", Entrypoint: []string{"/app"}})
	r, err := reportOn(img)
	if err != nil {
		t.Fatal(err)
	}
	if r.OK() {
		t.Errorf("an image without its entrypoint passes: %v", r)
	}
	for _, c := range executables.Rules {
		for _, name := range r.Rules {
			if name == c.Name {
				t.Errorf("rule %s counts as run, and there was nothing to run it on", name)
			}
		}
	}
}
