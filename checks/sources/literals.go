package sources

import (
	"go/ast"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// intoLiteral puts fields, such as "Timeout: 30 * time.Second", at the beginning of a
// literal. There is no edit where there is no literal, where its fields have no names,
// or where it has one of them.
func (p *pass) intoLiteral(lit *ast.CompositeLit, fields ...string) []analysis.TextEdit {
	if lit == nil || len(lit.Elts) > 0 && !keyed(lit) {
		return nil
	}
	name, edits := p.importing(lit.Pos(), "time")
	between := ", "
	if len(lit.Elts) > 0 && p.line(lit.Lbrace) != p.line(lit.Elts[0].Pos()) {
		between = ",\n"
	}
	var text strings.Builder
	if between == ",\n" {
		text.WriteString("\n")
	}
	for i, field := range fields {
		if key, _, _ := strings.Cut(field, ":"); slices.ContainsFunc(lit.Elts, func(e ast.Expr) bool { return hasKey(e, key) }) {
			return nil
		}
		text.WriteString(strings.Replace(field, "time.", name+".", 1))
		switch {
		case i < len(fields)-1:
			text.WriteString(between)
		case between == ",\n":
			text.WriteString(",")
		default: // another rule's fields may follow, and a comma does no harm at the end
			text.WriteString(between)
		}
	}
	pos := lit.Lbrace + 1
	return append(edits, analysis.TextEdit{Pos: pos, End: pos, NewText: []byte(text.String())})
}

func hasKey(e ast.Expr, name string) bool {
	kv, ok := e.(*ast.KeyValueExpr)
	if !ok {
		return false
	}
	id, ok := kv.Key.(*ast.Ident)
	return ok && id.Name == name
}

func keyed(lit *ast.CompositeLit) bool {
	_, ok := lit.Elts[0].(*ast.KeyValueExpr)
	return ok
}
