package release

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unsafe"
)

// Memory as a key's password takes it is what the kernel was asked to give in large
// pages, in a process that has not done much yet, as a release has not.
func TestLargePages(t *testing.T) {
	if os.Getenv("IN_A_NEW_PROCESS") == "" {
		again := exec.Command(os.Args[0], "-test.run=^TestLargePages$", "-test.v")
		again.Env = append(os.Environ(), "IN_A_NEW_PROCESS=1")
		said, err := again.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		if strings.Contains(string(said), "--- SKIP") {
			t.Skip("this kernel has no transparent huge pages; run the tests on one that was built with them")
		}
		return
	}
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.SkipNow()
	}
	largePages()
	room := make([]uint32, 64<<20/4)
	room[0] = 1
	at := uintptr(unsafe.Pointer(unsafe.SliceData(room))) + 32<<20
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	inside := false
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var first, end uintptr
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x ", &first, &end); n == 2 {
			inside = first <= at && at < end
		} else if flags, ok := strings.CutPrefix(lines.Text(), "VmFlags:"); ok && inside {
			if !strings.Contains(flags+" ", " hg ") {
				t.Errorf("64 MiB lie where the kernel was not asked for large pages: %s", flags)
			}
			return
		}
	}
	t.Errorf("no mapping holds %x", at)
}
