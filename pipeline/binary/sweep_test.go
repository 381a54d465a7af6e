package binary

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/service"
)

// What a killed build has left goes with the next one, and what another works with stays.
func TestWhatAKilledBuildLeftIsSwept(t *testing.T) {
	root := t.TempDir()
	svc, platform, toolchain := &service.Service{Name: "orders", Root: "/src"}, v1.Platform{OS: "linux", Architecture: "amd64"}, &Toolchain{Version: "go1.26.1"}
	c, err := newCacheDir(root, svc, platform, toolchain)
	if err != nil {
		t.Fatal(err)
	}
	for name, age := range map[string]time.Duration{"go-build1": 2 * left, "go-build2": 0} {
		dir := filepath.Join(c.tmp(), name)
		if err := os.MkdirAll(filepath.Join(dir, "b001"), 0o700); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(dir, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := newCacheDir(root, svc, platform, toolchain); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(c.tmp())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if diff := cmp.Diff([]string{"go-build2"}, names); diff != "" {
		t.Errorf("in tmp (-want +got):\n%s", diff)
	}
}
