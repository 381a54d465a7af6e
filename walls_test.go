// Package temper_test holds what is true of the whole repository: who may
// import whom, and that what is written down agrees with the program.
package temper_test

import (
	"bytes"
	"encoding/json"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// may lists who of ours each package may import. The order is the order in
// which values flow; nothing points back.
var may = map[string][]string{
	"temper/checks":                  {"temper/checks/pattern"},
	"temper/checks/executables":      {"temper/checks"},
	"temper/checks/images":           {"temper/checks/pattern", "temper/checks", "temper/checks/executables", "temper/checks/memory"},
	"temper/checks/memory":           {},
	"temper/checks/pattern":          {},
	"temper/checks/page":             {"temper/checks"},
	"temper/checks/sources":          {"temper/checks", "temper/checks/executables", "temper/checks/memory", "temper/checks/pattern", "temper/checks/sources/flow", "temper/checks/sources/handlers"},
	"temper/checks/sources/flow":     {},
	"temper/checks/sources/handlers": {"temper/checks/pattern", "temper/checks/sources/flow"},
	"temper/checks/probes":           {"temper/checks"},
	"temper/checks/workloads":        {"temper/checks/pattern", "temper/checks", "temper/checks/images"},
	"temper/pipeline/strict":         {"temper/checks/pattern"},
	"temper/pipeline/service":        {"temper/checks/pattern", "temper/pipeline/strict"},
	"temper/pipeline/binary":         {"temper/checks/pattern", "temper/checks", "temper/checks/executables", "temper/checks/memory", "temper/pipeline/service", "temper/pipeline/store", "temper/pipeline/timing"},
	"temper/pipeline/program":        {"temper/checks", "temper/checks/sources", "temper/pipeline/binary", "temper/pipeline/service"},
	"temper/pipeline/sandbox":        {},
	"temper/pipeline/evidence":       {"temper/checks/pattern", "temper/checks"},
	"temper/pipeline/license":        {"temper/checks/memory", "temper/checks/pattern", "temper/pipeline/evidence"},
	"temper/pipeline/inventory":      {"temper/pipeline/evidence", "temper/pipeline/license"},
	"temper/pipeline/image":          {"temper/checks/memory", "temper/checks/pattern", "temper/pipeline/binary", "temper/pipeline/evidence", "temper/pipeline/inventory", "temper/pipeline/service", "temper/pipeline/store"},
	"temper/pipeline/release":        {"temper/checks/pattern", "temper/checks", "temper/pipeline/evidence"},
	"temper/pipeline/manifest":       {"temper/checks/pattern", "temper/pipeline/service", "temper/pipeline/strict"},
	"temper/pipeline/policy":         {"temper/checks", "temper/pipeline/evidence", "temper/pipeline/release", "temper/pipeline/strict"},
	"temper/pipeline/admission":      {"temper/pipeline/evidence", "temper/pipeline/policy", "temper/pipeline/release"},
	"temper/pipeline/checkout":       {"temper/checks/pattern"},
	"temper/pipeline/lane":           {"temper/pipeline/store"},
	"temper/pipeline/store":          {},
	"temper/pipeline/timing":         {},
	"temper/pipeline/difference":     {"temper/checks/executables"},
	"temper/pipeline/engine":         {},
	"temper/pipeline/cmd/temper": {
		"temper/checks/pattern",
		"temper/checks", "temper/checks/executables", "temper/checks/images", "temper/checks/memory", "temper/checks/page", "temper/checks/probes", "temper/checks/sources",
		"temper/checks/workloads",
		"temper/pipeline/admission", "temper/pipeline/binary", "temper/pipeline/checkout", "temper/pipeline/difference", "temper/pipeline/evidence",
		"temper/pipeline/image", "temper/pipeline/inventory", "temper/pipeline/lane", "temper/pipeline/license", "temper/pipeline/manifest", "temper/pipeline/policy", "temper/pipeline/program", "temper/pipeline/release", "temper/pipeline/sandbox",
		"temper/pipeline/service", "temper/pipeline/store", "temper/pipeline/timing",
	},
	"temper/pipeline/cmd/temper-vet":      {"temper/checks/sources"},
	"temper/pipeline/release/releasetest": {}, // for tests
	"temper/examples/ci":                  {"temper/pipeline/engine"},
}

// only lists who may import code that weighs: everything else stays free of it.
var only = map[string][]string{
	"dagger.io/":                     {"temper/pipeline/engine", "temper/examples/ci"},
	"github.com/sigstore/":           {"temper/pipeline/release", "temper/pipeline/release/releasetest"},
	"github.com/go-openapi/":         {"temper/pipeline/release"},             // a client of Rekor
	"github.com/hashicorp/":          {"temper/pipeline/release"},             // a client of Vault
	"github.com/digitorus/":          {"temper/pipeline/release/releasetest"}, // timestamps
	"github.com/spf13/cobra":         {"temper/pipeline/cmd/temper"},
	"github.com/spdx/":               {"temper/pipeline/evidence"},
	"github.com/CycloneDX/":          {"temper/pipeline/evidence"},
	"github.com/google/licensecheck": {"temper/pipeline/license"},
	"github.com/github/go-spdx/":     {"temper/pipeline/license"},
	"github.com/klauspost/":          {"temper/pipeline/image", "temper/checks/images"}, // compression
	"k8s.io/":                        {"temper/checks/workloads"},                       // and nobody else needs 11 MB of types
	"github.com/google/go-containerregistry/pkg/v1/remote": {"temper/pipeline/image", "temper/pipeline/release", "temper/pipeline/cmd/temper"},
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-tags", "kms", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func TestWalls(t *testing.T) {
	for _, p := range packages(t) {
		if p.ImportPath == "temper" {
			continue // these tests
		}
		allowed, known := may[p.ImportPath]
		if !known {
			t.Errorf("%s is not in the table of who may import whom", p.ImportPath)
		}
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, "temper/") && !slices.Contains(allowed, imported) {
				t.Errorf("%s imports %s, and may not", p.ImportPath, imported)
			}
			for prefix, who := range only {
				if strings.HasPrefix(imported, prefix) && !slices.Contains(who, p.ImportPath) {
					t.Errorf("%s imports %s, which is for %v alone", p.ImportPath, imported, who)
				}
			}
		}
	}
}

