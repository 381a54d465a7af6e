package probes

import (
	"strings"

	"temper/checks"
)

var headers = &checks.Check[*Running]{
	Rule: checks.Rule{
		Name:     "probe-headers",
		Severity: checks.Error,
		Source:   "https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html",
		Doc: `answers forbid browsers to guess their type and to frame them

A browser that may guess takes what a visitor uploaded for a page and runs it, and
a page in a stranger's frame is clicked by people who see another. An API's
answers are opened by browsers as well.

Set X-Content-Type-Options: nosniff, and Content-Security-Policy with
frame-ancestors 'none' or X-Frame-Options: DENY, on every answer: in one handler
around all others.`,
	},
	Run: func(r *Running, p *checks.Pass) error {
		for _, a := range r.Own {
			if a.Status == 0 {
				p.Reportf(a.Asked, "it gives no answer")
				continue
			}
			if !strings.EqualFold(strings.TrimSpace(a.Header.Get("X-Content-Type-Options")), "nosniff") {
				p.Reportf(a.Asked, "the answer has no X-Content-Type-Options: nosniff")
			}
			if !a.unframed() {
				p.Reportf(a.Asked, "the answer forbids no frame: neither frame-ancestors in Content-Security-Policy nor X-Frame-Options")
			}
		}
		return nil
	},
}

// unframed tells whether the answer says who may frame it, and not everybody.
func (a Answer) unframed() bool {
	for _, policy := range a.Header.Values("Content-Security-Policy") {
		for directive := range strings.SplitSeq(strings.ToLower(policy), ";") {
			words := strings.Fields(directive)
			if len(words) < 2 || words[0] != "frame-ancestors" {
				continue
			}
			open := false
			for _, source := range words[1:] {
				open = open || source == "*" || source == "https:" || source == "http:"
			}
			if !open {
				return true
			}
		}
	}
	switch strings.ToLower(strings.TrimSpace(a.Header.Get("X-Frame-Options"))) {
	case "deny", "sameorigin":
		return true
	}
	return false
}
