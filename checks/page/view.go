package page

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"temper/checks"
)

// A view is what the template shows: every text in it is fit to be shown.
type view struct {
	Version  string
	Pass     bool
	Headline string
	Lede     string
	Facts    []fact
	Services []section
	Rules    []ruleText
}

type fact struct{ Name, Value string }

// A section is about one service.
type section struct {
	ID, Name, Digest string
	Pass, Open       bool
	// Tone is the class of the verdict: pass, warn or fail.
	Tone, Verdict string
	// But says what the verdict does not, empty mostly.
	But string
	// Size is that of the largest image, and Bar its percentage of the largest
	// of all.
	Size      string
	Bar       int64
	bytes     int64
	Platforms string
	Broken    []broken
	Rules     []standing
	Passed    int
	Notices   []notice
	Images    []picture
	Origin    []fact
	Claimed   string
	Dirty     bool
	NoOrigin  bool
}

// broken is a rule with what was found by it.
type broken struct {
	Rule, Title, Tone, Word string
	Known                   bool
	Findings                []finding
	Left                    string
}

type finding struct {
	Place, Message, Imported, Fix, On, Tone, Word, Accepted string
}

// standing is how a rule stands with a service.
type standing struct {
	Name, Title, Tone, Word string
	Known                   bool
}

type notice struct{ Kind, Rule, Place, Message string }

// A picture is one image.
type picture struct {
	ID, Name, Digest, Size string
	Open                   bool
	Facts                  []fact
	Files, Code            *figure
	BinaryPath             string
	NoCode                 string
}

type ruleText struct {
	Name, Severity, Title, Source string
	Paragraphs                    []string
}

// bounds are how much of one service is shown.
type bounds struct {
	cells, rows, modules, findings, notices int
}

func boundsOf(p *Page) bounds {
	images := 0
	for _, s := range p.Services {
		images += len(s.Platforms)
	}
	between := func(all, of, least, most int) int { return min(max(all/max(of, 1), least), most) }
	return bounds{
		cells:    between(3600, images, 24, 72),
		rows:     between(4000, images, 12, 200),
		modules:  between(6000, images, 20, 600),
		findings: between(1500, len(p.Services), 24, 400),
		notices:  between(1000, len(p.Services), 10, 100),
	}
}

func viewOf(p *Page) *view {
	v := &view{Version: name(p.Version)}
	most := boundsOf(p)
	known := make(map[string]checks.Rule)
	for _, r := range p.Rules {
		known[r.Name] = r
		_, why, _ := strings.Cut(r.Doc, "\n")
		v.Rules = append(v.Rules, ruleText{r.Name, string(r.Severity), r.Title(), r.Source, paragraphs(why)})
	}
	passed, images := 0, 0
	var errors, warnings, waived, baseline int
	var largest int64
	for i := range p.Services {
		s := &p.Services[i]
		one := sectionOf(p, s, fmt.Sprintf("s%d", i+1), known, most)
		if one.Pass {
			passed++
		}
		one.Open = !one.Pass || len(p.Services) <= 3
		largest = max(largest, one.bytes)
		images += len(s.Platforms)
		for _, f := range checks.ByPlatform(s.Report.Findings) {
			switch f.Standing() {
			case "waived":
				waived++
			case "known":
				baseline++
			case string(checks.Warning):
				warnings++
			default:
				errors++
			}
		}
		v.Services = append(v.Services, one)
	}
	for i := range v.Services {
		v.Services[i].Bar = v.Services[i].bytes * 100 / max(largest, 1)
	}
	n := len(p.Services)
	v.Pass = n > 0 && passed == n
	switch {
	case n == 0:
		v.Headline, v.Lede = "Nothing was judged", "There is no image in this report, and so it passes nothing."
	case v.Pass:
		v.Headline, v.Lede = "All pass", fmt.Sprintf("All %d services keep every rule that they were judged by.", n)
		if n == 1 {
			v.Headline, v.Lede = "Passes", v.Services[0].Name+" keeps every rule that it was judged by."
		}
		var but []string
		if warnings > 0 {
			but = append(but, count(warnings, "warning is advice", "warnings are advice"))
		}
		if waived > 0 {
			but = append(but, count(waived, "finding is accepted for a time", "findings are accepted for a time"))
		}
		if baseline > 0 {
			but = append(but, count(baseline, "finding is in the baseline", "findings are in the baseline"))
		}
		if len(but) > 0 {
			v.Lede = "Nothing that was found stands in the way: " + strings.Join(but, ", ") + "."
		}
	case n == 1:
		v.Headline, v.Lede = "Does not pass", v.Services[0].Name+" breaks rules. What they are, where, and how to mend it is below."
	default:
		v.Headline = fmt.Sprintf("%d of %d do not pass", n-passed, n)
		v.Lede = "They break rules. Which, where, and how to mend it is below."
		if n-passed == 1 {
			v.Headline = fmt.Sprintf("1 of %d does not pass", n)
			v.Lede = "It breaks rules. Which, where, and how to mend it is below."
		}
	}
	add := func(n int, one, many string, always bool) {
		if n > 0 || always {
			value, unit, _ := strings.Cut(count(n, one, many), " ")
			v.Facts = append(v.Facts, fact{unit, value})
		}
	}
	add(n, "service", "services", true)
	add(images, "image", "images", true)
	add(len(p.Rules), "rule", "rules", true)
	add(errors, "error", "errors", true)
	add(warnings, "warning", "warnings", true)
	add(waived, "waived", "waived", false)
	add(baseline, "in the baseline", "in the baseline", false)
	return v
}

