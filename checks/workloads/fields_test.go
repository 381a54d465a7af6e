package workloads

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"
)

// Every field of every kind becomes what the decoder of the API server makes of it.
func TestDecodesLikeServer(t *testing.T) {
	fields := 0
	for kind, of := range scheme().AllKnownTypes() {
		if kind.Version == runtime.APIVersionInternal {
			continue // which nobody writes
		}
		text := sample(of, 0, &fields)
		docs, err := all("sample.json", []byte(text))
		if err != nil || len(docs) != 1 {
			t.Fatalf("%s: %d documents, %v", kind, len(docs), err)
		}
		got, want := reflect.New(of).Interface(), reflect.New(of).Interface()
		if strict, err := kjson.UnmarshalStrict([]byte(text), want); err != nil || len(strict) > 0 {
			t.Fatalf("%s: the decoder does not take the sample: %v, %v", kind, err, strict)
		}
		if faults := docs[0].root.decode(got, false); len(faults) > 0 {
			t.Errorf("%s: %v", kind, faults)
		}
		if !reflect.DeepEqual(want, got) {
			t.Errorf("%s is something else (-want +got):\n%s", kind, cmp.Diff(fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got)))
		}
	}
	if fields < 5000 {
		t.Errorf("%d fields, want thousands", fields)
	}
}

// sample is JSON in which every field of a type is set.
func sample(t reflect.Type, depth int, fields *int) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Name() {
	case "Quantity":
		return `"128Mi"`
	case "Time":
		return `"2027-03-01T00:00:00Z"`
	case "MicroTime":
		return `"2027-03-01T00:00:00.000000Z"`
	case "Duration":
		return `"5s"`
	case "IntOrString":
		return [...]string{`8080`, `"http"`}[depth%2]
	case "FieldsV1", "RawExtension":
		return `{"f:a":{"b":[1,null,"c"]}}`
	}
	switch t.Kind() {
	case reflect.Struct:
		if depth > 20 {
			return "{}"
		}
		var all []string
		for _, f := range fieldsOf(t) {
			*fields++
			all = append(all, fmt.Sprintf("%q:%s", f.name, sample(t.FieldByIndex(f.index).Type, depth+1, fields)))
		}
		return "{" + strings.Join(all, ",") + "}"
	case reflect.Map:
		return fmt.Sprintf(`{"a":%s,"b.c/d":%[1]s}`, sample(t.Elem(), depth+1, fields))
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return `"c2VjcmV0"`
		}
		one := sample(t.Elem(), depth+1, fields)
		return "[" + one + ",null," + one + "]"
	case reflect.String:
		return `"text"`
	case reflect.Bool:
		return "true"
	case reflect.Float32, reflect.Float64:
		return "1.5"
	}
	return "7"
}
