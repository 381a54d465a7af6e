package strict

import "strings"

// Nearest returns the name that text is probably a misspelling of or begins
// with, as "environment" does with "env"; or nothing.
func Nearest(text string, names []string) string {
	best, found := 1+len(text)/4, ""
	for _, name := range names {
		if d := distance(text, name); d <= best && d < len(text) {
			if d < best || found == "" {
				best, found = d, name
			}
		}
	}
	for _, name := range names {
		if found == "" && len(name) > 2 && strings.HasPrefix(text, name) {
			found = name
		}
	}
	return found
}

// distance is Levenshtein's: how many bytes to add, drop or change to make b
// of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
