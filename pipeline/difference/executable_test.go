package difference

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// Each case of testdata/programs is a program, how it is compiled on either
// side (flags, and words of a file to replace: "FILE: OLD => NEW"), and what of
// the answer is the same with every Go release: the cause, and some of the
// differences.
func TestExecutables(t *testing.T) {
	files, err := filepath.Glob("testdata/programs/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("cases: %v, %v", files, err)
	}
	base, err := txtar.ParseFile("testdata/program.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			part := make(map[string]string)
			for _, f := range a.Files {
				part[f.Name] = string(f.Data)
			}
			released, rebuilt := compile(t, base, part["released"]), compile(t, base, part["rebuilt"])
			c := &comparison{tmp: t.TempDir(), limit: most}
			err = c.executables(context.Background(), Difference{What: "content", Released: "there", Rebuilt: "here"}, reading(released), reading(rebuilt))
			if err != nil {
				t.Fatal(err)
			}
			var got, all strings.Builder
			for i, d := range c.list {
				line := strings.TrimPrefix(d.Place()+": "+d.What, ": ")
				fmt.Fprintf(&all, "%s (%s, %s)\n", line, d.Released, d.Rebuilt)
				switch {
				case i == 0:
					fmt.Fprintf(&got, "%s\n", d.Cause)
				case strings.Contains(part["want"], line+"\n"):
					fmt.Fprintf(&got, "%s\n", line)
				}
			}
			if diff := cmp.Diff(part["want"], got.String()); diff != "" {
				t.Errorf("cause and differences (-want +got):\n%s\nall:\n%s", diff, all.String())
			}
			for _, never := range strings.Split(strings.TrimSpace(part["never"]), "\n") {
				if never != "" && strings.Contains(all.String(), never) {
					t.Errorf("%q is told:\n%s", never, all.String())
				}
			}
		})
	}
}

func reading(raw []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(raw), 0, int64(len(raw)))
}

// compile compiles the program of an archive as the lines say, for a platform
// that is always the same.
func compile(t *testing.T, a *txtar.Archive, lines string) []byte {
	t.Helper()
	dir := t.TempDir()
	env := []string{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOAMD64=v1"}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-o", filepath.Join(dir, "program.out")}
	flags, appended, flip := "-s -w", "", ""
	content := make(map[string]string)
	for _, f := range a.Files {
		content[f.Name] = string(f.Data)
	}
	for line := range strings.Lines(lines) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "":
		case "ldflags":
			flags += " " + rest
		case "env":
			env = append(env, rest)
		case "flag":
			args = append(args, rest)
		case "append":
			appended = rest
		case "flip": // a byte of this text in the compiled file
			flip = rest
		default:
			file := strings.TrimSuffix(word, ":")
			old, new, ok := strings.Cut(rest, " => ")
			if !ok || !strings.Contains(content[file], old) {
				t.Fatalf("%s has no %q", file, old)
			}
			content[file] = strings.ReplaceAll(content[file], old, new)
		}
	}
	for name, text := range content {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", append(args, "-ldflags="+flags, ".")...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, said)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "program.out"))
	if err != nil {
		t.Fatal(err)
	}
	if flip != "" {
		i := bytes.Index(raw, []byte(flip))
		if i < 0 {
			t.Fatalf("the program holds no %q", flip)
		}
		raw[i] ^= 1
	}
	return append(raw, appended...)
}

func TestExecutablesThatCannotBeRead(t *testing.T) {
	c := &comparison{limit: most}
	broken := reading([]byte("\x7fELF and no more"))
	if err := c.executables(context.Background(), Difference{What: "content", Released: "a", Rebuilt: "b"}, broken, reading([]byte("\x7fELF"))); err != nil {
		t.Fatal(err)
	}
	if len(c.list) != 1 || c.list[0].Cause != "one of the two is no executable that can be read" {
		t.Errorf("told: %s", told(c.list, c.left))
	}
}

// Headers can claim sections without end, which nobody hashes.
func TestExecutablesAreBounded(t *testing.T) {
	// The header, and n headers of sections that all cover the whole file.
	elfOf := func(n int) []byte {
		raw := make([]byte, 64+64*n)
		copy(raw, "\x7fELF\x02\x01\x01")
		le := binary.LittleEndian
		le.PutUint16(raw[16:], 2) // executable
		le.PutUint16(raw[18:], 62)
		le.PutUint32(raw[20:], 1)
		le.PutUint64(raw[40:], 64) // section headers
		le.PutUint16(raw[52:], 64)
		le.PutUint16(raw[58:], 64)
		le.PutUint16(raw[60:], uint16(n))
		le.PutUint16(raw[62:], 1)
		for i := 1; i < n; i++ {
			h := raw[64+64*i:]
			le.PutUint32(h[4:], 3) // a table of strings
			le.PutUint64(h[32:], uint64(len(raw)))
		}
		return raw
	}
	for n, want := range map[int]string{2: "", 3: "more bytes than the file", 2000: "it has 2000 sections"} {
		raw := elfOf(n)
		_, err := openProgram(context.Background(), io.NewSectionReader(bytes.NewReader(raw), 0, int64(len(raw))))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d sections: error %v, want %q", n, err, want)
		}
	}
}

