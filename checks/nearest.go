package checks

import (
	"slices"
	"strings"
)

// Nearest returns the name that is spelt most like the word, empty if none is.
func Nearest(word string, names []string) string {
	best, least := "", max(1, len(word)/4)+1
	slices.Sort(names)
	for _, name := range names {
		if d := distance(strings.ToLower(word), strings.ToLower(name)); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is how many letters have to be changed, added, taken out or swapped
// with the next to make b of a.
func distance(a, b string) int {
	if max(len(a), len(b)) > 64 {
		return 64
	}
	var before, last, row [65]int
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		before, last = last, row
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
