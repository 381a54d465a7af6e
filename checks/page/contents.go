package page

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
)

// A figure is a map, and the same as a table.
type figure struct {
	Drawing *drawing
	// Said sums it up.
	Said  string
	Rows  []row
	Heads [3]string
	// Left says what the table leaves out, empty if nothing.
	Left string
}

type row struct {
	Name, Note string
	Color      string
	Size       string
	Share      string
	Hidden     bool
}

// colors are how many there are for piles; the style sheet has them.
const colors = 6

// layers draws what an image holds, a pile for each layer.
func layers(p *Platform, most bounds) *figure {
	type placed struct {
		File
		layer int
	}
	var files []placed
	var whole int64
	var piles []*pile
	for i, l := range p.Layers {
		one := &pile{label: fmt.Sprintf("layer %d", i), title: fmt.Sprintf("layer %d", i), color: fmt.Sprintf("c%d", i%colors)}
		for _, f := range l.Files {
			f.Size = clamp(f.Size)
			whole += f.Size
			files = append(files, placed{f, i})
			it := item{label: name(path.Base(f.Path)), title: fmt.Sprintf("layer %d: %s", i, name(f.Path)), bytes: f.Size, hidden: f.Hidden}
			if f.Hidden {
				it.title += " (hidden by a layer above)"
			}
			one.items = append(one.items, it)
		}
		piles = append(piles, one)
	}
	if whole == 0 {
		return nil
	}
	fig := &figure{
		Said:  fmt.Sprintf("%s in %s and %s, uncompressed", size(whole), count(len(files), "file", "files"), count(len(p.Layers), "layer", "layers")),
		Heads: [3]string{"File", "Layer", "Size"},
	}
	sort.SliceStable(files, func(i, j int) bool { return files[i].Size > files[j].Size })
	var left folded
	ofLayer := make(map[int]int)
	for i, f := range files {
		// Of a layer of small files, such as templates, some show as well.
		ofLayer[f.layer]++
		few := ofLayer[f.layer] <= 5 && len(p.Layers) <= 16
		if i >= most.rows && len(files) > most.rows+1 && !few {
			left.count++
			left.bytes += f.Size
			continue
		}
		fig.Rows = append(fig.Rows, row{Name: name(f.Path), Note: fmt.Sprint(f.layer), Color: fmt.Sprintf("c%d", f.layer%colors), Size: size(f.Size), Share: share(f.Size, whole), Hidden: f.Hidden})
	}
	if left.count > 0 {
		fig.Left = fmt.Sprintf("and %s, %s together", count(left.count, "other file", "other files"), size(left.bytes))
	}
	fig.Drawing = draw(fmt.Sprintf("What the image for %s holds: %s", name(p.Name), fig.Said), filesHeight, fold(gather(piles, "more layers"), most.cells, whole, 700))
	return fig
}

