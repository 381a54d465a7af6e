package sources

import (
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"

	"temper/checks"
)

var replaceOutside = &checks.Check[*Module]{
	Rule: checks.Rule{
		Name:     "replace-outside",
		Severity: checks.Warning,
		Source:   "https://go.dev/ref/mod#go-mod-file-replace",
		Doc: `go.mod replaces no module by a folder outside of the repository

What is built then depends on what lies beside the clone: on another machine that is
nothing, or something else, and neither the commit nor go.sum says what it was.

Require a version that has what is wanted, replace by a path in the repository, or
keep the line in a go.work that is not committed.`,
	},
	Run: func(m *Module, p *checks.Pass) error {
		for _, r := range m.Mod.Replace {
			if r.New.Version != "" || !modfile.IsDirectoryPath(r.New.Path) {
				continue
			}
			why, decided := m.leaves(r.New.Path)
			switch {
			case !decided:
				p.Undecidedf(m.File, "it replaces %s by %s, and nothing says where the repository begins", r.Old.Path, r.New.Path)
			case why != "":
				p.Reportf(m.File, "it replaces %s by %s, %s", r.Old.Path, r.New.Path, why)
				p.At(m.File, r.Syntax.Start.Line, 0)
				p.Fixf("go mod edit -dropreplace=%s, and require a version; or go work init . %s, without committing go.work", r.Old, r.New.Path)
			}
		}
		return nil
	},
}

// leaves says how a folder is outside of the repository, empty if it is not, and
// whether that can be told.
func (m *Module) leaves(folder string) (why string, decided bool) {
	if filepath.IsAbs(folder) || strings.HasPrefix(folder, "/") {
		return "which is a path of one machine", true
	}
	target := filepath.Join(m.Dir, filepath.FromSlash(folder))
	if within(m.Dir, target) {
		return "", true
	}
	if m.Root == "" {
		return "", false
	}
	if within(m.Root, target) {
		return "", true
	}
	return "which is outside of the repository", true
}

// within tells whether a path is that of a folder, or below it.
func within(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(rel)
}
