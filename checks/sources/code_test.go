package sources

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/tools/txtar"
)

// standard are the packages of the standard library that cases may import.
var standard = []string{
	"context", "crypto/tls", "encoding/json", "expvar", "fmt", "io", "io/ioutil", "log", "net", "net/http", "net/http/cgi", "net/http/fcgi",
	"net/http/httptest", "net/http/httputil", "net/http/pprof", "net/url", "os", "os/exec", "os/signal", "path", "slices", "strings", "sync",
	"sync/atomic", "syscall", "testing", "time", "errors", "flag", "bytes", "bufio", "embed", "log/slog", "html/template", "maps", "strconv",
	"net/rpc", "net/netip", "crypto/x509", "runtime/pprof", "regexp",
}

// exports are the files in which the compiler left the types of the standard library.
var exports = sync.OnceValues(func() (map[string]string, error) {
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Export"}, standard...)...)
	out, err := cmd.Output()
	if err != nil {
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			err = errors.New(string(exit.Stderr))
		}
		return nil, err
	}
	files := make(map[string]string)
	for stream := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ ImportPath, Export string }
		if err := stream.Decode(&p); err == io.EOF {
			return files, nil
		} else if err != nil {
			return nil, err
		}
		files[p.ImportPath] = p.Export
	}
})

// programOf makes a program of the Go files of an archive: each folder is a package,
// and those at the top are package main of example.com/case. A folder below "deps" is a
// dependency, whose path is what follows; a go.mod says which Go. Packages come in the order of their imports.
func programOf(t testing.TB, files []txtar.File) *Program {
	t.Helper()
	std, err := exports()
	if err != nil {
		t.Fatal(err)
	}
	packages := make(map[string]*Package)
	imports := make(map[string][]string)
	says := "1.26"
	for _, f := range files {
		if f.Name == "go.mod" {
			mod, err := modfile.Parse(f.Name, f.Data, nil)
			if err != nil {
				t.Fatal(err)
			}
			says = mod.Go.Version
		}
	}
	for _, f := range files {
		if path.Ext(f.Name) != ".go" {
			continue
		}
		dir, own := path.Dir(f.Name), true
		at := path.Join("example.com/case", dir)
		if dep, ok := strings.CutPrefix(dir, "deps/"); ok {
			at, own = dep, false
		}
		if packages[at] == nil {
			packages[at] = &Package{Path: at, Go: says, Module: "example.com/case", Own: own}
			if !own {
				packages[at].Module = at
			}
		}
		packages[at].Files = append(packages[at].Files, File{f.Name, f.Data})
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Name, f.Data, parser.ImportsOnly)
		if err != nil {
			continue // the program tells
		}
		for _, spec := range parsed.Imports {
			to, _ := strconv.Unquote(spec.Path.Value)
			imports[at] = append(imports[at], to)
			packages[at].Direct = append(packages[at].Direct, to)
		}
	}
	p := &Program{Arch: runtime.GOARCH}
	var add func(at string)
	add = func(at string) {
		pkg := packages[at]
		if pkg == nil || slices.Contains(p.Packages, pkg) {
			return
		}
		for _, to := range imports[at] {
			add(to)
		}
		p.Packages = append(p.Packages, pkg)
	}
	var order []string
	for at := range packages {
		order = append(order, at)
	}
	slices.Sort(order)
	for _, at := range order {
		add(at)
	}
	compiled := make(map[string][]byte)
	p.Export = func(at string) (io.ReadCloser, error) {
		if file, ok := std[at]; ok {
			return os.Open(file)
		}
		if data, ok := compiled[at]; ok {
			return io.NopCloser(bytes.NewReader(data)), nil
		}
		return nil, fmt.Errorf("package %s is not among the standard packages of cases", at)
	}
	compile(t, p, packages, std, compiled)
	p.ID = func(at string) string {
		if data, ok := compiled[at]; ok {
			return fmt.Sprintf("%x", sha256.Sum256(data))
		}
		return std[at] // the name is the content's
	}
	return p
}

