package images

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One pass finds what a search for each needle would, however a file is cut
// into writes.
func TestScannerFindsWhatASearchFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	word := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "ab"[r.IntN(2)]
		}
		return string(b)
	}
	for range 50 {
		var list []string
		for range 1 + r.IntN(6) {
			if s := word(2 + r.IntN(9)); !slices.Contains(list, s) {
				list = append(list, s)
			}
		}
		text := word(r.IntN(300))
		want := make(map[string]int)
		for i := range text {
			for _, s := range list {
				if strings.HasPrefix(text[i:], s) {
					want[s]++
				}
			}
		}
		got := make(map[string]int)
		newNeedles(list).find([]byte(text), 0, len(text), func(i, at int) { got[list[i]]++ })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("needles %q in %q (-want +got):\n%s", list, text, diff)
		}
	}
}

func TestScannerShowsWhatIsAround(t *testing.T) {
	const size = 3 * (scanWindow + scanAfter)
	for _, at := range []int{0, 1, scanWindow - 3, scanWindow, scanWindow + scanAfter - 1, scanWindow + scanAfter, 2*scanWindow - scanBefore, size - 6} {
		text := bytes.Repeat([]byte("."), size)
		copy(text[at:], "needle")
		for _, write := range []int{511, 32 << 10, size} {
			n := 0
			s := newScanner(newNeedles([]string{"needle", "unseen"}), func(_, i int, window []byte) {
				n++
				before, after := min(at, scanBefore), min(size-at, scanAfter)
				if i < before || len(window)-i < after || string(window[i:i+6]) != "needle" {
					t.Errorf("at %d, in writes of %d: %d bytes before and %d after", at, write, i, len(window)-i)
				}
			})
			for part := range slices.Chunk(text, write) {
				if k, err := s.Write(part); k != len(part) || err != nil {
					t.Fatal(k, err)
				}
			}
			if s.Flush(); n != 1 {
				t.Errorf("the needle at %d, in writes of %d, was found %d times", at, write, n)
			}
		}
	}
}

// No row of the table is hidden by one above it, and half of its strings are no
// tool.
func TestEveryToolIsKnown(t *testing.T) {
	for _, tool := range tools {
		if (len(tool.all) > 1) == (tool.goMain != "") {
			t.Errorf("%s has %d strings and the main package %q", tool.name, len(tool.all), tool.goMain)
		}
		if len(tool.all) == 0 {
			continue
		}
		elf := "\x7fELF\x02\x01\x01\x00"
		if got := readBytes(t, "innocent", []byte(elf+strings.Join(tool.all, "\x00"))).tool; got == nil || got.name != tool.name || got.kind != tool.kind {
			t.Errorf("what has the strings of %s is taken for %v", tool.name, got)
		}
		if got := readBytes(t, "innocent", []byte(elf+strings.Join(tool.all[1:], "\x00"))).tool; got == tool {
			t.Errorf("%s is known without %q", tool.name, tool.all[0])
		}
	}
}

// What is installed here, under names that say nothing. Another system may have
// another program by the name, so not every one has to be known.
func TestToolsOfThisMachine(t *testing.T) {
	found, known := 0, 0
	for _, tool := range tools {
		file, err := exec.LookPath(tool.name)
		if err != nil {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil || formatOf(raw) != ELF {
			continue
		}
		found++
		if got := readBytes(t, "innocent", raw).tool; got == nil {
			t.Logf("%s is not known by its content", file)
		} else {
			known++
		}
	}
	if t.Logf("%d of %d tools are known", known, found); known < found*3/4 {
		t.Error("too many tools are not known by their content")
	}
}

// This test's own binary holds every string that a tool is known by.
func TestNoToolByStringsInGo(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if formatOf(raw) != ELF {
		t.Skip("the test's binary is not ELF on this system")
	}
	seen := make(map[int]bool)
	elfStrings().find(raw, 0, len(raw), func(i, _ int) { seen[i] = true })
	if len(seen) < len(elfStrings().list)/2 {
		t.Fatalf("the binary holds %d of %d strings: there is nothing to confuse", len(seen), len(elfStrings().list))
	}
	if e := readBytes(t, "app", raw); e.tool != nil {
		t.Errorf("this test is taken for %s", e.tool.name)
	}
}

func BenchmarkTools(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	raw, err := os.ReadFile(self)
	if err != nil {
		b.Fatal(err)
	}
	for len(raw) < 20<<20 {
		raw = append(raw, raw...)
	}
	raw = raw[:20<<20]
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		s := newScanner(elfStrings().needles, func(_, _ int, _ []byte) {})
		s.Write(raw)
		s.Flush()
		s.Close()
	}
}
