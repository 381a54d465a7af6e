package program

import (
	"path/filepath"
	"testing"

	"temper/checks/sources"
)

// BenchmarkExample looks at the service of examples/api by all rules: how long Go takes
// to list it, how long the rules do, and how long they do when nothing has changed.
func BenchmarkExample(b *testing.B) {
	root, err := filepath.Abs(filepath.Join("..", "..", "examples"))
	if err != nil {
		b.Fatal(err)
	}
	p, err := Folder(b.Context(), root, filepath.Join(root, "api"), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("listed", func(b *testing.B) {
		for b.Loop() {
			if _, err := Folder(b.Context(), root, filepath.Join(root, "api"), nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	look := func(b *testing.B, memory *sources.Memory) {
		if _, err := sources.Check(b.Context(), "api", sources.CodeRules, memory, p); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("cold", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			look(b, nil)
		}
	})
	b.Run("remembered", func(b *testing.B) {
		b.ReportAllocs()
		memory, err := sources.NewMemory(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		look(b, memory)
		for b.Loop() {
			look(b, memory)
		}
	})
}

// BenchmarkRepository looks at Temper's own code by all rules.
func BenchmarkRepository(b *testing.B) {
	root := filepath.Join("..", "..")
	p, err := Folder(b.Context(), root, root, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sources.Check(b.Context(), "temper", sources.CodeRules, nil, p); err != nil {
			b.Fatal(err)
		}
	}
}
