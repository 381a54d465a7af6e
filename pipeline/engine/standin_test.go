package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"dagger.io/dagger"
	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The engine's schema comes with its source, as a Go module. It is fetched by
// version and sum, and stays out of go.mod: what it requires is no business of
// ours.
const (
	schemaModule = "github.com/dagger/dagger@v0.21.8"
	schemaSum    = "h1:2BQXPly/KRgbjMLNjbh2kz5+zVOlIaFAk9A8t1oGCFk="
	schemaFile   = "docs/docs-graphql/schema.graphqls"
)

var schema = sync.OnceValues(func() (*ast.Schema, error) {
	cmd := exec.Command("go", "mod", "download", "-json", schemaModule)
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w\n%s", schemaModule, err, out)
	}
	var module struct{ Dir, Sum string }
	if err := json.Unmarshal(out, &module); err != nil {
		return nil, err
	}
	if module.Sum != schemaSum {
		return nil, fmt.Errorf("%s has the sum %s, want %s", schemaModule, module.Sum, schemaSum)
	}
	raw, err := os.ReadFile(filepath.Join(module.Dir, filepath.FromSlash(schemaFile)))
	if err != nil {
		return nil, err
	}
	return gqlparser.LoadSchema(&ast.Source{Name: schemaFile, Input: string(raw)})
})

// An engineStandIn answers the client library's queries in place of an engine,
// holds each against the real schema, and writes them down for the goldens.
type engineStandIn struct {
	t      *testing.T
	schema *ast.Schema
	// exit and stderr are what every temper step answers with; services is what
	// temper services --json prints.
	exit             int
	stderr, services string
	// outline is what it exits with where it is asked without the code.
	outline int
	// broken is what a step that fetches said before it failed, which the
	// engine tells whoever asks for the exit code of a step after it.
	broken string
	// refused is what temper probe said when it said no.
	refused string

	mu  sync.Mutex
	ids map[string]string // what each id stands for
	log []string
}

func (e *engineStandIn) Host() string { return "stand-in" }
func (e *engineStandIn) Close() error { return nil }

func (e *engineStandIn) Do(r *http.Request) (*http.Response, error) {
	var q struct {
		Query string `json:"query"`
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		return nil, err
	}
	doc, errs := gqlparser.LoadQueryWithRules(e.schema, q.Query, rules.NewDefaultRules())
	if errs != nil {
		e.t.Errorf("the query does not fit the schema: %v\n%s", errs, q.Query)
		return nil, errs
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	data := make(map[string]any)
	for _, s := range doc.Operations[0].SelectionSet {
		e.answer(s.(*ast.Field), nil, data)
	}
	answer := map[string]any{"data": data}
	if e.broken != "" && strings.Contains(q.Query, "exitCode") {
		answer = failedStep("fetch", 1, "", e.broken)
	}
	if e.refused != "" && strings.Contains(q.Query, `"probe"`) {
		answer = failedStep("probe", exitNo, "{}", e.refused)
	}
	raw, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(raw))}, nil
}

// failedStep is how an engine tells of a step of temper's that failed.
func failedStep(verb string, code int, stdout, stderr string) map[string]any {
	return map[string]any{"errors": []any{map[string]any{"message": fmt.Sprintf("exit code: %d", code), "extensions": map[string]any{
		"_type": "EXEC_ERROR", "cmd": []string{command, verb}, "exitCode": code, "stdout": stdout, "stderr": stderr,
	}}}}
}

// answer fills in what one chain of fields asks for.
func (e *engineStandIn) answer(f *ast.Field, chain []string, into map[string]any) {
	chain = append(chain, call(f))
	if len(f.SelectionSet) > 0 {
		inner := make(map[string]any)
		into[f.Alias] = inner
		for _, s := range f.SelectionSet {
			e.answer(s.(*ast.Field), chain, inner)
		}
		return
	}
	text := strings.Join(chain, "\n  ")
	if f.Name == "id" {
		// By content, since the client asks for ids side by side.
		sum := sha256.Sum256([]byte(text))
		id := strings.ToLower(f.ObjectDefinition.Name) + "-" + hex.EncodeToString(sum[:4])
		e.ids[id] = id + " =\n  " + strings.Join(chain[:len(chain)-1], "\n  ")
		into[f.Alias] = id
		return
	}
	e.log = append(e.log, "ask\n  "+text)
	into[f.Alias] = e.leaf(f, text)
}

func (e *engineStandIn) leaf(f *ast.Field, text string) any {
	switch f.Name {
	case "exitCode":
		switch {
		case strings.Contains(text, `"--outline"`):
			return e.outline
		case strings.Contains(text, `"services"`):
			return 0
		}
		return e.exit
	case "stderr":
		return e.stderr
	case "endpoint":
		return "0123456789abc.dagger.local:8081"
	case "entrypoint":
		return []string{"/usr/local/bin/orders"}
	case "stdout":
		switch {
		case strings.Contains(text, `"services"`):
			return e.services
		case strings.Contains(text, `"release"`):
			return "reg/orders@sha256:1\nreg/stock@sha256:2\n"
		}
		return "{}"
	}
	e.t.Errorf("the stand-in has no answer to %s", f.Name)
	return nil
}

// call writes one field and its arguments as a line.
func call(f *ast.Field) string {
	var args []string
	name := f.Arguments.ForName("name")
	stamped := name != nil && name.Value.Raw == "TEMPER_ASKED_AT"
	for _, a := range f.Arguments {
		value := a.Value.String()
		if a.Name == "value" && stamped {
			value = "NOW"
		}
		args = append(args, a.Name+": "+value)
	}
	if len(args) == 0 {
		return f.Name
	}
	slices.Sort(args) // the client writes them in no order
	return f.Name + "(" + strings.Join(args, ", ") + ")"
}

const twoServices = `{"services": [
	{"name": "orders", "module": "example.com/shop", "dir": ".", "package": "./cmd/orders", "main": "cmd/orders", "inputs": ["cmd/orders", "internal"], "go": "go1.26.8", "platforms": [
		{"platform": "linux/amd64", "cache": "services/0/orders/linux-amd64"}, {"platform": "linux/arm64", "cache": "services/0/orders/linux-arm64"}]},
	{"name": "stock", "module": "example.com/shop", "dir": ".", "package": "./cmd/stock", "main": "cmd/stock", "files": ["assets"], "inputs": ["."], "go": "go1.26.8", "platforms": [
		{"platform": "linux/amd64", "cache": "services/0/stock/linux-amd64"}, {"platform": "linux/arm64", "cache": "services/0/stock/linux-arm64"}]}]}`

// pipeline returns one that talks to a stand-in.
func pipeline(t *testing.T, opts Options) (*Pipeline, *engineStandIn) {
	t.Helper()
	s, err := schema()
	if err != nil {
		t.Fatal(err)
	}
	e := &engineStandIn{t: t, schema: s, services: twoServices, ids: make(map[string]string)}
	client, err := dagger.Connect(context.Background(), dagger.WithConn(e))
	if err != nil {
		t.Fatal(err)
	}
	if opts.Temper == nil {
		opts.TemperSource = client.Host().Directory("temper")
	}
	return New(client, client.Host().Directory("source"), opts), e
}

func (e *engineStandIn) golden(t *testing.T, name string) string {
	t.Helper()
	all := slices.Sorted(slices.Values(e.log)) // some are asked side by side
	for _, id := range slices.Sorted(maps.Keys(e.ids)) {
		all = append(all, e.ids[id])
	}
	got := strings.Join(all, "\n\n") + "\n"
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("what the engine is asked (-want +got):\n%s", diff)
	}
	return got
}
