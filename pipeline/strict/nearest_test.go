package strict

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"base", "env", "go", "platforms", "to", "user"}
	for text, want := range map[string]string{
		"platfroms":   "platforms",
		"plattform":   "platforms",
		"bases":       "base",
		"environment": "env",
		"Env":         "env",
		"gp":          "go",
		"t":           "",
		"":            "",
		"volumes":     "",
		"use":         "user",
	} {
		if got := Nearest(text, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"abc", "abc", 0}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
