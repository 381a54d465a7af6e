package sources

import (
	"go/ast"
	"strings"

	"temper/checks"
)

// ignoreReasonName is apart from the rule, which would ask itself for it.
const ignoreReasonName = "ignore-reason"

var ignoreReason = code(checks.Rule{
	Name:     ignoreReasonName,
	Severity: checks.Error,
	Doc: `a comment that ignores a finding names a rule and gives a reason

//temper:ignore RULE reason accepts what a rule finds on its line, or, alone on a
line, on the one that follows. It is a waiver without an end: it stands where
a reviewer sees it, the report of a release shows it with its reason, and
it goes when the line goes. Without a reason nobody can tell whether it
still holds, and with a name that no rule has it accepts nothing, while it
looks as if it did.

Name a rule of temper explain, and say in a few words why it does not matter here.`,
	Good: `//temper:ignore server-header-timeout it listens on a socket that only root can open
srv := &http.Server{}`,
	Bad: `srv := &http.Server{} //temper:ignore server-header-timeout`,
}, reasons)

// codeNames returns the names of the rules about code. The rule that reads them is one.
var codeNames func() []string

func init() {
	codeNames = func() []string {
		var names []string
		for _, c := range CodeRules {
			names = append(names, c.Name)
		}
		return names
	}
}

func reasons(p *pass) {
	const form = "write //temper:ignore RULE reason"
	all, err := ignoresOf(p.Fset, p.Files, p.ReadFile)
	if err != nil {
		panic(err) // the driver has read these files
	}
	for _, one := range all {
		switch known, near := nameOfRule(one.rule); {
		case one.rule == "":
			p.report(one.comment, form, "it does not say what to ignore, nor why")
		case one.rule == ignoreReasonName:
			p.report(one.comment, "remove it", "what this rule finds cannot be ignored")
		case !known && near != "":
			p.report(one.comment, form, "no rule about Go code is called %q; did you mean %s?", one.rule, near)
		case !known:
			p.report(one.comment, "temper explain lists the rules; what others find is waived in temper.yaml", "no rule about Go code is called %q", one.rule)
		case one.reason == "":
			p.report(one.comment, "add to it why "+one.rule+" does not matter here", "it gives no reason")
		}
	}
	each(p, func(f *ast.File) {
		for _, group := range f.Comments {
			for _, c := range group.List {
				text := strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(c.Text, "//"), "/*"))
				if strings.HasPrefix(text, "temper:ignore") && !strings.HasPrefix(c.Text, ignorePrefix) {
					p.report(c, form+", from // on and without a space before temper", "it is a comment like any other, and ignores nothing")
				}
			}
		}
	})
}

// nameOfRule tells whether a rule about code has a name, and if none has, which one is
// most like it.
func nameOfRule(name string) (known bool, near string) {
	names := codeNames()
	for _, n := range names {
		if n == name {
			return true, ""
		}
	}
	return false, checks.Nearest(name, names)
}