// code draws what a binary is made of, a pile for each module.
func code(b *Binary, most bounds) *figure {
	if b.Unknown != "" || len(b.Modules)+len(b.Parts) == 0 {
		return nil
	}
	modules := slices.Clone(b.Modules)
	for i := range modules {
		modules[i].Bytes = clamp(modules[i].Bytes)
	}
	slices.SortStableFunc(modules, func(a, c Module) int {
		return cmp.Or(cmp.Compare(c.Bytes, a.Bytes), strings.Compare(a.Path, c.Path))
	})
	var whole, ofGo int64
	var piles []*pile
	dependencies := 0
	fig := &figure{Heads: [3]string{"Module", "Version", "Code"}}
	var left folded
	for _, m := range modules {
		whole += m.Bytes
		ofGo += m.Bytes
		color := "std"
		switch m.Kind {
		case Own:
			color = "own"
		case Dependency:
			color = fmt.Sprintf("c%d", 1+dependencies%(colors-1))
			dependencies++
		}
		if m.Bytes > 0 {
			piles = append(piles, packages(m, color))
		}
		if len(fig.Rows) >= most.modules && len(modules) > most.modules+1 {
			left.count++
			left.bytes += m.Bytes
			continue
		}
		note := name(m.Version)
		if m.Replaced != "" {
			note = strings.TrimSpace(note + " replaced by " + name(m.Replaced))
		}
		r := row{Name: name(m.Path), Note: note, Color: color, Size: size(m.Bytes)}
		if m.Bytes == 0 {
			r.Size = "none"
		}
		fig.Rows = append(fig.Rows, r)
	}
	rest := &pile{label: "not code", title: "not code", color: "data"}
	for _, p := range b.Parts {
		p.Bytes = clamp(p.Bytes)
		whole += p.Bytes
		rest.items = append(rest.items, item{label: name(p.Name), title: name(p.Name), bytes: p.Bytes})
	}
	piles = append(piles, rest)
	if whole == 0 {
		return nil
	}
	for i, m := range modules {
		if i < len(fig.Rows) {
			fig.Rows[i].Share = share(m.Bytes, whole)
		}
	}
	// Parts are few: the table has all of them.
	sort.SliceStable(rest.items, func(i, j int) bool { return rest.items[i].bytes > rest.items[j].bytes })
	if left.count > 0 {
		fig.Left = fmt.Sprintf("and %s, %s of code together", count(left.count, "smaller module", "smaller modules"), size(left.bytes))
	}
	for _, it := range rest.items {
		fig.Rows = append(fig.Rows, row{Name: it.title, Color: "data", Size: size(it.bytes), Share: share(it.bytes, whole)})
	}
	fig.Said = fmt.Sprintf("%s, of it %s code of %s", size(whole), size(ofGo), count(dependencies, "module", "modules")+" and the service")
	if dependencies == 0 {
		fig.Said = fmt.Sprintf("%s, of it %s code of the service and the standard library", size(whole), size(ofGo))
	}
	fig.Drawing = draw(fmt.Sprintf("What %s is made of: %s", name(b.Path), fig.Said), codeHeight, fold(gather(piles, "more modules"), most.cells, whole, 700))
	return fig
}

// packages is the pile of a module.
func packages(m Module, color string) *pile {
	p := &pile{label: lastTwo(name(m.Path)), title: name(m.Path), color: color}
	if m.Version != "" {
		p.title += " " + name(m.Version)
	}
	if m.Kind == Library {
		p.label = "standard library"
	}
	var sum int64
	for _, pkg := range m.Packages {
		n := clamp(pkg.Bytes)
		sum += n
		label := strings.TrimPrefix(strings.TrimPrefix(pkg.Name, m.Path), "/")
		if label == "" || len(m.Packages) == 1 {
			label = path.Base(pkg.Name)
		}
		it := item{label: name(label), title: name(pkg.Name), bytes: n}
		if pkg.Name == "" {
			it.label, it.title = p.label, p.title
		}
		p.items = append(p.items, it)
	}
	if sum < m.Bytes {
		p.items = append(p.items, item{label: p.label, title: p.title, bytes: m.Bytes - sum})
	}
	return p
}

// lastTwo is the end of a path, which tells more than its beginning.
func lastTwo(p string) string {
	parts := strings.Split(p, "/")
	if len(parts) > 2 {
		parts = parts[len(parts)-2:]
	}
	return strings.Join(parts, "/")
}

// maxPiles is how many piles a map has room for.
const maxPiles = 18

// gather puts the smallest piles onto one, of which they are the items.
func gather(piles []*pile, what string) []*pile {
	if len(piles) <= maxPiles {
		return piles
	}
	slices.SortStableFunc(piles, func(a, b *pile) int { return cmp.Compare(b.bytes(), a.bytes()) })
	more := &pile{color: "many"}
	for _, p := range piles[maxPiles-1:] {
		more.items = append(more.items, item{label: p.label, title: p.title, bytes: p.bytes()})
	}
	more.label = fmt.Sprintf("%d %s", len(more.items), what)
	more.title = more.label
	return append(piles[:maxPiles-1:maxPiles-1], more)
}

// clamp keeps a size in what can be calculated with.
func clamp(n int64) int64 { return min(max(n, 0), maxValue) }
