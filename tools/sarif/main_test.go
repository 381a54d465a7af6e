package main

import (
	"os"
	"strings"
	"testing"
)

// The tests of package checks compare what Temper writes with this file, byte
// for byte.
func TestWhatTemperWrites(t *testing.T) {
	raw, err := os.ReadFile("../../checks/testdata/report.sarif")
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(raw); err != nil {
		t.Error(err)
	}
	for what, change := range map[string][2]string{
		"a key that SARIF does not know": {`"ruleId"`, `"ruleID"`},
		"a level that it does not know":  {`"level": "error"`, `"level": "fatal"`},
		"an address that is none":        {`"uri": "services/`, `"uri": "::services/`},
		"another version":                {`"version": "2.1.0"`, `"version": "2.0.0"`},
	} {
		broken := strings.Replace(string(raw), change[0], change[1], 1)
		if err := validate([]byte(broken)); broken == string(raw) || err == nil {
			t.Errorf("the schema takes %s", what)
		}
	}
}
