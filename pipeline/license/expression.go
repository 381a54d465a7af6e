package license

import (
	"strings"

	"github.com/github/go-spdx/v2/spdxexp/spdxlicenses"
)

// Expression returns an SPDX expression with its identifiers as SPDX writes
// them, empty if it is none: references to licences outside of SPDX's list are
// not, for no document here says what they stand for.
// https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/
func Expression(text string) string {
	words := strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(text))
	depth, operand := 0, false // operand: what stands before is complete
	for i, word := range words {
		switch {
		case word == "(" && !operand:
			depth++
		case word == ")" && operand && depth > 0:
			depth--
		case (word == "AND" || word == "OR") && operand:
			operand = false
		case word == "WITH" && operand && words[i-1] != ")" && (i < 2 || words[i-2] != "WITH"):
			operand = false
		case operand:
			return ""
		case i > 0 && words[i-1] == "WITH":
			known, id := spdxlicenses.IsException(word)
			if !known {
				return ""
			}
			words[i], operand = id, true
		default:
			id := identifier(word)
			if id == "" {
				return ""
			}
			words[i], operand = id, true
		}
	}
	if depth != 0 || !operand {
		return ""
	}
	return strings.NewReplacer("( ", "(", " )", ")").Replace(strings.Join(words, " "))
}

// identifier returns a licence as SPDX writes it, empty if SPDX does not know
// it. A plus sign says "or a later version".
func identifier(word string) string {
	for _, lookup := range []func(string) (bool, string){spdxlicenses.IsActiveLicense, spdxlicenses.IsDeprecatedLicense} {
		if known, id := lookup(word); known {
			return id
		}
		bare, plus := strings.CutSuffix(word, "+")
		if known, id := lookup(bare); known && plus {
			return id + "+"
		}
	}
	return ""
}
