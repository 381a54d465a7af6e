package sources

import (
	"temper/checks"
	"temper/checks/sources/handlers"
)

var serverHeaders = code(checks.Rule{
	Name:     "server-headers",
	Severity: checks.Warning,
	Source:   "https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html",
	Doc: `the answers of a server forbid sniffing and framing

A browser that guesses the type of an answer runs what somebody uploaded as an image.
A page that others may frame gets clicks that were meant for theirs.

Set X-Content-Type-Options to nosniff in a handler around all others, so that errors
have it too. Where the service has pages, set X-Frame-Options to DENY or SAMEORIGIN as
well, or a Content-Security-Policy with frame-ancestors; a service that only speaks
JSON needs neither. Health endpoints may go without.`,
	Good: `func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("X-Frame-Options", "DENY")
		next.ServeHTTP(w, r)
	})
}`,
	Bad: `http.ListenAndServe(":8080", mux)`,
}, func(p *pass) {
	set := p.ResultOf[served].(*servedSet)
	const sniff, frame = "X-Content-Type-Options: nosniff", "X-Frame-Options or a Content-Security-Policy with frame-ancestors"
	for _, s := range p.others(set.all) {
		if set.chains.HTML() && s.Sniff == s.Frame && s.Sniff.Level == handlers.Unknown { // one question
			p.header(s, s.Sniff, sniff+", and "+frame)
			continue
		}
		p.header(s, s.Sniff, sniff)
		if set.chains.HTML() {
			p.header(s, s.Frame, frame)
		}
	}
}, served, originsOf, listeningsOf)

// header reports what the handlers of a server lack of a header.
func (p *pass) header(s servedHandler, part handlers.Part, name string) {
	fix := "set " + name + " in a handler in front of all others"
	switch part.Level {
	case handlers.Missing:
		such := ""
		if part.Why != "" {
			such = ": " + part.Why + " lack it"
		}
		p.report(s.at, fix, "not every answer of %s has %s%s", s.made, name, such)
	case handlers.Wrong:
		p.report(s.at, fix, "%s: %s", s.made, part.Why)
	case handlers.Unknown:
		p.undecided(s.at, "whether the answers of %s have %s: %s", s.made, name, part.Why)
	}
}
