package images

import (
	"fmt"
	"slices"
	"strings"

	"temper/checks"
	"temper/checks/pattern"
)

var historyPackageManager = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "history-package-manager",
		Severity: checks.Warning,
		Source:   "https://docs.docker.com/build/building/best-practices/#create-reproducible-environments",
		Doc: `the history shows no package manager at work

What apt-get, apk or pip install depends on the day: the same Dockerfile gives
another image tomorrow, with packages that no lock file names. It is a warning,
since what they leave behind is looked at by other rules, and a history may be
rewritten.

Install what a build needs in a stage of its own, and copy the binary into an
image that starts from an empty or distroless base.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		for i, h := range img.Config.History {
			var ran []string
			for _, m := range installs().FindAllStringSubmatch(h.CreatedBy, -1) {
				if said := m[1] + " " + m[2]; !slices.Contains(ran, said) {
					ran = append(ran, said)
				}
			}
			if len(ran) > 0 {
				p.Reportf(fmt.Sprintf("history %d", i), "%s was run", strings.Join(ran, ", "))
			}
		}
		return nil
	},
}

// installs matches a package manager and its verb where a command can begin,
// with options between them.
var installs = pattern.New(`(?:^|[\s;&|(/"'\[])(apt|apt-get|aptitude|apk|dnf|microdnf|tdnf|yum|zypper|pacman|brew|pip|pip3|pipx|npm|pnpm|yarn|gem|cargo|conda)["',]*(?:\s+["']?-[^\s;&|]+)*\s+["']?(install|add|in|-S[yu]*|ci|update|upgrade|dist-upgrade|full-upgrade)(?:$|[\s;&|"',])`)
