package workloads

import (
	"bytes"
	"fmt"
	"os"
	"testing"
)

// A manifest of five objects, from its bytes to the reports.
func BenchmarkManifest(b *testing.B) {
	data, err := os.ReadFile("testdata/good/deployment.yaml")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		var set Set
		if _, err := set.Read("deployment.yaml", data); err != nil {
			b.Fatal(err)
		}
		if _, err := set.Check(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// A thousand manifests in one call, which is 5,000 objects.
func BenchmarkThousandManifests(b *testing.B) {
	data, err := os.ReadFile("testdata/good/deployment.yaml")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var set Set
		for i := range 1000 {
			one := bytes.ReplaceAll(data, []byte("namespace: shop"), fmt.Appendf(nil, "namespace: shop%d", i))
			if _, err := set.Read("deployment.yaml", one); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := set.Check(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