// compile writes what Go's compiler would of the packages that others import.
func compile(t testing.TB, p *Program, packages map[string]*Package, std map[string]string, compiled map[string][]byte) {
	t.Helper()
	if len(p.Packages) == 1 {
		return
	}
	dir := t.TempDir()
	var config strings.Builder
	for at, file := range std {
		if file != "" {
			fmt.Fprintf(&config, "packagefile %s=%s\n", at, file)
		}
	}
	for i, pkg := range p.Packages {
		args := []string{"tool", "compile", "-p", pkg.Path, "-complete", "-trimpath", dir, "-o", filepath.Join(dir, strconv.Itoa(i)+".a"), "-importcfg", filepath.Join(dir, "cfg")}
		if err := os.WriteFile(filepath.Join(dir, "cfg"), []byte(config.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		for j, f := range pkg.Files {
			file := filepath.Join(dir, fmt.Sprintf("%d_%d.go", i, j))
			if err := os.WriteFile(file, f.Content, 0o666); err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(f.Name, "_test.go") {
				args = append(args, file)
			}
		}
		if pkg == packages["example.com/case"] {
			continue // nobody imports it
		}
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			t.Fatalf("compiling %s: %s", pkg.Path, out)
		}
		data, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(i)+".a"))
		if err != nil {
			t.Fatal(err)
		}
		compiled[pkg.Path] = data
		fmt.Fprintf(&config, "packagefile %s=%s\n", pkg.Path, filepath.Join(dir, strconv.Itoa(i)+".a"))
	}
}

// want is what a line is expected to be told: // want "finding" or, for what is
// undecided, // undecided "why". Both are regular expressions, and there may be several
// of them. With // above before it, it is about the line before, for lines that take no
// comment.
var (
	want   = regexp.MustCompile(`// (above )?(want|undecided) (.*)$`)
	quoted = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`")
)

// A case is a program whose lines say in comments what the rule that the folder is
// named for finds in them. Below testdata/good no rule finds anything.
func TestCode(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		rule  string
		fails bool
	}
	outcomes := make(map[outcome]bool)
	for _, file := range files {
		folder := filepath.Base(filepath.Dir(file))
		i := slices.IndexFunc(CodeRules, func(c *Code) bool { return c.Name == folder })
		if i < 0 && folder != "good" {
			continue // TestRules has it
		}
		t.Run(folder+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			rules := CodeRules
			if i >= 0 {
				rules = CodeRules[i : i+1]
			}
			found, err := programOf(t, archive.Files).analyze(t.Context(), rules, nil)
			if err != nil {
				t.Fatal(err)
			}
			outcomes[outcome{folder, slices.ContainsFunc(found, func(d Diagnostic) bool { return d.Category != Undecided })}] = true
			compare(t, archive.Files, found)
		})
	}
	for _, c := range CodeRules {
		for _, fails := range []bool{false, true} {
			if !outcomes[outcome{c.Name, fails}] {
				t.Errorf("testdata/%s has no case where it fails=%v", c.Name, fails)
			}
		}
	}
}

// compare holds what was found against what the lines say.
func compare(t *testing.T, files []txtar.File, found []Diagnostic) {
	t.Helper()
	type line struct {
		file string
		line int
	}
	said := make(map[line][]Diagnostic)
	for _, d := range found {
		at := line{d.File, d.Line}
		said[at] = append(said[at], d)
	}
	for _, f := range files {
		for i, text := range strings.Split(string(f.Data), "\n") {
			at := line{f.Name, i + 1}
			m := want.FindStringSubmatch(text)
			if m == nil {
				continue
			}
			if m[1] != "" {
				at.line--
			}
			for _, q := range quoted.FindAllString(m[3], -1) {
				expr, err := strconv.Unquote(q)
				if err != nil {
					t.Fatalf("%s:%d: %s: %v", f.Name, i+1, q, err)
				}
				n := slices.IndexFunc(said[at], func(d Diagnostic) bool {
					return (d.Category == Undecided) == (m[2] == "undecided") && regexp.MustCompile(expr).MatchString(d.Message)
				})
				if n < 0 {
					t.Errorf("%s:%d: nothing like %s %s; said: %v", f.Name, at.line, m[2], q, said[at])
					continue
				}
				said[at] = slices.Delete(said[at], n, n+1)
			}
		}
	}
	for at, rest := range said {
		for _, d := range rest {
			t.Errorf("%s:%d:%d: unexpected: %s %s %q", at.file, at.line, d.Column, d.Rule, d.Category, d.Message)
		}
	}
}
