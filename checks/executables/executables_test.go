package executables

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"temper/checks"
)

// program links one module under a debugger's name, from a folder beside it.
const program = `
-- go.mod --
module example.com/program

go 1.26

require github.com/go-delve/delve v1.0.0

replace github.com/go-delve/delve => ./delve
-- main.go --
package main

func main() { println("hello") }
-- debugged/main.go --
package main

import "github.com/go-delve/delve/service"

func main() { service.Listen() }
-- profiled/main.go --
package main

import (
	"net/http"
	_ "net/http/pprof"
)

func main() { http.Get("") }
-- client/main.go --
package main

import "net/http"

// It speaks of "net/http/pprof.Index" and expvar.Handler, and has neither.
var words = []string{"net/http/pprof.Index", "expvar.Handler"}

func main() { http.Get(words[len(words)-1]) }
-- delve/go.mod --
module github.com/go-delve/delve

go 1.26
-- delve/service/service.go --
package service

func Listen() { println("listening") }
`

// write puts the program on disk.
func write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(program)).Files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// compile runs go build and returns the executable.
func compile(t *testing.T, dir, flags string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "program")
	var env []string
	args := []string{"build", "-buildvcs=false", "-o", out}
	pkg := "."
	for _, word := range strings.Split(flags, ";") {
		switch {
		case strings.HasPrefix(word, "-"):
			args = append(args, word)
		case strings.Contains(word, "="):
			env = append(env, word)
		default:
			pkg = word
		}
	}
	cmd := exec.Command("go", append(args, strings.Split(pkg, " ")...)...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off"), env...)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", flags, err, said)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// broken returns the names of the rules that the executable breaks, sorted.
