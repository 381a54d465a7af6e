package page

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// A drawing is a map as the template has it: horizontally in percent, so that it
// is as wide as the page, and vertically in pixels.
type drawing struct {
	Label  string
	Height int
	Groups []group
}

type group struct {
	box
	Color  string
	Header []caption
	Cells  []cell
}

type cell struct {
	box
	Color  string
	Title  string
	Hidden bool
	Name   []caption
	Size   []caption
}

type box struct{ X, Y, W, H string }

// A caption is a text within a map and the class of the widths that it has room
// at.
type caption struct {
	Text, Class string
}

func (r rect) box() box {
	percent := func(n int) string { return fmt.Sprintf("%d.%02d%%", n/100, n%100) }
	pixels := func(n int) string { return fmt.Sprintf("%d.%d", n/10, n%10) }
	return box{percent(r.x), pixels(r.y), percent(r.w), pixels(r.h)}
}

const (
	// In tenths of a pixel.
	//
	// letter is about the width of one, in tenths of a pixel, and margin what is
	// beside a text.
	letter, margin = 70, 140
	headerHeight   = 210
	lineHeight     = 160
)

// widths are the widths of a map, in pixels, that captions are chosen for. The
// style sheet has the same: f1 is shown from the second on, u1 below it.
var widths = [...]int{300, 460, 620, 780, 940}

// fit returns what to write into a part of a map at each width: the first of
// some texts that fits, or what fits of the last if that is worth it.
func fit(r rect, texts ...string) []caption {
	var list []caption
	for i, w := range widths {
		text := within(r.w*w/1000, texts...)
		n := len(list)
		if n > 0 && list[n-1].Text == text {
			continue
		}
		if n > 0 {
			list[n-1].Class = strings.TrimSpace(fmt.Sprintf("%s u%d", list[n-1].Class, i))
		}
		from := ""
		if i > 0 {
			from = fmt.Sprintf("f%d", i)
		}
		list = append(list, caption{text, from})
	}
	return slices.DeleteFunc(list, func(c caption) bool { return c.Text == "" })
}

func within(pixels int, texts ...string) string {
	room := (pixels - margin) / letter
	for _, text := range texts {
		if utf8.RuneCountInString(text) <= room {
			return text
		}
	}
	switch text := texts[len(texts)-1]; {
	case room < 8: // what is left would say nothing
		return ""
	case strings.Contains(text, " "): // words are known by how they begin
		return strings.TrimSpace(string([]rune(text)[:room-1])) + "…"
	default:
		return shorten(text, room)
	}
}

// draw lays out piles, the largest first.
func draw(label string, height int, piles []*pile) *drawing {
	var whole int64
	values := make([]int64, len(piles))
	for i, p := range piles {
		values[i] = p.bytes()
		whole += values[i]
	}
	d := &drawing{Label: label, Height: height / 10}
	for i, r := range squarify(values, rect{0, 0, mapWidth, height}) {
		if r.w == 0 || r.h == 0 {
			continue
		}
		p := piles[i]
		g := group{box: r.box(), Color: p.color}
		in := r
		if len(p.items) > 1 || len(p.items) == 1 && p.folded.count > 0 {
			if r.h > 3*headerHeight {
				g.Header = fit(r, p.label+" "+size(values[i]), p.label, path.Base(p.label))
			}
			if len(g.Header) > 0 {
				in.y, in.h = in.y+headerHeight, in.h-headerHeight
			}
		}
		g.Cells = cells(p, in, whole)
		d.Groups = append(d.Groups, g)
	}
	return d
}

func cells(p *pile, in rect, whole int64) []cell {
	items := p.items
	if p.folded.count > 0 {
		items = append(items[:len(items):len(items)], item{
			label: fmt.Sprintf("+%d", p.folded.count),
			title: p.title + ": " + count(p.folded.count, "other", "others"),
			bytes: p.folded.bytes,
		})
		if len(items) == 1 {
			items[0].label, items[0].title = p.label, p.title
		}
	}
	values := make([]int64, len(items))
	for i, it := range items {
		values[i] = it.bytes
	}
	// What was folded may be larger than the last ones that were not.
	if n := len(items); n > 1 && p.folded.count > 0 {
		last := items[n-1]
		at := n - 1
		for at > 0 && items[at-1].bytes < last.bytes {
			items[at], values[at] = items[at-1], values[at-1]
			at--
		}
		items[at], values[at] = last, last.bytes
	}
	var out []cell
	for i, r := range squarify(values, in) {
		if r.w == 0 || r.h == 0 {
			continue
		}
		it := items[i]
		c := cell{box: r.box(), Color: p.color, Hidden: it.hidden, Title: fmt.Sprintf("%s: %s, %s", it.title, size(it.bytes), share(it.bytes, whole))}
		if r.h >= lineHeight+40 {
			c.Name = fit(r, it.label, path.Base(it.label))
		}
		if r.h >= 2*lineHeight+60 {
			c.Size = besides(c.Name, fit(r, size(it.bytes)))
		}
		out = append(out, c)
	}
	return out
}

// besides leaves out what would be cut, or would stand where no name does.
func besides(names, sizes []caption) []caption {
	return slices.DeleteFunc(sizes, func(c caption) bool {
		return strings.Contains(c.Text, "…") || !slices.ContainsFunc(names, func(n caption) bool { return n.from() <= c.from() })
	})
}

// from is the index of the least width that the caption is shown at.
func (c caption) from() int {
	for i := range widths {
		if strings.HasPrefix(c.Class, fmt.Sprintf("f%d", i)) {
			return i
		}
	}
	return 0
}