// The build infos of two executables, and what is told of them first.
func TestBuilds(t *testing.T) {
	info := func(change func(*debug.BuildInfo)) *program {
		i := &debug.BuildInfo{
			GoVersion: "go1.26.8", Path: "example.com/orders", Main: debug.Module{Path: "example.com/orders", Version: "(devel)"},
			Deps:     []*debug.Module{{Path: "golang.org/x/text", Version: "v0.14.0", Sum: "h1:a"}, {Path: "example.com/b", Version: "v1.0.0", Sum: "h1:b"}},
			Settings: []debug.BuildSetting{{Key: "-trimpath", Value: "true"}, {Key: "GOAMD64", Value: "v1"}},
		}
		change(i)
		return &program{info: i}
	}
	plain := info(func(*debug.BuildInfo) {})
	for _, test := range []struct {
		name string
		here *program
		want []Difference
	}{
		{"the same", plain, nil},
		{"another Go", info(func(i *debug.BuildInfo) { i.GoVersion = "go1.26.7" }), []Difference{
			{What: "Go", Released: "go1.26.8", Rebuilt: "go1.26.7", Cause: "another Go release: go1.26.8 there, go1.26.7 here"}}},
		{"another version", info(func(i *debug.BuildInfo) {
			i.Deps[0] = &debug.Module{Path: "golang.org/x/text", Version: "v0.15.0", Sum: "h1:c"}
		}), []Difference{
			{What: "module golang.org/x/text", Released: "v0.14.0 h1:a", Rebuilt: "v0.15.0 h1:c", Cause: "another version of golang.org/x/text: v0.14.0 there, v0.15.0 here"}}},
		{"other content", info(func(i *debug.BuildInfo) {
			i.Deps[0] = &debug.Module{Path: "golang.org/x/text", Version: "v0.14.0", Sum: "h1:c"}
		}), []Difference{
			{What: "module golang.org/x/text", Released: "v0.14.0 h1:a", Rebuilt: "v0.14.0 h1:c", Cause: "golang.org/x/text v0.14.0 has other content there than here, or one of the two is vendored"}}},
		{"one module more, one less", info(func(i *debug.BuildInfo) {
			i.Deps = []*debug.Module{i.Deps[0], {Path: "example.com/c", Version: "v1.0.0", Sum: "h1:d"}}
		}), []Difference{
			{What: "module example.com/b", Released: "v1.0.0 h1:b", Cause: "example.com/b is linked in there only: another commit, or build tags"},
			{What: "module example.com/c", Rebuilt: "v1.0.0 h1:d", Cause: "example.com/c is linked in here only: another commit, or build tags"}}},
		{"replaced", info(func(i *debug.BuildInfo) {
			i.Deps[0] = &debug.Module{Path: "golang.org/x/text", Version: "v0.14.0", Replace: &debug.Module{Path: "./text"}}
		}), []Difference{
			{What: "module golang.org/x/text", Released: "v0.14.0 h1:a", Rebuilt: "v0.14.0 replaced by ./text", Cause: "golang.org/x/text is replaced by none there, and by ./text here"}}},
		{"settings", info(func(i *debug.BuildInfo) {
			i.Settings = []debug.BuildSetting{{Key: "GOAMD64", Value: "v3"}, {Key: "vcs.modified", Value: "true"}}
		}), []Difference{
			{What: "build setting -trimpath", Released: "true", Cause: "another -trimpath: true there, none here"},
			{What: "build setting GOAMD64", Released: "v1", Rebuilt: "v3", Cause: "another GOAMD64: v1 there, v3 here"},
			{What: "build setting vcs.modified", Rebuilt: "true", Cause: "another vcs.modified: none there, true here"}}},
		{"none", &program{}, []Difference{
			{What: "build info", Released: "go1.26.8 example.com/orders", Cause: "only one of the two carries Go build info: the other was not built by go build"}}},
		{"another program", info(func(i *debug.BuildInfo) { i.Path, i.Main = "command-line-arguments", debug.Module{} }), []Difference{
			{What: "main package", Released: "example.com/orders", Rebuilt: "command-line-arguments", Cause: "another program: example.com/orders there, command-line-arguments here"},
			{What: "module example.com/orders", Released: "(devel)", Cause: "example.com/orders is linked in there only: another commit, or build tags"}}},
	} {
		c := &comparison{limit: most}
		c.builds(Difference{}, plain, test.here)
		if diff := cmp.Diff(test.want, c.list); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
