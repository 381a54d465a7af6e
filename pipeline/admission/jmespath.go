package admission

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"temper/pipeline/policy"
)

// A condition is an expression that has to be true, and what it stands for.
type condition struct{ says, expression string }

// literal is a value in JMESPath, with nothing in it that Kyverno takes for a
// variable of its own.
func literal(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // it is text, or a list of it
	}
	return "`" + strings.NewReplacer("`", `\u0060`, "{", `\u007b`, "}", `\u007d`, "$", `\u0024`).Replace(string(raw)) + "`"
}

func either(expressions []string) string { return strings.Join(expressions, " || ") }

// originJMESPath are the conditions on a provenance, which stands at the root.
// What is missing is an error, and then nothing is let in.
func (w *writer) originJMESPath() (all []condition) {
	p := w.policy
	const dependency = "buildDefinition.resolvedDependencies[?name == '%s'] | [0]"
	source, base := "("+fmt.Sprintf(dependency, "source")+")", "("+fmt.Sprintf(dependency, "base")+")"
	must := func(says, format string, args ...any) {
		all = append(all, condition{says, fmt.Sprintf(format, args...)})
	}
	if p.Services != nil {
		must("it is another service", "contains(%s, buildDefinition.externalParameters.service)", literal(p.Services))
	}
	if p.Builders != nil {
		must("somebody else built it", "contains(%s, runDetails.builder.id)", literal(p.Builders))
	}
	if p.Sources != nil {
		var some []string
		for _, s := range p.Sources {
			some = append(some, fmt.Sprintf("regex_match(%s, %s.uri)", literal(sourceExpression(s)), source))
		}
		must("it comes from another repository", "%s", either(some))
		must("its provenance names no commit", "length(%s.digest.gitCommit) > `0`", source)
		if !p.Uncommitted {
			must("its source had changes that were not committed",
				"%[1]s.annotations == null || !contains(keys(%[1]s.annotations), 'dirty') || %[1]s.annotations.dirty == `false`", source)
		}
	}
	if p.Bases != nil {
		var some []string
		for _, b := range p.Bases {
			switch {
			case b.Builtin:
				some = append(some, base+".uri == 'builtin'")
			case b.Repository == "":
				some = append(some, fmt.Sprintf("%s.digest.sha256 == %s", base, literal(b.Digest.Hex)))
			default:
				said := func(name, value string) string {
					return fmt.Sprintf("(%s.annotations.%s || '') == %s", base, name, literal(value))
				}
				some = append(some, fmt.Sprintf("(regex_match(%s, %s.uri) && %s && %s && %s)", literal(baseExpression(b)), base,
					said("signerIdentity", b.Signer.Identity), said("signerIssuer", b.Signer.Issuer), said("signerKey", b.Signer.Key)))
			}
		}
		must("it stands on another base", "%s", either(some))
	}
	if p.MaxAge > 0 {
		const ended = "runDetails.metadata.finishedOn"
		must("its build is too long ago", "time_after(time_add(%s, '%s'), time_now_utc())", ended, p.MaxAge)
		must("its build is yet to come", "time_before(%s, time_add(time_now_utc(), '5m'))", ended)
	}
	return all
}

// reportJMESPath are the conditions on a check report.
func (w *writer) reportJMESPath() (all []condition) {
	p := w.policy
	must := func(says, format string, args ...any) {
		all = append(all, condition{says, fmt.Sprintf(format, args...)})
	}
	const findings, unwaived = "(report.findings || `[]`)", "(waived == `null` || !waived.reason)"
	must("the checks failed", "contains(%s, result) && report != `null` && length(report.rules) > `0`", literal([]string{"PASSED", "WARNED"}))
	must("the checks found errors", "length(%s[?severity != 'warning' && (severity != 'error' || %s)]) == `0`", findings, unwaived)
	must("a waiver has expired",
		"length((report.findings || `[]`)[?waived != `null` && !time_after(time_parse('2006-01-02', waived.expires), time_add(time_now_utc(), '-24h'))]) == `0`")
	if len(p.Rules) > 0 {
		var looked []string
		for _, rule := range p.Rules {
			looked = append(looked, fmt.Sprintf("contains(report.rules, %s)", literal(rule)))
		}
		must("a rule has not looked at it", "%s", strings.Join(looked, " && "))
	}
	if p.Strict {
		must("the checks warn", "length(%s[?severity == 'warning' && %s]) == `0`", findings, unwaived)
	}
	if p.Waivers != nil {
		must("something is waived that may not be", "%s", waivedJMESPath(p.Waivers))
	}
	return all
}

// waivedJMESPath is true where all that is waived may be: a filter does not see
// whose report it is in, so each subject has a list of its own.
func waivedJMESPath(accepted []policy.Waiver) string {
	rules := func(subject string) string {
		list := []string{}
		for _, a := range accepted {
			if a.Subject == "" || a.Subject == subject {
				list = append(list, a.Rule)
			}
		}
		return fmt.Sprintf("length((report.findings || `[]`)[?waived != `null` && !contains(%s, rule)]) == `0`", literal(list))
	}
	some := []string{rules("")}
	seen := map[string]bool{"": true}
	for _, a := range accepted {
		if !seen[a.Subject] {
			seen[a.Subject] = true
			some = append(some, fmt.Sprintf("(report.subject.name == %s && %s)", literal(a.Subject), rules(a.Subject)))
		}
	}
	return either(some)
}

// sourceExpression matches every address of a repository, as a provenance has
// them.
func sourceExpression(s policy.Source) string {
	scheme, rest, said := strings.Cut(s.Repository(), "://")
	if !said {
		scheme, rest = "(https|ssh)", scheme
	}
	host, path, _ := strings.Cut(rest, "/")
	return `^(git\+)?(?i:` + scheme + `)://(?i:` + regexp.QuoteMeta(host) + `)/+` + regexp.QuoteMeta(path) + `(\.git)?/*$`
}

// baseExpression matches a reference to an image of a repository.
func baseExpression(b policy.Base) string {
	return `^` + regexp.QuoteMeta(b.Repository) + `(:[a-zA-Z0-9_][a-zA-Z0-9._-]*)?(@sha256:[0-9a-f]*)?$`
}
