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
	"k8s.io/apimachinery/pkg/util/intstr"

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

// A typer decodes nodes, and collects what does not fit: all of it, each with its
// place, which a decoder of JSON does not tell.
type typer struct {
	faults []fault
	at     path // of the node that is looked at
	// lenient leaves fields alone that are not known, unless one is spelt nearly
	// like them: what extends a type has fields of its own.
	lenient bool
}

// decode decodes the node into the value, which is new, as strictly as the API
// server does. What is mistyped is marked and left out.
func (n *node) decode(into any, lenient bool) []fault {
	t := &typer{lenient: lenient}
	t.fit(n, reflect.ValueOf(into).Elem())
	return t.faults
}

func (t *typer) report(n *node, fix, format string, args ...any) {
	n.mistyped = true
	if len(t.faults) < maxPlaces {
		t.faults = append(t.faults, fault{at: t.at.join(), said: fmt.Sprintf(format, args...), fix: fix})
	}
}

// below decodes a node one step further down.
func (t *typer) below(step any, n *node, into reflect.Value) {
	t.at = append(t.at, step)
	t.fit(n, into)
	t.at = t.at[:len(t.at)-1]
}

var (
	unmarshaler  = reflect.TypeFor[json.Unmarshaler]()
	quantityType = reflect.TypeFor[resource.Quantity]()
	numberOrName = reflect.TypeFor[intstr.IntOrString]()
)