func broken(t *testing.T, f *Facts) []string {
	t.Helper()
	r, err := checks.Run(context.Background(), checks.Subject{Name: "program"}, "linux/amd64", &Subject{Facts: f, Path: "/program", Arch: "amd64"}, Rules)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, found := range r.Findings {
		names = append(names, found.Rule)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// What Go's own flags make of one program, and the rules that are broken then.
func TestRules(t *testing.T) {
	dir := write(t)
	for _, test := range []struct {
		name, flags string
		want        []string
	}{
		{"as temper builds", "-trimpath;-ldflags=-s -w;.", []string{}},
		{"plain", ".", []string{"stripped", "trimmed"}},
		{"symbols, no DWARF", "-trimpath;-ldflags=-w;.", []string{"stripped"}},
		{"a position-independent executable asks for a loader", "-trimpath;-ldflags=-s -w;-buildmode=pie;.", []string{"static"}},
		{"another machine", "-trimpath;-ldflags=-s -w;GOARCH=arm64;.", []string{"platform"}},
		{"another system with the same format", "-trimpath;-ldflags=-s -w;GOOS=freebsd;.", []string{"platform"}},
		{"a debugger linked in, from a folder", "-trimpath;-ldflags=-s -w;./debugged", []string{"debug-module"}},
		{"profiles served by an import", "-trimpath;-ldflags=-s -w;./profiled", []string{"debug-package"}},
		{"the same in a position-independent executable", "-trimpath;-ldflags=-s -w;-buildmode=pie;./profiled", []string{"debug-package", "static"}},
		{"a client that has their names in strings", "-trimpath;-ldflags=-s -w;./client", []string{}},
		{"single files", "-trimpath;-ldflags=-s -w;main.go", []string{"build-info"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := Read(bytes.NewReader(compile(t, dir, test.flags)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, broken(t, f)); diff != "" {
				t.Errorf("broken rules (-want +got):\n%s", diff)
			}
		})
	}
}

// What no flag of Go makes.
func TestRulesOnFacts(t *testing.T) {
	good := func() *Facts {
		return &Facts{Arch: "amd64", Go: &debug.BuildInfo{
			Path: "example.com/x", Main: debug.Module{Path: "example.com/x"},
			Settings: []debug.BuildSetting{{Key: "CGO_ENABLED", Value: "0"}, {Key: "-trimpath", Value: "true"}, {Key: "GOOS", Value: "linux"}},
		}}
	}
	for _, test := range []struct {
		name   string
		change func(*Facts)
		want   []string
	}{
		{"good", func(*Facts) {}, []string{}},
		{"no build info", func(f *Facts) { f.Go = nil }, []string{"build-info"}},
		{"cgo", func(f *Facts) { f.Go.Settings[0].Value = "1" }, []string{"cgo"}},
		{"the build info does not say whether cgo was off", func(f *Facts) { f.Go.Settings = f.Go.Settings[1:] }, []string{"cgo"}},
		{"dynamic without an interpreter", func(f *Facts) { f.Dynamic = true }, []string{"static"}},
		{"a loader with an empty name", func(f *Facts) { f.Interpreter = "(empty)" }, []string{"static"}},
		{"DWARF alone", func(f *Facts) { f.DWARF = true }, []string{"stripped"}},
		{"a later major version of a debugger", func(f *Facts) {
			f.Go.Deps = []*debug.Module{{Path: "github.com/google/gops/v2", Version: "v2.0.0"}}
		}, []string{"debug-module"}},
		{"a debugger under another name", func(f *Facts) {
			f.Go.Deps = []*debug.Module{{Path: "example.com/innocent", Version: "v1.0.0", Replace: &debug.Module{Path: "github.com/go-delve/delve", Version: "v1.25.0"}}}
		}, []string{"debug-module"}},
		{"a module whose name only begins like one", func(f *Facts) {
			f.Go.Deps = []*debug.Module{{Path: "github.com/google/gopsutil", Version: "v1.0.0"}}
		}, []string{}},
		{"the main module is one", func(f *Facts) { f.Go.Main.Path = "github.com/go-delve/delve" }, []string{"debug-module"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := good()
			test.change(f)
			if diff := cmp.Diff(test.want, broken(t, f)); diff != "" {
				t.Errorf("broken rules (-want +got):\n%s", diff)
			}
		})
	}
}

// What cannot be read has no facts, and never passes.
// Build info alone makes no program of Go: a table of functions under another
// name would hide net/http/pprof, and a shell with build info would be taken at
// its word.
func TestReadWantsTheTableOfFunctions(t *testing.T) {
	raw := compile(t, write(t), "-trimpath;-ldflags=-s -w;.")
	hidden := bytes.Replace(raw, []byte(".gopclntab\x00"), []byte(".hopclntab\x00"), 1)
	if bytes.Equal(raw, hidden) {
		t.Fatal("the binary has no .gopclntab")
	}
	if f, err := Read(bytes.NewReader(hidden)); err == nil || !strings.Contains(err.Error(), ".gopclntab") {
		t.Errorf("Read = %+v, %v, want an error about .gopclntab", f, err)
	}
}

func TestReadRefuses(t *testing.T) {
	raw := compile(t, write(t), "-trimpath;-ldflags=-s -w;.")
	sections := slices.Clone(raw)
	binary.LittleEndian.PutUint64(sections[40:], uint64(len(raw))+1<<40) // e_shoff
	for name, content := range map[string][]byte{
		"empty":                      {},
		"a script":                   []byte("#!/bin/sh\n"),
		"half of the header":         raw[:32],
		"half of the file":           raw[:len(raw)/2],
		"sections beyond the end":    sections,
		"a PE executable":            append([]byte("MZ"), make([]byte, 1024)...),
		"the magic number, no more":  []byte("\x7fELF"),
		"zeros after a right header": append(slices.Clone(raw[:64]), make([]byte, 64)...),
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Read(bytes.NewReader(content))
			if err == nil && len(broken(t, f)) == 0 {
				t.Errorf("Read gave facts that break no rule: %+v", f)
			}
		})
	}
}
