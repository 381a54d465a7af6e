package sources

import (
	"go/ast"
	"go/format"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Fields come first in a literal, on lines of their own where the others are, and none
// where the literal has one of them or has no names.
func TestIntoLiteral(t *testing.T) {
	const head = "package a\n\nimport \"time\"\n\ntype client struct {\n\tA, B time.Duration\n\tC    int\n}\n\n"
	fields := []string{"A: 30 * time.Second", "B: 2 * time.Minute"}
	for name, tc := range map[string]struct{ src, want string }{
		"empty":        {"var _ = &client{}", "var _ = &client{A: 30 * time.Second, B: 2 * time.Minute}"},
		"on a line":    {"var _ = &client{C: 1}", "var _ = &client{A: 30 * time.Second, B: 2 * time.Minute, C: 1}"},
		"on lines":     {"var _ = client{\n\tC: 1, // one\n}", "var _ = client{\n\tA: 30 * time.Second,\n\tB: 2 * time.Minute,\n\tC: 1, // one\n}"},
		"there":        {"var _ = client{B: 0}", ""},
		"without keys": {"var _ = client{0, 0, 1}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, file := passOver(t, head+tc.src+"\n")
			var lit *ast.CompositeLit
			ast.Inspect(file, func(n ast.Node) bool {
				if l, ok := n.(*ast.CompositeLit); ok {
					lit = l
				}
				return true
			})
			edits := p.intoLiteral(lit, fields...)
			if tc.want == "" {
				if len(edits) > 0 {
					t.Errorf("edits %v, want none", edits)
				}
				return
			}
			src := []byte(head + tc.src + "\n")
			for _, e := range edits {
				src = slices.Insert(src, p.Fset.Position(e.Pos).Offset, e.NewText...)
			}
			got, err := format.Source(src)
			if err != nil {
				t.Fatalf("%v\n%s", err, src)
			}
			if diff := cmp.Diff(head+tc.want+"\n", string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			passOver(t, string(got)) // it type-checks
		})
	}
	t.Run("of two rules", func(t *testing.T) {
		p, file := passOver(t, head+"var _ = &client{}\n")
		lit := file.Decls[len(file.Decls)-1].(*ast.GenDecl).Specs[0].(*ast.ValueSpec).Values[0].(*ast.UnaryExpr).X.(*ast.CompositeLit)
		src := head + "var _ = &client{"
		for _, field := range fields {
			for _, e := range p.intoLiteral(lit, field) {
				src += string(e.NewText)
			}
		}
		passOver(t, src+"}\n") // it type-checks
	})
	p, _ := passOver(t, head)
	if edits := p.intoLiteral(nil, fields...); edits != nil {
		t.Errorf("edits %v of no literal", edits)
	}
}
