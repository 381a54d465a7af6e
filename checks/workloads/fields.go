package workloads

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	kjson "sigs.k8s.io/json"

	"temper/checks"
)

// A fault is what the API server would not take in an object.
type fault struct {
	at   path
	said string
	fix  string
	// position is that of the fault where no path leads to it.
	position position
}

// A typer holds a node against the type that it is to become, and collects what
// does not fit: all of it, each with its place, which a decoder does not tell.
type typer struct {
	faults []fault
	at     path // of the node that is looked at
	// lenient leaves fields alone that are not known, unless one is spelt nearly
	// like them: what extends a type has fields of its own.
	lenient bool
}

// decode decodes the node into the value, as strictly as the API server does.
// What is mistyped is marked and left out.
func (n *node) decode(into any, lenient bool) []fault {
	t := &typer{lenient: lenient}
	t.fit(n, reflect.TypeOf(into).Elem())
	raw := n.json()
	strict, err := kjson.UnmarshalStrict(raw, into)
	// The decoder has the last word: what it does not like is a fault, also
	// where nobody can point at it.
	if err != nil {
		t.faults = append(t.faults, fault{said: "it cannot be read: " + err.Error()})
	}
	if len(t.faults) == 0 && !lenient {
		for _, s := range strict {
			t.faults = append(t.faults, fault{said: s.Error()})
		}
	}
	return t.faults
}

func (t *typer) report(n *node, fix, format string, args ...any) {
	n.mistyped = true
	if len(t.faults) < maxPlaces {
		t.faults = append(t.faults, fault{at: t.at.join(), said: fmt.Sprintf(format, args...), fix: fix})
	}
}

// below holds a node against a type, one step further down.
func (t *typer) below(step any, n *node, want reflect.Type) {
	t.at = append(t.at, step)
	t.fit(n, want)
	t.at = t.at[:len(t.at)-1]
}

var (
	unmarshaler  = reflect.TypeFor[json.Unmarshaler]()
	quantityType = reflect.TypeFor[resource.Quantity]()
)

func (t *typer) fit(n *node, want reflect.Type) {
	for want.Kind() == reflect.Pointer {
		want = want.Elem()
	}
	if n.kind == scalar && n.value == nil {
		return // as if it were not there
	}
	if readsItself(want) {
		t.unmarshal(n, want)
		return
	}
	switch want.Kind() {
	case reflect.Struct:
		if n.kind != mapping {
			t.report(n, "", "%s, want a mapping", n.is())
			return
		}
		known := fieldsOf(want)
		for i := range n.fields {
			f := &n.fields[i]
			if sub, ok := known[f.name]; ok {
				t.below(f.name, f.value, sub)
				continue
			}
			if len(t.faults) < maxPlaces {
				t.unknown(f.name, known, want)
			}
		}
	case reflect.Map:
		if n.kind != mapping {
			t.report(n, "", "%s, want a mapping", n.is())
			return
		}
		for i := range n.fields {
			t.below(n.fields[i].name, n.fields[i].value, want.Elem())
		}
	case reflect.Slice:
		if want.Elem().Kind() == reflect.Uint8 {
			t.bytes(n)
			return
		}
		if n.kind != sequence {
			t.report(n, "begin each item with a dash", "%s, want a list", n.is())
			return
		}
		for i, item := range n.items {
			t.below(i, item, want.Elem())
		}
	case reflect.String:
		if _, ok := n.value.(string); n.kind != scalar || !ok {
			fix := ""
			if n.kind == scalar {
				fix = "quote it"
			}
			t.report(n, fix, "%s, want a string", n.is())
		}
	case reflect.Bool:
		if _, ok := n.value.(bool); n.kind != scalar || !ok {
			t.report(n, "write true or false, without quotes", "%s, want a boolean", n.is())
		}
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Int16, reflect.Int8, reflect.Uint32, reflect.Uint64, reflect.Uint16, reflect.Uint8, reflect.Uint:
		t.integer(n, want)
	case reflect.Float32, reflect.Float64:
		switch n.value.(type) {
		case int64, uint64, float64:
			if n.kind == scalar {
				return
			}
		}
		t.report(n, "", "%s, want a number", n.is())
	}
}

// unknown reports a field that the type does not have.
func (t *typer) unknown(name string, known map[string]reflect.Type, want reflect.Type) {
	var names []string
	for name := range known {
		names = append(names, name)
	}
	fix := ""
	if near := checks.Nearest(name, names); near != "" {
		fix = "did you mean " + near + "?"
	} else if t.lenient {
		return
	} else {
		fix = homeOf(name, want)
	}
	t.faults = append(t.faults, fault{at: t.at.join(name), said: fmt.Sprintf("there is no field %q here", name), fix: fix})
}

var readers sync.Map // of bools, by type

