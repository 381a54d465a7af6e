package page

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on one text, in characters: what is longer is cut in its middle.
const (
	maxName  = 160
	maxWords = 600
)

// name is what an image calls something, fit to be shown.
func name(text string) string { return shorten(printable(text), maxName) }

// words is a sentence that may quote an image, fit to be shown.
func words(text string) string { return shorten(printable(text), maxWords) }

// printable is text whose unprintable characters, such as those that turn the
// direction of writing, are written as Go escapes them. Newlines are among them.
func printable(text string) string {
	// Enough to be cut: each character is escaped by itself.
	if len(text) > 16*maxWords {
		text = text[:8*maxWords] + text[len(text)-8*maxWords:]
	}
	if utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return text
	}
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// shorten keeps the beginning and the end of what is longer than that.
func shorten(text string, most int) string {
	n := utf8.RuneCountInString(text)
	if n <= most {
		return text
	}
	runes := []rune(text)
	head := (most - 1) / 2
	return string(runes[:head]) + "…" + string(runes[n-(most-1-head):])
}

// size is a number of bytes for people, in decimal units.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 999_500:
		return fmt.Sprintf("%d kB", (n+500)/1000)
	case n < 99_950_000:
		return fmt.Sprintf("%d.%d MB", (n+50_000)/1_000_000, (n+50_000)/100_000%10)
	case n < 999_500_000:
		return fmt.Sprintf("%d MB", (n+500_000)/1_000_000)
	}
	return fmt.Sprintf("%d.%d GB", (n+50_000_000)/1_000_000_000, (n+50_000_000)/100_000_000%10)
}

// share is a part of a whole in percent.
func share(n, of int64) string {
	if of <= 0 {
		return ""
	}
	switch p := (n*200 + of) / (2 * of); {
	case p == 0:
		return "<1 %"
	case p == 100 && n < of:
		return ">99 %"
	default:
		return fmt.Sprintf("%d %%", p)
	}
}

// count is a number and what it counts.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:]
	}
	return digits + " " + many
}