// fit decodes a node into a value that is zero, and leaves it so where the node is
// null or mistyped.
func (t *typer) fit(n *node, into reflect.Value) {
	if n.kind == scalar && n.value == nil {
		return // as if it were not there
	}
	want := into.Type()
	if want.Kind() == reflect.Pointer {
		to := reflect.New(want.Elem())
		if t.fit(n, to.Elem()); !n.mistyped {
			into.Set(to)
		}
		return
	}
	if readsItself(want) {
		t.unmarshal(n, into)
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
			if index := known.find(f.name); index != nil {
				t.below(f.name, f.value, into.FieldByIndex(index))
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
		all := reflect.MakeMapWithSize(want, len(n.fields))
		for i := range n.fields {
			f := &n.fields[i]
			one := reflect.New(want.Elem()).Elem()
			if t.below(f.name, f.value, one); !f.value.mistyped {
				all.SetMapIndex(reflect.ValueOf(f.name).Convert(want.Key()), one)
			}
		}
		into.Set(all)
	case reflect.Slice:
		if want.Elem().Kind() == reflect.Uint8 {
			t.bytes(n, into)
			return
		}
		if n.kind != sequence {
			t.report(n, "begin each item with a dash", "%s, want a list", n.is())
			return
		}
		all := reflect.MakeSlice(want, len(n.items), len(n.items))
		for i, item := range n.items {
			t.below(i, item, all.Index(i))
		}
		into.Set(all)
	case reflect.String:
		s, ok := n.value.(string)
		if n.kind != scalar || !ok {
			fix := ""
			if n.kind == scalar {
				fix = "quote it"
			}
			t.report(n, fix, "%s, want a string", n.is())
			return
		}
		into.SetString(s)
	case reflect.Bool:
		b, ok := n.value.(bool)
		if n.kind != scalar || !ok {
			t.report(n, "write true or false, without quotes", "%s, want a boolean", n.is())
			return
		}
		into.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Int16, reflect.Int8, reflect.Uint32, reflect.Uint64, reflect.Uint16, reflect.Uint8, reflect.Uint:
		t.integer(n, into)
	case reflect.Float32, reflect.Float64:
		var f float64
		switch v := n.value.(type) {
		case int64:
			f = float64(v)
		case uint64:
			f = float64(v)
		case float64:
			f = v
		default:
			t.report(n, "", "%s, want a number", n.is())
			return
		}
		if into.OverflowFloat(f) {
			t.report(n, "", "%s, want a number that fits %s", n.is(), want.Kind())
			return
		}
		into.SetFloat(f)
	default: // no type of Kubernetes' has another
		t.report(n, "", "%s, and nobody knows how to read a %s", n.is(), want)
	}
}

// unknown reports a field that the type does not have.
func (t *typer) unknown(name string, known structFields, want reflect.Type) {
	var names []string
	for _, f := range known {
		names = append(names, f.name)
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

func (t *typer) integer(n *node, into reflect.Value) {
	switch v := n.value.(type) {
	case int64:
		if into.CanInt() && !into.OverflowInt(v) {
			into.SetInt(v)
			return
		}
		if into.CanUint() && v >= 0 && !into.OverflowUint(uint64(v)) {
			into.SetUint(uint64(v))
			return
		}
	case uint64:
		if into.CanUint() && !into.OverflowUint(v) {
			into.SetUint(v)
			return
		}
	case float64: // kubectl writes 1e6 and 5.0 as what they are
		if v == math.Trunc(v) && math.Abs(v) < 1<<63 {
			t.integer(&node{at: n.at, value: int64(v)}, into)
			return
		}
	case string:
		if n.kind == scalar && strings.Trim(v, "0123456789") == "" && v != "" {
			t.report(n, fmt.Sprintf("write %s without quotes", v), "%s, want a number", n.is())
			return
		}
	}
	t.report(n, "", "%s, want a whole number that fits %s", n.is(), into.Kind())
}

func (t *typer) bytes(n *node, into reflect.Value) {
	s, ok := n.value.(string)
	if n.kind != scalar || !ok {
		t.report(n, "", "%s, want text in base 64", n.is())
		return
	}
	data, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		// What it holds is a secret, most times.
		t.report(n, "a Secret takes plain text under stringData", "not text in base 64")
		return
	}
	into.SetBytes(data)
}

// unmarshal decodes a node into a value of a type that reads itself.
func (t *typer) unmarshal(n *node, into reflect.Value) {
	want := into.Type()
	switch want {
	case quantityType:
		t.quantity(n, into)
		return
	case numberOrName:
		// What is most common, without a decoder of JSON.
		to := into.Addr().Interface().(*intstr.IntOrString)
		switch v := n.value.(type) {
		case string:
			*to = intstr.FromString(v)
			return
		case int64:
			if v == int64(int32(v)) {
				*to = intstr.FromInt32(int32(v))
				return
			}
		}
	}
	value := reflect.New(want)
	if err := value.Interface().(json.Unmarshaler).UnmarshalJSON(n.json()); err != nil {
		what := n.is()
		name, ok := map[string]string{"IntOrString": "number and no name", "Time": "time, such as 2027-03-01T00:00:00Z", "MicroTime": "time, such as 2027-03-01T00:00:00.000000Z"}[want.Name()]
		if !ok {
			name = want.Name()
		}
		t.report(n, "", "%s is no %s", what, name)
		return
	}
	into.Set(value.Elem())
}

func (t *typer) quantity(n *node, into reflect.Value) {
	var text string
	switch v := n.value.(type) {
	case string:
		text = v
	case int64, uint64, float64:
		text = string(n.json())
	}
	if n.kind == scalar && text != "" {
		if q, err := resource.ParseQuantity(text); err == nil {
			*into.Addr().Interface().(*resource.Quantity) = q
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
		if fieldsOf(reflect.TypeFor[corev1.SecurityContext]()).find(name) != nil {
			return "it belongs below securityContext of each container"
		}
	}
	fields := fieldsOf(want)
	for _, home := range []string{"securityContext", "resources", "spec", "template", "metadata"} {
		index := fields.find(home)
		if index == nil {
			continue
		}
		sub := want.FieldByIndex(index).Type
		for sub.Kind() == reflect.Pointer {
			sub = sub.Elem()
		}
		if sub.Kind() != reflect.Struct {
			continue
		}
		if fieldsOf(sub).find(name) != nil {
			return fmt.Sprintf("it belongs below %s", home)
		}
	}
	return ""
}

// structFields are those of a struct by their names in JSON, each with its index from
// that struct on. There are few enough to look at each.
type structFields []struct {
	name  string
	index []int
}

// find returns the index of a field, nil where there is none of the name.
func (s structFields) find(name string) []int {
	for i := range s {
		if s[i].name == name {
			return s[i].index
		}
	}
	return nil
}

var structs sync.Map // of structFields, by type

// fieldsOf returns the fields of a struct, with those of structs that it embeds.
func fieldsOf(t reflect.Type) structFields {
	if known, ok := structs.Load(t); ok {
		return known.(structFields)
	}
	fields := make(structFields, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case tag == "-" || !f.IsExported():
			continue
		case f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct:
			for _, sub := range fieldsOf(f.Type) {
				sub.index = append([]int{i}, sub.index...)
				fields = append(fields, sub)
			}
			continue
		case tag == "":
			tag = f.Name
		}
		fields = append(fields, struct {
			name  string
			index []int
		}{tag, f.Index})
	}
	structs.Store(t, fields)
	return fields
}
