package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"sort"
	"strings"

	"temper/checks"
)

// Check looks at programs by the rules, and reports what it finds in any of them once:
// they are the same code for other platforms or by other build tags. The name is what
// the report calls it all. What the memory holds is not looked at again.
func Check(ctx context.Context, name string, rules []*Code, memory *Memory, programs ...*Program) (*checks.Report, error) {
	found, err := Analyze(ctx, rules, memory, programs...)
	if err != nil {
		return nil, err
	}
	return Report(ctx, name, rules, found)
}

// Analyze returns what the rules say about programs, each thing once.
func Analyze(ctx context.Context, rules []*Code, memory *Memory, programs ...*Program) ([]Diagnostic, error) {
	packages := 0
	var all []Diagnostic
	for _, p := range programs {
		found, err := p.analyze(ctx, rules, memory)
		if err != nil {
			return nil, err
		}
		packages += len(p.Packages)
		all = append(all, found...)
		for _, path := range p.Without {
			all = append(all, Diagnostic{Category: LeftOut, Message: "it needs cgo, so it is in no image, and nobody has looked at it", In: path})
		}
	}
	if packages == 0 {
		return nil, errors.New("there is no Go package to look at")
	}
	all = inVain(all)
	if folders, ok := reached(programs); ok {
		for i := range all {
			all[i].Unreached = all[i].Category != LeftOut && !folders[path.Dir(all[i].File)]
		}
	}
	inOrder(all)
	return slices.CompactFunc(all, func(a, b Diagnostic) bool { return a.compare(b) == 0 }), nil
}

// reached are the folders of packages that main packages of the programs import, and their
// own, and whether there are any.
func reached(programs []*Program) (folders map[string]bool, ok bool) {
	folders = make(map[string]bool)
	for _, p := range programs {
		imported := make(map[string]bool)
		for _, pkg := range slices.Backward(p.Packages) { // before those that it imports
			if !imported[pkg.Path] && !pkg.isMain() || len(pkg.Files) == 0 {
				continue
			}
			ok = true
			folders[path.Dir(pkg.Files[0].Name)] = true
			for _, to := range pkg.Direct {
				imported[to] = true
			}
		}
	}
	return folders, ok
}

// isMain tells a main package of the repository.
func (pkg *Package) isMain() bool {
	return pkg.Own && slices.ContainsFunc(pkg.Files, func(f File) bool {
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Name, f.Content, parser.PackageClauseOnly)
		return err == nil && parsed.Name.Name == "main"
	})
}

// Report makes a report of what [Analyze] returned.
func Report(ctx context.Context, name string, rules []*Code, found []Diagnostic) (*checks.Report, error) {
	var set []*checks.Check[[]Diagnostic]
	for _, rule := range rules {
		set = append(set, &checks.Check[[]Diagnostic]{Rule: rule.Rule, Run: rule.tell})
	}
	r, err := checks.Run(ctx, checks.Subject{Name: name}, "", found, set)
	if err != nil {
		return nil, err
	}
	for _, d := range found {
		if d.Category == LeftOut {
			r = r.LeaveOut(d.In, d.Message)
		}
	}
	return r, nil
}

// A Diagnostic is what an analyzer says about a place in a program.
type Diagnostic struct {
	Rule, Category, Message string
	// In is the function that it stands in, with its package, or the package alone.
	In           string
	File         string
	Line, Column int
	Fixes        []Fix `json:",omitempty"`
	// Ignored is what the source says to accept it, nil if it does not.
	Ignored *Ignored `json:",omitempty"`
	// Generated tells that a program wrote the file.
	Generated bool `json:",omitempty"`
	// Unreached tells that no main package imports the one that it is in, though there
	// are some, so that no image holds it.
	Unreached bool `json:",omitempty"`
}

// LeftOut is the category of packages that nobody has looked at, and no rule's.
const LeftOut = "left-out"

