package checks

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPlaces is how many places of one finding are text for people.
const maxPlaces = 20

// WriteText writes the report for people: a line for the verdict, and below it
// each finding, what weighs most first, once for all the platforms that it was
// found on and for all the places that the same is said of.
//
// What an image says of itself cannot move the cursor or begin a line of its
// own: characters that do not print are written as Go escapes them.
func WriteText(w io.Writer, r *Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", printable(r.Subject.Name), Verdict(r))
	if r.Subject.Digest != "" {
		fmt.Fprintf(&b, "  %s", r.Subject.Digest)
	}
	b.WriteByte('\n')
	below := func(format string, args ...any) { fmt.Fprintf(&b, "           "+format+"\n", args...) }
	for _, g := range byPlace(ByPlatform(r.Findings)) {
		place := printable(g.Where())
		if len(g.places) > 1 {
			place = plural(len(g.places), "place")
		}
		fmt.Fprintf(&b, "  %-7s  %s  %s%s\n", g.Standing(), g.Rule, place, printable(g.on("  ")))
		below("%s", printable(g.Message))
		if len(g.places) > 1 {
			for i, place := range g.places {
				if i == maxPlaces && len(g.places) > maxPlaces+1 {
					below("and %d more, which --json lists", len(g.places)-i)
					break
				}
				below("%s", printable(place))
			}
		}
		if len(g.Imports) > 0 {
			below("imported: %s", printable(g.imported()))
		}
		switch {
		case g.Waived != nil:
			below("%s", printable(g.Waived.String()))
		case g.Baseline:
			below("in the baseline")
		}
		if g.Fix != "" {
			below("fix: %s", printable(g.Fix))
		}
	}
	for _, n := range r.Notices {
		fmt.Fprintf(&b, "  notice   %s", cmp.Or(n.Rule, string(n.Kind)))
		if n.Place != "" {
			fmt.Fprintf(&b, "  %s", printable(n.Place))
		}
		b.WriteByte('\n')
		below("%s", printable(n.Message))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// A spread is a finding and all the places of which the same is said.
type spread struct {
	*Shared
	places []string
}

// byPlace makes one of the findings that differ in nothing but the place, in the
// order of what they come to.
func byPlace(findings []*Shared) []*spread {
	var list []*spread
	seen := make(map[string]*spread)
	for _, f := range findings {
		same := *f
		same.Place, same.Line, same.Column = "", 0, 0
		key := fmt.Sprintf("%q %q %v", []string{same.key(), same.Standing(), same.Fix, same.imported()}, same.Platforms, same.Waived)
		g := seen[key]
		if g == nil {
			g = &spread{Shared: f}
			seen[key] = g
			list = append(list, g)
		}
		g.places = append(g.places, f.Where())
	}
	weight := map[string]int{string(Warning): 1, "waived": 2, "known": 3} // and all else is an error
	slices.SortStableFunc(list, func(a, b *spread) int { return weight[a.Standing()] - weight[b.Standing()] })
	return list
}

// Standing is the word for what the finding comes to: "waived", "known" for what
// the baseline holds, or its severity.
func (f Finding) Standing() string {
	switch {
	case f.IsWaived():
		return "waived"
	case f.Baseline:
		return "known"
	}
	return string(f.Severity)
}

// imported is the way by which what was found comes into the program.
func (f Finding) imported() string { return strings.Join(f.Imports, " -> ") }

// Verdict says in a few words what the report comes to.
func Verdict(r *Report) string {
	// A finding that shows on two platforms is one thing to mend.
	var errs, warnings, waived, known int
	for _, g := range ByPlatform(r.Findings) {
		switch {
		case g.IsWaived():
			waived++
		case g.Baseline:
			known++
		case g.Severity == Error:
			errs++
		default:
			warnings++
		}
	}
	var said []string
	if errs > 0 {
		said = append(said, plural(errs, "error"))
	}
	if warnings > 0 {
		said = append(said, plural(warnings, "warning"))
	}
	if len(said) == 0 {
		said = append(said, "ok")
	}
	if waived > 0 {
		said = append(said, fmt.Sprintf("%d waived", waived))
	}
	if known > 0 {
		said = append(said, fmt.Sprintf("%d in the baseline", known))
	}
	return fmt.Sprintf("%s (%s)", strings.Join(said, ", "), plural(len(r.Rules), "rule"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// printable is text whose control and other unprintable characters are escaped,
// and which is no command to GitHub's runner: that takes a line for one which
// begins with ::, after any spaces, or holds ##[ anywhere.
// https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
func printable(text string) string {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		quoted := strconv.Quote(text)
		text = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	}
	if strings.HasPrefix(strings.TrimSpace(text), "::") {
		text = strings.Replace(text, ":", `\x3a`, 1)
	}
	return strings.ReplaceAll(text, "##[", `#\x23[`)
}

// A Shared is a finding and the platforms that it was found on: one thing to
// mend.
type Shared struct {
	Finding
	// Platforms are in the order of the findings, empty if it has none.
	Platforms []string
}

// on names the platforms, after a space, if the finding has any.
func (g Shared) on(space string) string {
	if len(g.Platforms) == 0 {
		return ""
	}
	return space + "(" + strings.Join(g.Platforms, ", ") + ")"
}

// ByPlatform makes one of the findings that differ in nothing but the platform.
func ByPlatform(findings []Finding) []*Shared {
	var list []*Shared
	seen := make(map[string]*Shared)
	for _, f := range findings {
		platform := f.Platform
		f.Platform = ""
		g := seen[f.key()]
		if g == nil {
			g = &Shared{Finding: f}
			seen[f.key()] = g
			list = append(list, g)
		}
		if platform != "" {
			g.Platforms = append(g.Platforms, platform)
		}
	}
	return list
}