// The module cannot be built without an engine's generated code; what can be
// told of it without one is.
func TestModuleIsThin(t *testing.T) {
	files, err := filepath.Glob("pipeline/module/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("the module's files: %v, %v", files, err)
	}
	for _, file := range files {
		if filepath.Base(file) == "dagger.gen.go" {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(path, "temper/") && path != "temper/pipeline/engine" {
				t.Errorf("%s imports %s; the module is the face of package engine and of nothing else", file, path)
			}
			// The compiler that would tell runs on an engine only.
			name := filepath.Base(path)
			if spec.Name != nil {
				name = spec.Name.Name
			}
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(src, []byte(name+".")) {
				t.Errorf("%s imports %s and does not use it", file, path)
			}
		}
	}
}

func TestGoModIsTidy(t *testing.T) {
	out, err := exec.Command("go", "mod", "tidy", "-diff").CombinedOutput()
	if err != nil {
		t.Errorf("go mod tidy would change something:\n%s", out)
	}
}

func TestFormatted(t *testing.T) {
	out, err := exec.Command("go", "run", "cmd/gofmt", "-l", "checks", "pipeline", "examples", "tools").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, file := range strings.Fields(string(out)) {
		if !strings.Contains(file, "module/internal") && !strings.HasSuffix(file, ".gen.go") {
			t.Errorf("%s is not formatted", file)
		}
	}
}

// The command is compiled for every system that people build on.
func TestCrossCompiles(t *testing.T) {
	for _, target := range []string{"darwin/arm64", "windows/amd64"} {
		goos, goarch, _ := strings.Cut(target, "/")
		cmd := exec.Command("go", "build", "-o", os.DevNull, "./pipeline/cmd/temper")
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("for %s: %v\n%s", target, err, out)
		}
	}
}