// A Fix replaces the bytes from Start to End of a file, which count from 0.
type Fix struct {
	File       string
	Start, End int
	New        string
	// Sum is the SHA-256 of the file that it fits, in hex.
	Sum string
}

// probed are the rules that a running server can be asked about, as package probes does.
var probed = map[string]bool{
	"body-limit": true, "debug-handlers": true, "debug-routes": true, "open-redirect": true,
	"server-headers": true, "server-header-timeout": true, "server-host": true, "server-idle-timeout": true,
}

// notices tells that a diagnostic is a notice and no finding: what is undecided, and
// advice about what no image holds, or nobody writes.
func (c *Code) notices(d Diagnostic) bool {
	return d.Category == Undecided || (d.Unreached || d.Generated) && d.Ignored == nil && c.Severity == checks.Warning
}

// questionIn is the folder that a notice is about which only a reader can answer, empty for
// all else: there is one notice for a folder, and it names the other places.
func (c *Code) questionIn(d Diagnostic) string {
	if !c.notices(d) || d.Ignored != nil || probed[d.Rule] && !d.Unreached && !d.Generated {
		return ""
	}
	return path.Dir(d.File)
}

// whoKnows says who may know what is undecided, and of which places nobody does either.
func (d Diagnostic) whoKnows(more []string) string {
	others := ""
	if len(more) > 0 {
		others = ", and at " + strings.Join(more, ", ")
	}
	switch {
	case d.Ignored != nil:
		return fmt.Sprintf("ignored by %s:%d: %s", d.File, d.Ignored.Line, d.Ignored.Reason)
	case d.Unreached && others == "":
		return "no main package imports it"
	case d.Unreached:
		return "no main package imports it; look here" + others
	case d.Generated:
		return "the file is generated: look at what it is generated by" + others
	case probed[d.Rule]:
		return "temper probe asks the running server"
	}
	return "no probe can tell: look at who decides it" + others
}

func (d Diagnostic) place() string { return fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Column) }

// tell reports the diagnostics of a rule.
func (c *Code) tell(all []Diagnostic, p *checks.Pass) error {
	first, places := make(map[string]string), make(map[string][]string)
	for _, d := range all {
		by := c.questionIn(d)
		switch {
		case d.Rule != c.Name || by == "":
		case first[by] == "":
			first[by] = d.place()
		case !slices.Contains(places[by], d.place()):
			places[by] = append(places[by], d.place())
		}
	}
	for _, d := range all {
		if d.Rule != c.Name {
			continue
		}
		message, fix, _ := strings.Cut(d.Message, "\n")
		switch {
		case d.Category == IgnoreUnused:
			p.Unused(fmt.Sprintf("%s:%d", d.File, d.Line), message)
			continue
		case c.notices(d):
			if by := c.questionIn(d); by == "" || first[by] == d.place() {
				p.Undecidedf(d.place(), "%s; %s", message, d.whoKnows(places[by]))
			}
			continue
		}
		p.Reportf(d.In, "%s", message)
		p.At(d.File, d.Line, d.Column)
		if fix != "" {
			p.Fixf("%s", fix)
		}
		if d.Ignored != nil {
			p.Ignored(fmt.Sprintf("%s:%d", d.File, d.Ignored.Line), d.Ignored.Reason)
		}
	}
	return nil
}

// inOrder sorts diagnostics so. Package sort takes one function for all types, where slices
// has one for each, of 10 kB for a struct of this size.
func inOrder(all []Diagnostic) {
	sort.SliceStable(all, func(i, j int) bool { return all[i].compare(all[j]) < 0 })
}

// compare puts diagnostics in the order of a reader of the source.
func (d Diagnostic) compare(e Diagnostic) int {
	return cmp.Or(cmp.Compare(d.File, e.File), d.Line-e.Line, d.Column-e.Column, cmp.Compare(d.In, e.In),
		cmp.Compare(d.Rule, e.Rule), cmp.Compare(d.Category, e.Category), cmp.Compare(d.Message, e.Message))
}
