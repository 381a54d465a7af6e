package checks

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"strings"
)

// An Origin is what stands in the sources for a subject that is none of them.
type Origin struct {
	// File is the path of the file that stands for it, from the root of the
	// version control, with slashes, such as a temper.yaml; empty where the
	// sources are not known.
	File string
	// Line is where in it, from 1 on; 0 where that is not known.
	Line int
	// Root is the folder, from there as well, that findings' own files are
	// relative to.
	Root string
}

// A position is where machines are to point at.
type position struct {
	file         string
	line, column int
}

// position is that of the finding, or of what stands for its subject.
func (o Origin) position(f Finding) position {
	if f.File == "" {
		return position{o.File, max(o.Line, 1), 0}
	}
	file := f.File
	if !path.IsAbs(file) {
		file = path.Join(o.Root, file)
	}
	return position{file, max(f.Line, 1), f.Column}
}

// WriteGitHub writes a report as the commands that GitHub's runner makes
// annotations of: error and warning for what counts, notice for what is waived
// or in the baseline, and warning for notices. They point at the file that where
// returns, as for [WriteSARIF], or at none.
//
// The escapes are those that the runner undoes:
// https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
func WriteGitHub(w io.Writer, r *Report, where func(Subject) Origin) error {
	var b strings.Builder
	command := func(kind, rule string, at position, message string) {
		fmt.Fprintf(&b, "::%s title=%s", kind, githubProperty.Replace(rule))
		if at.file != "" {
			fmt.Fprintf(&b, ",file=%s,line=%d", githubProperty.Replace(at.file), at.line)
		}
		if at.column > 0 {
			fmt.Fprintf(&b, ",col=%d", at.column)
		}
		fmt.Fprintf(&b, "::%s\n", githubData.Replace(message))
	}
	for _, g := range ByPlatform(r.Findings) {
		kind := level(g.Severity)
		said := fmt.Sprintf("%s%s: %s: %s", r.Subject.Name, g.on(" "), g.Where(), g.Message)
		if len(g.Imports) > 0 {
			said += "\nimported: " + g.imported()
		}
		switch {
		case g.IsWaived():
			kind = "notice"
			said += "\n" + g.Waived.String()
		case g.Baseline:
			kind = "notice"
			said += "\nin the baseline"
		}
		if g.Fix != "" {
			said += "\nfix: " + g.Fix
		}
		command(kind, g.Rule, where(r.Subject).position(g.Finding), said)
	}
	for _, n := range r.Notices {
		said := r.Subject.Name + ": "
		if n.Place != "" {
			said += n.Place + ": "
		}
		command("warning", cmp.Or(n.Rule, string(n.Kind)), where(r.Subject).position(Finding{}), said+n.Message)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

var (
	githubData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
