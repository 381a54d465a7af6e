package page

import (
	"strings"
	"testing"
)

// The same value gives the same bytes, and the page does not outgrow a mail.
func TestSameBytes(t *testing.T) {
	a, b := write(t, shop()), write(t, shop())
	if a != b {
		t.Error("the same page was written in two ways")
	}
}

func TestSizeIsBounded(t *testing.T) {
	for _, test := range []struct{ services, modules, files, most int }{
		{1, 0, 0, 200_000},
		{1, 500, 1000, 500_000},
		{50, 500, 1000, 6_000_000},
	} {
		out := write(t, crowd(test.services, test.modules, test.files))
		if len(out) > test.most {
			t.Errorf("%d services with %d modules and %d files: %d bytes, want at most %d", test.services, test.modules, test.files, len(out), test.most)
		}
		if test.files > 0 && !strings.Contains(out, "other files") {
			t.Errorf("%d services: files are left out and not counted", test.services)
		}
	}
}

func TestSquarify(t *testing.T) {
	in := rect{100, 200, 6000, 4000}
	// The example of the paper.
	values := []int64{6, 6, 4, 3, 2, 2, 1}
	got := squarify(values, in)
	var area, sum int64
	for i, r := range got {
		if r.x < in.x || r.y < in.y || r.x+r.w > in.x+in.w || r.y+r.h > in.y+in.h {
			t.Errorf("%v is outside of %v", r, in)
		}
		for _, other := range got[:i] {
			if r.x < other.x+other.w && other.x < r.x+r.w && r.y < other.y+other.h && other.y < r.y+r.h {
				t.Errorf("%v and %v overlap", r, other)
			}
		}
		one := int64(r.w) * int64(r.h)
		if want := int64(in.w) * int64(in.h) * values[i] / 24; one < want*98/100 || one > want*102/100 {
			t.Errorf("value %d has the area %d, want %d", values[i], one, want)
		}
		if ratio := float64(max(r.w, r.h)) / float64(min(r.w, r.h)); ratio > 3.1 {
			t.Errorf("%v is no square: its sides are as %.1f to 1", r, ratio)
		}
		area += one
		sum += values[i]
	}
	if area != int64(in.w)*int64(in.h) {
		t.Errorf("the parts have %d, the whole %d", area, in.w*in.h)
	}
	for _, values := range [][]int64{nil, {0}, {0, 0}, {maxValue, 1, 0}, {1 << 45, 1 << 45, 1 << 45}} {
		for _, in := range []rect{in, {}, {0, 0, 1, 1}, {0, 0, 10000, 0}} {
			if got := squarify(values, in); len(got) != len(values) {
				t.Errorf("%v in %v: %v", values, in, got)
			}
		}
	}
}

// What is folded is counted, and nothing is lost.
func TestFold(t *testing.T) {
	pileOf := func(sizes ...int64) *pile {
		p := &pile{}
		for _, n := range sizes {
			p.items = append(p.items, item{bytes: n})
		}
		return p
	}
	piles := fold([]*pile{pileOf(1, 2, 3, 50), pileOf(100), pileOf(40, 1)}, 3, 0, 0)
	var got []int64
	for _, p := range piles {
		got = append(got, p.bytes(), int64(len(p.items)), int64(p.folded.count))
	}
	for i, want := range []int64{100, 1, 0, 56, 1, 3, 41, 2, 0} { // one alone is not folded
		if got[i] != want {
			t.Fatalf("size, items and others of the piles: %v", got)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1 kB", 1499: "1 kB", 999_499: "999 kB", 999_500: "1.0 MB", 9_440_000: "9.4 MB", 99_949_999: "99.9 MB",
		99_950_000: "100 MB", 999_499_999: "999 MB", 999_500_000: "1.0 GB", 12_340_000_000: "12.3 GB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
	for _, test := range []struct {
		n, of int64
		want  string
	}{{1, 0, ""}, {0, 10, "<1 %"}, {1, 1000, "<1 %"}, {999, 1000, ">99 %"}, {1000, 1000, "100 %"}, {1, 2, "50 %"}} {
		if got := share(test.n, test.of); got != test.want {
			t.Errorf("share(%d, %d) = %q, want %q", test.n, test.of, got, test.want)
		}
	}
}
