package page

import (
	"cmp"
	"slices"
	"sort"
)

// A rect is a part of a map. Its unit is a ten-thousandth of the map's width,
// which is a tenth of a pixel where the map is as wide as a page. Whole numbers
// give every machine the same map.
type rect struct{ x, y, w, h int }

const (
	mapWidth    = 10000
	filesHeight = 1800
	codeHeight  = 3200
)

// maxValue keeps products of a value and a side within 64 bits.
const maxValue = 1 << 46

// squarify lays out values, which are sorted, the largest first, as rectangles
// of their proportion that are as near to squares as can be: Bruls, Huizing and
// van Wijk, Squarified Treemaps, https://doi.org/10.1007/978-3-7091-6783-0_4.
//
// A rectangle may be too small to have a side.
func squarify(values []int64, in rect) []rect {
	out := make([]rect, 0, len(values))
	var rest int64
	for _, v := range values {
		rest += v
	}
	for len(values) > 0 && rest > 0 {
		long, short := in.w, in.h
		if in.h > in.w {
			long, short = in.h, in.w
		}
		n, sum := 1, values[0]
		for n < len(values) && worst(values[:n+1], sum+values[n], rest, long, short) <= worst(values[:n], sum, rest, long, short) {
			sum += values[n]
			n++
		}
		thick := part(long, sum, rest)
		if n == len(values) {
			thick = long
		}
		var before int64
		for _, v := range values[:n] {
			from, to := part(short, before, sum), part(short, before+v, sum)
			if in.w >= in.h {
				out = append(out, rect{in.x, in.y + from, thick, to - from})
			} else {
				out = append(out, rect{in.x + from, in.y, to - from, thick})
			}
			before += v
		}
		if in.w >= in.h {
			in.x, in.w = in.x+thick, in.w-thick
		} else {
			in.y, in.h = in.y+thick, in.h-thick
		}
		values, rest = values[n:], rest-sum
	}
	for range values { // those of no size
		out = append(out, rect{in.x, in.y, 0, 0})
	}
	return out
}

// part is the share of a side that a value has of a sum.
func part(side int, value, sum int64) int {
	return int((int64(side)*value + sum/2) / sum)
}

// worst is the ratio of the sides of the rectangle that is the least of a
// square, if the values, which have this sum, were in one row. There is no
// addition of products in it, which some machines round otherwise.
func worst(values []int64, sum, rest int64, long, short int) float64 {
	thick := float64(long) * float64(sum) / float64(rest)
	ratio := 0.0
	for _, v := range []int64{values[0], values[len(values)-1]} {
		if v == 0 {
			continue
		}
		length := float64(short) * float64(v) / float64(sum)
		ratio = max(ratio, thick/length, length/thick)
	}
	return ratio
}

// An item is one thing of a map.
type item struct {
	label  string // short, for within
	title  string // in full
	bytes  int64
	hidden bool
}

// A pile is a group of items.
type pile struct {
	label, title string
	color        string
	items        []item
	folded
}

// folded is what a pile holds that is too small to be shown one by one.
type folded struct {
	count int
	bytes int64
}

func (p *pile) bytes() int64 {
	sum := p.folded.bytes
	for _, i := range p.items {
		sum += i.bytes
	}
	return sum
}

// fold keeps the largest items of all piles, at most so many of them, and of those
// only what is at least a share of the whole; a pile with one item left over
// keeps it. Items and piles are then sorted by size.
func fold(piles []*pile, most int, whole, least int64) []*pile {
	var sizes []int64
	for _, p := range piles {
		sort.SliceStable(p.items, func(i, j int) bool { return p.items[i].bytes > p.items[j].bytes })
		for _, i := range p.items {
			sizes = append(sizes, i.bytes)
		}
	}
	slices.SortFunc(sizes, func(a, b int64) int { return cmp.Compare(b, a) })
	bar := int64(0)
	if len(sizes) > most {
		bar = sizes[most] + 1 // and so all that are as large as the first to go
	}
	if least > 0 {
		bar = max(bar, whole/least)
	}
	for _, p := range piles {
		keep := len(p.items)
		for keep > 0 && p.items[keep-1].bytes < bar {
			keep--
		}
		if keep == len(p.items)-1 && p.folded.count == 0 {
			keep++
		}
		for _, i := range p.items[keep:] {
			p.folded.count++
			p.folded.bytes += i.bytes
		}
		p.items = p.items[:keep]
	}
	slices.SortStableFunc(piles, func(a, b *pile) int { return cmp.Compare(b.bytes(), a.bytes()) })
	return piles
}