func sectionOf(p *Page, s *Service, id string, known map[string]checks.Rule, most bounds) section {
	r := s.Report
	one := section{ID: id, Name: name(r.Subject.Name), Digest: name(r.Subject.Digest), Pass: r.Passes(p.Strict), Verdict: checks.Verdict(r)}
	one.Tone = "pass"
	for _, f := range r.Findings {
		if f.Severity == checks.Warning && f.Counts() {
			one.Tone = "warn"
		}
	}
	switch {
	case !one.Pass:
		one.Tone = "fail"
		if r.OK() {
			one.But = "Only warnings are left, and here they fail: it was asked to be strict."
		}
		if len(r.Rules) == 0 {
			one.But = "No rule looked at it."
		}
	case !r.OK():
		one.Tone = "warn"
		one.But = "It passes by its baseline, which is no leave to release: a release would refuse it."
	}
	one.Broken = brokenOf(r, known, most.findings)
	one.Rules, one.Passed = standings(p.Rules, r)
	for i, n := range r.Notices {
		if i == most.notices {
			one.Notices = append(one.Notices, notice{Message: fmt.Sprintf("and %s", count(len(r.Notices)-i, "more", "more"))})
			break
		}
		one.Notices = append(one.Notices, notice{name(string(n.Kind)), name(cmp.Or(n.Rule, string(n.Kind))), name(n.Place), words(n.Message)})
	}
	var largest int64
	var names []string
	for i := range s.Platforms {
		image, bytes := pictureOf(&s.Platforms[i], fmt.Sprintf("%s-%d", id, i+1), most)
		image.Open = i == 0
		one.Images = append(one.Images, image)
		largest = max(largest, bytes)
		if len(names) < 8 {
			names = append(names, image.Name)
		}
	}
	one.Platforms = strings.Join(names, ", ")
	if more := len(s.Platforms) - len(names); more > 0 {
		one.Platforms += fmt.Sprintf(" and %d more", more)
	}
	one.bytes, one.Size = largest, size(largest)
	one.origin(s.Provenance)
	return one
}

// origin shows the provenance.
func (one *section) origin(from *Provenance) {
	if from == nil {
		one.NoOrigin = true
		return
	}
	one.Claimed = words(from.Claimed)
	add := func(what string, said ...string) {
		var parts []string
		for _, s := range said {
			if s != "" {
				parts = append(parts, s)
			}
		}
		value := "not recorded"
		if len(parts) > 0 {
			value = strings.Join(parts, " ")
		}
		one.Origin = append(one.Origin, fact{what, value})
	}
	add("source", name(from.Source))
	add("commit", name(from.Commit))
	one.Dirty = from.Dirty
	compiled := ""
	if from.Go != "" && from.Chosen != "" {
		compiled = "as " + name(from.Chosen) + " says"
	}
	add("compiled with", name(from.Go), compiled)
	add("base", name(from.Base))
	add("base digest", name(from.BaseDigest))
	add("builder", name(from.Builder))
	add("modules", count(from.Modules, "module", "modules")+", in the SBOM with versions and sums")
}

// tones are the classes of what a finding comes to.
var tones = map[string]string{"error": "fail", "warning": "warn", "waived": "waived", "known": "known"}

// heft orders what a finding comes to.
var heft = map[string]int{"fail": 0, "warn": 1, "waived": 2, "known": 3}

func tone(f checks.Finding) (class, word string) {
	word = f.Standing()
	if class = tones[word]; class == "" {
		class = "fail" // a severity that nobody knows
	}
	return class, name(word)
}

