package checks

import (
	"fmt"
	"io"
	"strings"
)

// WriteGitHub writes a report as the commands that GitHub's runner makes
// annotations of: error and warning for what counts, notice for what is waived
// or in the baseline, and warning for notices. They point at the file that where
// returns, as for [WriteSARIF], or at none.
//
// The escapes are those that the runner undoes:
// https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
func WriteGitHub(w io.Writer, r *Report, where func(Subject) string) error {
	var b strings.Builder
	command := func(kind, rule, message string) {
		fmt.Fprintf(&b, "::%s title=%s", kind, githubProperty.Replace(rule))
		if file := where(r.Subject); file != "" {
			fmt.Fprintf(&b, ",file=%s,line=1", githubProperty.Replace(file))
		}
		fmt.Fprintf(&b, "::%s\n", githubData.Replace(message))
	}
	for _, g := range ByPlatform(r.Findings) {
		kind := level(g.Severity)
		said := fmt.Sprintf("%s%s: %s: %s", r.Subject.Name, g.on(" "), g.Place, g.Message)
		if len(g.Imports) > 0 {
			said += "\nimported: " + g.imported()
		}
		switch {
		case g.IsWaived():
			kind = "notice"
			said += fmt.Sprintf("\nwaived until %s: %s", g.Waived.Expires, g.Waived.Reason)
		case g.Baseline:
			kind = "notice"
			said += "\nin the baseline"
		}
		if g.Fix != "" {
			said += "\nfix: " + g.Fix
		}
		command(kind, g.Rule, said)
	}
	for _, n := range r.Notices {
		said := r.Subject.Name + ": "
		if n.Place != "" {
			said += n.Place + ": "
		}
		command("warning", n.Rule, said+n.Message)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

var (
	githubData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
