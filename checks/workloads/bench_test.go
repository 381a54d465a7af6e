package workloads

import (
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
		if _, err := set.Judge(b.Context(), "deployment.yaml", data); err != nil {
			b.Fatal(err)
		}
		if _, err := set.Check(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// A thousand manifests in one call, which is 5,000 objects.
func BenchmarkThousandManifests(b *testing.B) {
	text := thousand(b)
	for b.Loop() {
		var set Set
		if _, err := set.Judge(b.Context(), "many.yaml", text); err != nil {
			b.Fatal(err)
		}
		if _, err := set.Check(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
