package admission

import (
	"encoding/json"
	"fmt"
	"time"
)

// quoted is a value in Rego: what JSON writes is one.
func quoted(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // it is text, or a list of it
	}
	return string(raw)
}

// originRego is the policy about a provenance, empty if nothing is asked of it.
// One of several provenances has to be as it says.
func (w *writer) originRego() string {
	p, m := w.policy, newModule()
	const predicate = "input.predicate"
	dependency := func(name string) {
		fmt.Fprintf(&m.rules, "\n%[1]s = found {\n  found := [d | d := %[2]s.buildDefinition.resolvedDependencies[_]; d.name == %[1]q][0]\n}\n", name, predicate)
	}
	if p.Services != nil {
		m.must("service", fmt.Sprintf("%s.buildDefinition.externalParameters.service == %s[_]", predicate, quoted(p.Services)))
	}
	if p.Builders != nil {
		m.must("builder", fmt.Sprintf("%s.runDetails.builder.id == %s[_]", predicate, quoted(p.Builders)))
	}
	if p.Sources != nil {
		var some []string
		for _, s := range p.Sources {
			some = append(some, fmt.Sprintf("regex.match(%s, source.uri)", quoted(sourceExpression(s))))
		}
		m.must("repository", some...)
		m.must("committed", `count(source.digest.gitCommit) > 0`)
		if !p.Uncommitted {
			m.must("clean", "not dirty")
			m.rule("dirty", "source.annotations.dirty != false")
		}
		dependency("source")
	}
	if p.Bases != nil {
		var some []string
		for _, b := range p.Bases {
			switch {
			case b.Builtin:
				some = append(some, `base.uri == "builtin"`)
			case b.Repository == "":
				some = append(some, fmt.Sprintf("base.digest.sha256 == %s", quoted(b.Digest.Hex)))
			default:
				said := func(name, value string) string {
					return fmt.Sprintf("\n  object.get(base.annotations, %q, \"\") == %s", name, quoted(value))
				}
				some = append(some, fmt.Sprintf("regex.match(%s, base.uri)", quoted(baseExpression(b)))+
					said("signerIdentity", b.Signer.Identity)+said("signerIssuer", b.Signer.Issuer)+said("signerKey", b.Signer.Key))
			}
		}
		m.must("stands_on", some...)
		dependency("base")
	}
	if p.MaxAge > 0 {
		m.must("recent", fmt.Sprintf("ended := time.parse_rfc3339_ns(%s.runDetails.metadata.finishedOn)\n  ended >= time.now_ns() - %d  # %s\n  ended <= time.now_ns() + %d",
			predicate, p.MaxAge, p.MaxAge, 5*time.Minute))
	}
	if len(m.all) == 0 {
		return ""
	}
	return m.String()
}

// reportRego is the policy about a check report. What cannot be read of it is
// undefined, and then it does not comply: so whatever is negated is defined.
func (w *writer) reportRego() string {
	p, m := w.policy, newModule()
	const report = "input.predicate.report"
	m.must("passed", `input.predicate.result == ["PASSED", "WARNED"][_]`+"\n  count("+report+".rules) > 0\n  not failed")
	m.rule("failed", "finding := "+report+".findings[_]\n  not warning(finding)\n  not waived_error(finding)")
	m.rule("warning(finding)", `finding.severity == "warning"`)
	m.rule("waived_error(finding)", `finding.severity == "error"`+"\n  let_through(finding)")
	m.rule("let_through(finding)", `count(finding.waived.reason) > 0`)
	m.must("of_this_image", `input.subject[_].digest.sha256 == trim_prefix(`+report+`.subject.digest, "sha256:")`)
	m.must("current", "not expired")
	m.rule("expired", "waived := input.predicate.report.findings[_].waived\n  waived != null\n  not holds(waived)")
	// By the letters of the day: the last second that Rego can count is in 2262.
	m.rule("holds(waived)", `regex.match("^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", waived.expires)
  waived.expires >= sprintf("%04d-%02d-%02d", time.date(time.now_ns()))`)
	if len(p.Rules) > 0 {
		m.must("looked", fmt.Sprintf("wanted := {rule | rule := %s[_]}\n  rules := {rule | rule := input.predicate.report.rules[_]}\n  count(wanted - rules) == 0", quoted(p.Rules)))
	}
	if p.Strict {
		m.must("strict", "not warned")
		m.rule("warned", "finding := "+report+".findings[_]\n  warning(finding)\n  not let_through(finding)")
	}
	if p.Waivers != nil {
		m.must("may_be_waived", "not refused")
		m.rule("refused", "finding := input.predicate.report.findings[_]\n  finding.waived != null\n  not accepted(finding)")
		some := []string{"false"}
		for _, a := range p.Waivers {
			body := fmt.Sprintf("finding.rule == %s", quoted(a.Rule))
			if a.Subject != "" {
				body += fmt.Sprintf("\n  input.predicate.report.subject.name == %s", quoted(a.Subject))
			}
			some = append(some, body)
		}
		if len(some) > 1 {
			some = some[1:]
		}
		m.rule("accepted(finding)", some...)
	}
	return m.String()
}