// readsItself tells that a type has its own way to be read from JSON.
func readsItself(t reflect.Type) bool {
	if known, ok := readers.Load(t); ok {
		return known.(bool)
	}
	reads := reflect.PointerTo(t).Implements(unmarshaler)
	readers.Store(t, reads)
	return reads
}

func (t *typer) integer(n *node, want reflect.Type) {
	var fits bool
	switch v := n.value.(type) {
	case int64:
		zero := reflect.New(want).Elem()
		if zero.CanInt() {
			fits = !zero.OverflowInt(v)
		} else {
			fits = v >= 0 && !zero.OverflowUint(uint64(v))
		}
	case uint64:
		fits = reflect.New(want).Elem().CanUint()
	case float64: // kubectl writes 1e6 and 5.0 as what they are
		if zero := reflect.New(want).Elem(); v == math.Trunc(v) && math.Abs(v) < 1<<63 {
			fits = zero.CanInt() && !zero.OverflowInt(int64(v)) || zero.CanUint() && v >= 0 && !zero.OverflowUint(uint64(v))
		}
	case string:
		if n.kind == scalar && strings.Trim(v, "0123456789") == "" && v != "" {
			t.report(n, fmt.Sprintf("write %s without quotes", v), "%s, want a number", n.is())
			return
		}
	}
	if n.kind != scalar || !fits {
		t.report(n, "", "%s, want a whole number that fits %s", n.is(), want.Kind())
	}
}

func (t *typer) bytes(n *node) {
	s, ok := n.value.(string)
	if n.kind != scalar || !ok {
		t.report(n, "", "%s, want text in base 64", n.is())
		return
	}
	if _, err := base64.StdEncoding.DecodeString(s); err != nil {
		// What it holds is a secret, most times.
		t.report(n, "a Secret takes plain text under stringData", "not text in base 64")
	}
}

// unmarshal holds a node against a type that reads itself.
func (t *typer) unmarshal(n *node, want reflect.Type) {
	if want == quantityType {
		t.quantity(n)
		return
	}
	value := reflect.New(want)
	if err := value.Interface().(json.Unmarshaler).UnmarshalJSON(n.json()); err != nil {
		what := n.is()
		name, ok := map[string]string{"IntOrString": "number and no name", "Time": "time, such as 2027-03-01T00:00:00Z", "MicroTime": "time, such as 2027-03-01T00:00:00.000000Z"}[want.Name()]
		if !ok {
			name = want.Name()
		}
		t.report(n, "", "%s is no %s", what, name)
	}
}

func (t *typer) quantity(n *node) {
	var text string
	switch v := n.value.(type) {
	case string:
		text = v
	case int64, uint64, float64:
		text = string(n.json())
	}
	if n.kind == scalar && text != "" {
		if _, err := resource.ParseQuantity(text); err == nil {
			return
		}
	}
	fix := "a number and a unit, such as 128Mi of memory or 250m of CPU"
	if trimmed, ok := strings.CutSuffix(text, "iB"); ok {
		fix = fmt.Sprintf("write %si: Kubernetes' units have no B", trimmed)
	}
	t.report(n, fix, "%s is no quantity", n.is())
}

// homeOf says where a field belongs that stands in the wrong place, one step
// away: below a field of the struct.
func homeOf(name string, want reflect.Type) string {
	if want == reflect.TypeFor[corev1.PodSecurityContext]() {
		if _, ok := fieldsOf(reflect.TypeFor[corev1.SecurityContext]())[name]; ok {
			return "it belongs below securityContext of each container"
		}
	}
	fields := fieldsOf(want)
	for _, home := range []string{"securityContext", "resources", "spec", "template", "metadata"} {
		sub, ok := fields[home]
		if !ok {
			continue
		}
		for sub.Kind() == reflect.Pointer {
			sub = sub.Elem()
		}
		if sub.Kind() != reflect.Struct {
			continue
		}
		if _, ok := fieldsOf(sub)[name]; ok {
			return fmt.Sprintf("it belongs below %s", home)
		}
	}
	return ""
}

var structs sync.Map // of maps from a field's name to its type, by type

// fieldsOf returns the fields of a struct by their names in JSON.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if known, ok := structs.Load(t); ok {
		return known.(map[string]reflect.Type)
	}
	fields := make(map[string]reflect.Type)
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case tag == "-" || !f.IsExported():
		case f.Anonymous && tag == "" || strings.Contains(options, "inline"):
			sub := f.Type
			for sub.Kind() == reflect.Pointer {
				sub = sub.Elem()
			}
			if sub.Kind() == reflect.Struct {
				for name, t := range fieldsOf(sub) {
					fields[name] = t
				}
			}
		case tag != "":
			fields[tag] = f.Type
		default:
			fields[f.Name] = f.Type
		}
	}
	structs.Store(t, fields)
	return fields
}
