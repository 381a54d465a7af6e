package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	// For go.mod: schemas in their sources are read below.
	_ "github.com/CycloneDX/cyclonedx-go"
	"github.com/xeipuuv/gojsonschema"
)

// A schema is a file in the sources of a module.
type schema struct{ module, file string }

var (
	// spdx is SPDX's own schema of version 2.3.
	spdx = schema{"github.com/anchore/syft", "schema/spdx-json/spdx-schema-2.3.json"}
	// cyclonedx is CycloneDX's own schema of version 1.6; it refers to the list of
	// licences beside it.
	cyclonedx = schema{"github.com/CycloneDX/cyclonedx-go", "schema/bom-1.6.schema.json"}
)

// validate says everything in a document that the schema does not allow.
func (s schema) validate(raw []byte) error {
	loader, err := s.load()
	if err != nil {
		return fmt.Errorf("reading the schema: %w", err)
	}
	result, err := loader.Validate(gojsonschema.NewBytesLoader(raw))
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range result.Errors() {
		errs = append(errs, errors.New(e.String()))
	}
	return errors.Join(errs...)
}

func (s schema) load() (*gojsonschema.Schema, error) {
	out, err := exec.Command("go", "mod", "download", "-json", s.module).Output()
	if err != nil {
		return nil, err
	}
	var at struct{ Dir string }
	if err := json.Unmarshal(out, &at); err != nil {
		return nil, err
	}
	file := filepath.Join(at.Dir, filepath.FromSlash(s.file))
	loader := gojsonschema.NewSchemaLoader()
	for _, beside := range []string{"spdx.schema.json", "jsf-0.82.schemax.json"} {
		raw, err := os.ReadFile(filepath.Join(filepath.Dir(file), beside))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !json.Valid(raw) {
			return nil, fmt.Errorf("%s is no JSON", beside)
		}
		if err := loader.AddSchemas(gojsonschema.NewBytesLoader(raw)); err != nil {
			return nil, err
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return loader.Compile(gojsonschema.NewBytesLoader(raw))
}
