package workloads

import "temper/checks"

var manifest = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "manifest",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation",
		Doc: `a manifest is what the API server takes: its fields are known, of the right type, and none is there twice

A field that is misspelt or stands a level too high does nothing, and nobody says
so: what it was to forbid is allowed. Of a field that is there twice the last one
holds. An API server refuses all of it only where it is asked to, and one without
the check takes the manifest in silence.

Mend the field. "kubectl apply --validate=strict" says what a cluster thinks of
it, and knows of fields that are newer than Temper; those can be waived.`,
	},
	Run: func(o *Object, p *checks.Pass) error {
		out := whole(o, p)
		for _, f := range o.faults {
			if f.position != (position{}) && *out.told < maxPlaces {
				*out.told++
				p.Reportf(o.around(f.position), "%s", f.said)
				p.At(o.File, f.position.line, f.position.column)
				p.Fixf("%s", f.fix)
			} else { // or one too many
				out.here(f.at, f.fix, "%s", f.said)
			}
		}
		return nil
	},
}

// around is the path of the field that stands at a position, or of what is
// around it.
func (o *Object) around(at position) string {
	n, p := o.root, path{}
	for {
		step, next := any(nil), (*node)(nil)
		for i := range n.fields {
			if f := &n.fields[i]; !at.before(f.at) {
				step, next = f.name, f.value
				if f.at == at {
					return o.root.describe(p.join(step))
				}
			}
		}
		for i, item := range n.items {
			if !at.before(item.at) {
				step, next = i, item
			}
		}
		if next == nil {
			return o.root.describe(p)
		}
		n, p = next, p.join(step)
	}
}

func (p position) before(q position) bool {
	return p.line < q.line || p.line == q.line && p.column < q.column
}
