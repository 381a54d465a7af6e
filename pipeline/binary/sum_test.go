package binary

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestSum(t *testing.T) {
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	tools := filepath.Join("pkg", "tool", runtime.GOOS+"_"+runtime.GOARCH)
	goroot := func(compiler string) string {
		root := t.TempDir()
		for name, content := range map[string]string{
			filepath.Join("bin", "go"): "go", filepath.Join(tools, "asm"): "asm", filepath.Join(tools, "compile"): compiler, filepath.Join(tools, "link"): "link",
		} {
			path := filepath.Join(root, name+suffix)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		return root
	}
	sum := func(root string) string {
		t.Helper()
		got, err := (&Toolchain{Root: root}).Sum()
		if err != nil || !strings.HasPrefix(got, "h1:") {
			t.Fatalf("Sum: %q, %v", got, err)
		}
		return got
	}
	one := sum(goroot("compile"))
	if other := sum(goroot("compile")); other != one {
		t.Errorf("the same programs elsewhere have %s and %s", one, other)
	}
	if other := sum(goroot("something else")); other == one {
		t.Error("another compiler has the same sum")
	}
	if got, err := (&Toolchain{Root: t.TempDir()}).Sum(); err == nil {
		t.Errorf("a folder without a toolchain has the sum %q", got)
	}
}
