package workloads

import (
	"reflect"
	"testing"
)

// A kind has the type that the scheme knows it by, also where the scheme is not
// asked.
func TestUsualKinds(t *testing.T) {
	found := 0
	for kind, want := range scheme().AllKnownTypes() {
		value := usual(kind.GroupVersion().String(), kind.Kind)
		if value == nil {
			continue
		}
		found++
		if got := reflect.TypeOf(value).Elem(); got != want {
			t.Errorf("%s is a %s, want a %s", kind, got, want)
		}
	}
	if found != 20 {
		t.Errorf("the scheme knows %d of the usual kinds, want all 20", found)
	}
}
