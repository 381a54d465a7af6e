package main

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// What one call of verify takes on top of the start of the command, all that it
// looks at included, beside a registry in memory.
func BenchmarkVerify(b *testing.B) {
	b.Setenv("COSIGN_PASSWORD", "a password")
	dir := b.TempDir()
	for name, content := range map[string]string{
		"go.mod":      "module example.com/hello\n\ngo 1.26\n",
		"main.go":     "package main\n\nimport (\n\t\"net/http\"\n\t\"os\"\n)\n\nfunc main() { http.NewResponseController(nil); os.Exit(0) }\n",
		"temper.yaml": "platforms: [linux/amd64]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			b.Fatal(err)
		}
	}
	b.Chdir(dir)
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	ref := strings.TrimPrefix(server.URL, "http://") + "/hello:v1"
	temper := func(args ...string) {
		b.Helper()
		var said strings.Builder
		if code := run(args, &person{out: io.Discard, err: &said}); code != exitDone {
			b.Fatalf("temper %s: exit code %d\n%s", strings.Join(args, " "), code, said.String())
		}
	}
	temper("build", "--private", "-o", "oci")
	temper("keygen")
	temper("release", "--key", "cosign.key", "--bare", "--tag", "v1", "oci", strings.TrimSuffix(ref, ":v1"))
	for _, flags := range [][]string{nil, {"--recheck"}} {
		b.Run("verify"+strings.Join(flags, ""), func(b *testing.B) {
			for b.Loop() {
				temper(append(append([]string{"verify", "--key", "cosign.pub"}, flags...), ref)...)
			}
		})
	}
}
