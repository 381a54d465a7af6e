package probes

import (
	"temper/checks"
)

var root = &checks.Check[*Running]{
	Rule: checks.Rule{
		Name:     "probe-root",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/tasks/configure-pod-container/security-context/",
		Doc: `the service writes no file outside of /tmp

With readOnlyRootFilesystem, as the strict run has it, such a write fails, sooner
or later; without, whoever breaks in has a place to put a program, and the node's
disk fills up.

Write logs to stdout, scratch files to os.TempDir(), and everything else to a
volume. The probe starts the service a second time where it may write wherever its
user may, and looks at what is there afterwards.`,
	},
	Run: func(r *Running, p *checks.Pass) error {
		for i, name := range r.Written {
			if i == maxWritten {
				p.Reportf("files", "and %d more", len(r.Written)-maxWritten)
				break
			}
			p.Reportf(name, "it writes this file")
		}
		if !r.Strict.Up && r.Free.Up {
			p.Reportf("files", "it starts only where it may write")
		}
		return nil
	},
}

// maxWritten is how many files are named.
const maxWritten = 10
