package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"temper/pipeline/timing"
)

// timings say where the time of a build went, and what made it compile.
type timings struct {
	// Seconds is how long all of it took.
	Seconds float64     `json:"seconds"`
	Steps   []timedStep `json:"steps"`

	rows []timedRow
}

// A timedStep is one that took time, in seconds, for a service, or for all of them where
// none is named.
type timedStep struct {
	Service  string  `json:"service,omitempty"`
	Platform string  `json:"platform,omitempty"`
	Step     string  `json:"step"`
	Began    float64 `json:"began"`
	Seconds  float64 `json:"seconds"`
}

// A timedRow is what a person is shown of a service, or of one of its platforms.
type timedRow struct {
	name  string
	steps []timedStep
	// why says what made it compile.
	why []string
}

// newTimings arranges what was noted about a build of products.
func newTimings(r *timing.Recorder, products []*product) *timings {
	t := &timings{Seconds: seconds(r.Elapsed()), Steps: []timedStep{}}
	for _, s := range r.Steps() {
		t.Steps = append(t.Steps, timedStep{s.Service, s.Platform, s.Name, seconds(s.Began), seconds(s.Took)})
	}
	of := func(service, platform string) []timedStep {
		return slices.DeleteFunc(slices.Clone(t.Steps), func(s timedStep) bool {
			return s.Service != service || platform != anyPlatform && s.Platform != platform
		})
	}
	t.rows = append(t.rows, timedRow{name: "all", steps: of("", "")})
	for _, one := range products {
		name := one.service.Name
		if len(one.why) == 1 {
			t.rows = append(t.rows, timedRow{name, of(name, anyPlatform), one.why[0].reasons})
			continue
		}
		t.rows = append(t.rows, timedRow{name: name, steps: of(name, "")})
		for _, w := range one.why {
			t.rows = append(t.rows, timedRow{"  " + w.platform, of(name, w.platform), w.reasons})
		}
	}
	return t
}

// anyPlatform stands for all of a service's steps.
const anyPlatform = "*"

func seconds(d time.Duration) float64 { return d.Round(100 * time.Microsecond).Seconds() }

// barWidth is that of the bars, in characters, for the whole time.
const barWidth = 40

// mark is what a bar shows of a step.
func mark(step string) rune {
	switch {
	case step == "compile" || step == "share":
		return '█'
	case step == "list" || strings.HasPrefix(step, "check") || step == "probe":
		return '▓'
	case step == "wait":
		return '░'
	}
	return '▒'
}

// bar draws when a row's steps were.
func (t *timings) bar(row timedRow) string {
	var b strings.Builder
	cell := t.Seconds / barWidth
	for i := range barWidth {
		from := float64(i) * cell
		shown, most := ' ', 0.0
		for _, s := range row.steps {
			if within := min(s.Began+s.Seconds, from+cell) - max(s.Began, from); within > most {
				shown, most = mark(s.Step), within
			}
		}
		b.WriteRune(shown)
	}
	return b.String()
}

// sums tell how long each of a row's steps took, the longest first. What is too short to
// be seen beside the others is left out.
func (t *timings) sums(row timedRow) string {
	took := make(map[string]float64)
	var names []string
	for _, s := range row.steps {
		if _, ok := took[s.Step]; !ok {
			names = append(names, s.Step)
		}
		took[s.Step] += s.Seconds
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(took[b], took[a]) })
	var shown []string
	for _, name := range names {
		if took[name] >= 0.01 && took[name] >= t.Seconds/200 {
			shown = append(shown, fmt.Sprintf("%s %.2f", name, took[name]))
		}
	}
	return strings.Join(shown, ", ")
}

// write writes the timings for people, with bars for those who look at a terminal.
func (t *timings) write(w io.Writer, bars bool) {
	width := 0
	for _, row := range t.rows {
		width = max(width, len(row.name))
	}
	fmt.Fprintf(w, "%.2f s", t.Seconds)
	if bars {
		fmt.Fprintf(w, ", as wide as a bar: █ compiling ▓ checking ▒ the rest ░ waiting for a core")
	}
	fmt.Fprintln(w)
	for _, row := range t.rows {
		line := fmt.Sprintf("  %-*s  ", width, row.name)
		if bars {
			line += "|" + t.bar(row) + "|  "
		}
		fmt.Fprintln(w, strings.TrimRight(line+t.sums(row), " "))
		if len(row.why) > 0 {
			fmt.Fprintf(w, "  %-*s  compiled, because %s\n", width, "", shortened(row.why))
		}
	}
}

// shortened is a list of a few reasons.
func shortened(why []string) string {
	const most = 4
	if n := len(why); n > most+1 {
		return strings.Join(why[:most], ", ") + fmt.Sprintf(", and %d more", n-most)
	}
	return strings.Join(why, ", ")
}

// timings says where the time went.
func (p *person) timings(t *timings) { t.write(p.err, p.looks()) }

// looks tells whether a person sees what is written to stderr, on a terminal that draws.
func (p *person) looks() bool {
	f, ok := p.err.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}