// brokenOf groups findings by rule, what weighs most first, and shows of each
// rule as many as there is room for.
func brokenOf(r *checks.Report, known map[string]checks.Rule, most int) []broken {
	var list []*broken
	byRule := make(map[string]*broken)
	left := make(map[string]int)
	shared := checks.ByPlatform(r.Findings)
	slices.SortStableFunc(shared, func(a, b *checks.Shared) int {
		ta, _ := tone(a.Finding)
		tb, _ := tone(b.Finding)
		return heft[ta] - heft[tb]
	})
	for _, f := range shared {
		if byRule[f.Rule] == nil {
			rule, is := known[f.Rule]
			class, word := tone(f.Finding)
			b := &broken{Rule: name(f.Rule), Title: rule.Title(), Tone: class, Word: word, Known: is}
			byRule[f.Rule] = b
			list = append(list, b)
		}
	}
	each := max(most/max(len(list), 1), 3)
	for _, f := range shared {
		b := byRule[f.Rule]
		if len(b.Findings) == each {
			left[f.Rule]++
			continue
		}
		one := finding{Place: name(f.Where()), Message: words(f.Message), Fix: words(f.Fix), On: name(strings.Join(f.Platforms, ", "))}
		one.Imported = words(strings.Join(f.Imports, " → "))
		one.Tone, one.Word = tone(f.Finding)
		switch {
		case f.IsWaived():
			one.Accepted = words(f.Waived.String())
		case f.Baseline:
			one.Accepted = "in the baseline: it was there when the rules were adopted"
		}
		b.Findings = append(b.Findings, one)
	}
	var out []broken
	for _, rule := range list {
		out = append(out, *rule)
	}
	for rule, n := range left {
		for i := range out {
			if out[i].Rule == name(rule) {
				out[i].Left = fmt.Sprintf("and %s of this rule; --json lists all", count(n, "more finding", "more findings"))
			}
		}
	}
	return out
}

// standings says how each rule stands: broken ones first, then those that have
// not looked, then those that are kept.
func standings(rules []checks.Rule, r *checks.Report) (list []standing, passed int) {
	worst := make(map[string]standing)
	for _, f := range r.Findings {
		class, word := tone(f)
		if was, is := worst[f.Rule]; !is || heft[class] < heft[was.Tone] {
			worst[f.Rule] = standing{Tone: class, Word: word}
		}
	}
	order := map[string]int{"none": 4, "pass": 5}
	for class, n := range heft {
		order[class] = n
	}
	for _, rule := range rules {
		s, is := worst[rule.Name]
		switch {
		case is:
		case slices.Contains(r.Rules, rule.Name):
			s = standing{Tone: "pass", Word: "kept"}
			passed++
		default:
			s = standing{Tone: "none", Word: "did not look"}
		}
		s.Name, s.Title, s.Known = rule.Name, rule.Title(), true
		list = append(list, s)
	}
	// Those that this version of Temper does not know are in the report as well.
	for _, ran := range r.Rules {
		if !slices.ContainsFunc(rules, func(known checks.Rule) bool { return known.Name == ran }) && len(list) < 200 {
			s, is := worst[ran]
			if !is {
				s = standing{Tone: "pass", Word: "kept"}
				passed++
			}
			s.Name = name(ran)
			list = append(list, s)
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return order[list[i].Tone] < order[list[j].Tone] })
	return list, passed
}

func pictureOf(p *Platform, id string, most bounds) (picture, int64) {
	var bytes int64
	for _, l := range p.Layers {
		for _, f := range l.Files {
			bytes += clamp(f.Size)
		}
	}
	image := picture{ID: id, Name: name(p.Name), Digest: name(p.Digest), Size: size(bytes)}
	if image.Name == "" {
		image.Name = "no platform"
	}
	add := func(what, value string) {
		if value != "" {
			image.Facts = append(image.Facts, fact{what, value})
		}
	}
	user := name(p.User)
	if user == "" {
		user = "none named: root"
	}
	add("runs as", user)
	command := "nothing"
	if len(p.Command) > 0 {
		command = words(strings.Join(p.Command, " "))
	}
	add("starts", command)
	add("in", name(p.Workdir))
	add("listens on", name(strings.Join(p.Ports, ", ")))
	image.Files = layers(p, most)
	if b := p.Binary; b != nil {
		image.BinaryPath = name(b.Path)
		if b.Go != "" {
			add("compiled with", name(b.Go))
		}
		image.Code = code(b, most)
		if image.Code == nil {
			image.NoCode = "Nobody knows: it says nothing of what it is made of."
			if b.Unknown != "" {
				image.NoCode = "Nobody knows: " + words(b.Unknown) + "."
			}
		}
	} else {
		image.NoCode = "Nobody knows: the image starts nothing that could be looked at."
	}
	return image, bytes
}

// paragraphs are those of a rule's text.
func paragraphs(text string) []string {
	var list []string
	for part := range strings.SplitSeq(text, "\n\n") {
		if part = strings.Join(strings.Fields(part), " "); part != "" {
			list = append(list, part)
		}
	}
	return list
}
