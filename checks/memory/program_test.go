package memory

import (
	"os"
	"strings"
	"testing"
)

// The build id is what "go tool buildid" says it is.
func TestProgramID(t *testing.T) {
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if id := buildID(f); strings.Count(id, "/") != 3 {
		t.Errorf("the build id of this test is %q, want four parts", id)
	}
	id, err := programID()
	if err != nil || id == "" {
		t.Errorf("programID: %q, %v", id, err)
	}
}
