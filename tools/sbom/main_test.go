package main

import (
	"os"
	"strings"
	"testing"
)

// The tests of package evidence compare what Temper writes with these files,
// byte for byte.
func TestWhatTemperWrites(t *testing.T) {
	for _, test := range []struct {
		file   string
		schema schema
		change map[string][2]string
	}{
		{"sbom.json", spdx, map[string][2]string{
			"a key that SPDX does not know":   {`"versionInfo"`, `"version"`},
			"a relationship of no kind":       {`"DEPENDS_ON"`, `"NEEDS"`},
			"a file without checksums":        {`"checksums"`, `"sums"`},
			"a purpose that it does not know": {`"CONTAINER"`, `"IMAGE"`},
		}},
		{"cyclonedx.json", cyclonedx, map[string][2]string{
			"a key that CycloneDX does not know": {`"purl"`, `"packageURL"`},
			"a type that it does not know":       {`"type": "library"`, `"type": "module"`},
			"another version":                    {`"serialNumber": "urn:uuid:`, `"serialNumber": "`},
			"a hash of no algorithm":             {`"alg": "SHA-256"`, `"alg": "h1"`},
		}},
	} {
		raw, err := os.ReadFile("../../pipeline/evidence/testdata/" + test.file)
		if err != nil {
			t.Fatal(err)
		}
		if err := test.schema.validate(raw); err != nil {
			t.Errorf("%s: %v", test.file, err)
		}
		for what, change := range test.change {
			broken := strings.Replace(string(raw), change[0], change[1], 1)
			if err := test.schema.validate([]byte(broken)); broken == string(raw) || err == nil {
				t.Errorf("%s: the schema takes %s", test.file, what)
			}
		}
	}
}
