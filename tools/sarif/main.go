// Command sarif holds files against the schema of SARIF 2.1.0, as OASIS
// published it with errata 01.
//
//	go run -C tools/sarif . FILE...
//
// It is a module of its own, for what it needs is for this test alone: the
// schema comes from the sources of go-sarif, which has it as a constant.
package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	// For go.mod: its sources are read below.
	_ "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/xeipuuv/gojsonschema"
)

func main() {
	for _, file := range os.Args[1:] {
		raw, err := os.ReadFile(file)
		if err == nil {
			err = validate(raw)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", file, err)
			os.Exit(1)
		}
	}
}

// validate says everything in a file that the schema does not allow.
func validate(raw []byte) error {
	text, err := schema()
	if err != nil {
		return fmt.Errorf("reading the schema: %w", err)
	}
	result, err := gojsonschema.Validate(gojsonschema.NewStringLoader(text), gojsonschema.NewBytesLoader(raw))
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range result.Errors() {
		errs = append(errs, errors.New(e.String()))
	}
	return errors.Join(errs...)
}

// schema returns the constant of that name.
func schema() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/owenrumney/go-sarif/v3").Output()
	if err != nil {
		return "", err
	}
	file := filepath.Join(strings.TrimSpace(string(out)), "pkg", "report", "v210", "sarif", "schema.go")
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	for _, decl := range parsed.Decls {
		general, ok := decl.(*ast.GenDecl)
		if !ok || general.Tok != token.CONST {
			continue
		}
		for _, spec := range general.Specs {
			value := spec.(*ast.ValueSpec)
			if text, ok := value.Values[0].(*ast.BasicLit); ok && value.Names[0].Name == "schema" {
				return strconv.Unquote(text.Value)
			}
		}
	}
	return "", fmt.Errorf("%s holds no schema", file)
}
