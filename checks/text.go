package checks

import (
	"fmt"
	"io"
	"strings"
)

// WriteText writes the report for people: a line for the verdict, and below it
// each finding, once for all the platforms that it was found on.
func WriteText(w io.Writer, r *Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", r.Subject.Name, Verdict(r))
	if r.Subject.Digest != "" {
		fmt.Fprintf(&b, "  %s", r.Subject.Digest)
	}
	b.WriteByte('\n')
	for _, g := range byPlatform(r.Findings) {
		fmt.Fprintf(&b, "  %-7s  %s  %s%s\n", g.Severity, g.Rule, g.Place, g.on())
		fmt.Fprintf(&b, "           %s\n", g.Message)
		if g.Fix != "" {
			fmt.Fprintf(&b, "           fix: %s\n", g.Fix)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Verdict says in a few words what the report comes to.
func Verdict(r *Report) string {
	// A finding that shows on two platforms is one thing to mend.
	var errs, warnings int
	for _, g := range byPlatform(r.Findings) {
		if g.Severity == Error {
			errs++
		} else {
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
	return fmt.Sprintf("%s (%s)", strings.Join(said, ", "), plural(len(r.Rules), "rule"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// A group is one finding and the platforms that share it.
type group struct {
	Finding
	platforms []string
}

func (g group) on() string {
	if len(g.platforms) == 0 {
		return ""
	}
	return "  (" + strings.Join(g.platforms, ", ") + ")"
}

func byPlatform(findings []Finding) []*group {
	var groups []*group
	seen := make(map[string]*group)
	for _, f := range findings {
		platform := f.Platform
		f.Platform = ""
		g := seen[f.key()]
		if g == nil {
			g = &group{Finding: f}
			seen[f.key()] = g
			groups = append(groups, g)
		}
		if platform != "" {
			g.platforms = append(g.platforms, platform)
		}
	}
	return groups
}
