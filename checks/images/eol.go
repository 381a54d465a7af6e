package images

import (
	_ "embed" // the table
	"fmt"
	"strconv"
	"strings"
	"sync"
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
What is not in the table is no finding. It is a warning because an image does not
change on the day; and it comes after the day and not some weeks before, so that
a report says the same until something is true that was not.

Build on the distribution's next release.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		const place = "/etc/os-release"
		raw, err := img.read(place)
		if err != nil {
			p.Reportf(place, "it cannot be told how old the base is: %v", err)
			return nil
		}
		values := osRelease(raw)
		id, version := values["ID"], values["VERSION_ID"]
		switch {
		case values["PRETTY_NAME"] == "Distroless":
			id = "distroless"
		case values["NAME"] == "CentOS Stream":
			id = "centos-stream"
		}
		for i, r := range distributions()[id] {
			ended := !today().Before(r.end.AddDate(0, 0, 1))
			switch day := r.end.Format(time.DateOnly); {
			case ended && isVersion(version, r.version):
				p.Reportf(place, "%s %s reached its end of life on %s (%s)", id, version, day, r.source)
			case ended && i == 0 && older(version, r.version):
				p.Reportf(place, "%s %s reached its end of life before %s (%s)", id, version, day, r.source)
			}
		}
		return nil
	},
}

// today is replaced by tests.
var today = time.Now

//go:embed eol.txt
var eolText string

// distributions are the rows of eol.txt by ID, the lowest version first.
var distributions = sync.OnceValue(func() map[string][]release { return parseEOL(eolText) })

type release struct {
	version string    // what VERSION_ID begins with
	end     time.Time // the last day of security updates
	source  string
}

// parseEOL takes a table that is a part of the program: a mistake in it is found
// by every test.
func parseEOL(text string) map[string][]release {
	table := make(map[string][]release)
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) != 4 {
			panic(fmt.Sprintf("eol.txt: %q has not four fields", line))
		}
		end, err := time.Parse(time.DateOnly, fields[2])
		if err != nil {
			panic(fmt.Sprintf("eol.txt: %q: %v", line, err))
		}
		table[fields[0]] = append(table[fields[0]], release{fields[1], end, fields[3]})
	}
	return table
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
