package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// module has one comment that breaks a rule in a package, and one in a test; the
// package that imports it is good.
const module = `
-- go.mod --
module example.com/shop

go 1.26
-- bad/bad.go --
package bad

//temper:ignore nothing because it is called so
func F() {}
-- bad/bad_test.go --
package bad

//temper:ignore nothing because it is called so
func f() {}
-- good/good.go --
package good

import "example.com/shop/bad"

// F is good.
func F() { bad.F() }
`

// Go vet takes the tool, and tells what it finds and where.
func TestVet(t *testing.T) {
	dir := t.TempDir()
	tool := filepath.Join(dir, "temper-vet")
	if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, f := range txtar.Parse([]byte(module)).Files {
		path := filepath.Join(dir, "shop", f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	vet := func(args ...string) (string, error) {
		cmd := exec.Command("go", append([]string{"vet", "-vettool=" + tool}, args...)...)
		cmd.Dir = filepath.Join(dir, "shop")
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := vet("./...")
	if n := strings.Count(out, `no rule about Go code is called "nothing"`); err == nil || n != 1 || !strings.Contains(out, filepath.Join("bad", "bad.go")+":3:1: ") {
		t.Errorf("go vet of all packages: %v, want it to fail about line 3 of bad.go alone:\n%s", err, out)
	}
	if out, err := vet("./good"); err != nil {
		t.Errorf("go vet of a good package: %v\n%s", err, out)
	}
	if out, err := vet("-ignorereason=false", "./bad"); err != nil {
		t.Errorf("go vet without the rule: %v\n%s", err, out)
	}
}
