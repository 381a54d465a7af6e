package binary

import (
	"os"
	"syscall"
	"testing"

	"temper/pipeline/service"
)

// A layer that may only be read, as one that a runner is given, is no reason to fail: what
// it lacks the service compiles for itself.
func TestFillOfALayerThatMayOnlyBeRead(t *testing.T) {
	repo, svc := write(t, folder(t), hello)
	toolchain, err := Select(t.Context(), repo, svc)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if os.Getuid() != 0 {
		err = os.Chmod(dir, 0o555)
	} else if err = syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err == nil {
		t.Cleanup(func() { syscall.Unmount(dir, 0) })
		err = syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	}
	if err != nil {
		t.Skipf("no folder can be made read-only here (%v): run the tests as another user than root, or as one who may mount", err)
	}
	opts := Options{Cache: t.TempDir(), Share: &Share{Dir: dir, Program: []string{"unused"}, Services: []*service.Service{svc}}}
	c, err := opts.cacheDir(svc, amd64, toolchain)
	if err != nil {
		t.Fatal(err)
	}
	if err := opts.fill(t.Context(), svc, amd64, toolchain, c); err != nil {
		t.Errorf("filling: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("it holds %v, %v", entries, err)
	}
}
