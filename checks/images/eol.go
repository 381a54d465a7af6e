package images

import (
	"strconv"
	"strings"
	"time"

	"temper/checks"
)

var baseEOL = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "base-eol",
		Severity: checks.Warning,
		Source:   "https://www.freedesktop.org/software/systemd/man/latest/os-release.html",
		Doc: `the base's distribution still gets security updates

After its end of life a distribution mends nothing: what is found in its
packages tomorrow stays in the image. The base names itself in /etc/os-release;
it is held against a table of ends of life in Temper, with this machine's clock.
It is a warning, because a release that is not in the table is not known to be
supported, and because an image does not change on the day.

Build on the distribution's next release.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		const place = "/etc/os-release"
		raw, err := img.read(place)
		if err != nil {
			p.Reportf(place, "it cannot be told how old the base is: %v", err)
			return nil
		}
		release := osRelease(raw)
		id, version := release["ID"], release["VERSION_ID"]
		if release["PRETTY_NAME"] == "Distroless" {
			id = "distroless"
		}
		for _, d := range distributions {
			if d.id != id {
				continue
			}
			for i, r := range d.releases {
				switch {
				case isVersion(version, r.version) && today().After(r.end.Add(24*time.Hour)):
					p.Reportf(place, "%s %s reached its end of life on %s (%s)", id, version, r.end.Format(time.DateOnly), d.source)
				case i == 0 && older(version, r.version):
					p.Reportf(place, "%s %s reached its end of life before %s (%s)", id, version, r.end.Format(time.DateOnly), d.source)
				}
			}
		}
		return nil
	},
}

// today is replaced by tests.
var today = time.Now

// A distribution is one that container images are based on, with the last days
// on which its releases get security updates from the distribution itself, free
// of charge; the oldest first. What is not in the table was not looked up.
type distribution struct {
	id       string // as in os-release
	source   string
	releases []release
}

type release struct {
	version string // what VERSION_ID begins with
	end     time.Time
}

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

var distributions = []distribution{
	{"alpine", "https://alpinelinux.org/releases/", []release{
		{"3.20", day(2026, 4, 1)}, {"3.21", day(2026, 11, 1)}, {"3.22", day(2027, 5, 1)}, {"3.23", day(2027, 11, 1)},
	}},
	// With the updates of the LTS team, which stand in Debian's own archive.
	{"debian", "https://wiki.debian.org/LTS", []release{
		{"10", day(2024, 6, 30)}, {"11", day(2026, 8, 31)}, {"12", day(2028, 6, 30)}, {"13", day(2030, 6, 30)},
	}},
	// Distroless does not follow Debian's LTS.
	{"distroless", "https://github.com/GoogleContainerTools/distroless/blob/main/SUPPORT_POLICY.md", []release{
		{"11", day(2024, 6, 1)}, {"12", day(2026, 9, 30)},
	}},
}

// osRelease reads lines of NAME=VALUE, of which the last of a name counts.
func osRelease(raw []byte) map[string]string {
	values := make(map[string]string)
	for line := range strings.Lines(string(raw)) {
		if key, value, found := strings.Cut(strings.TrimSpace(line), "="); found && !strings.HasPrefix(key, "#") {
			values[key] = strings.Trim(value, `"'`)
		}
	}
	return values
}

// isVersion tells whether a version is one of a release: 3.20.1 is of 3.20, and
// 3.2 is not.
func isVersion(version, release string) bool {
	return version == release || strings.HasPrefix(version, release+".")
}

// older compares number by number. What is no version is older than none.
func older(version, release string) bool {
	a, b := strings.Split(version, "."), strings.Split(release, ".")
	for i := range min(len(a), len(b)) {
		x, err := strconv.Atoi(a[i])
		y, err2 := strconv.Atoi(b[i])
		if err != nil || err2 != nil || x != y {
			return err == nil && err2 == nil && x < y
		}
	}
	return false
}
