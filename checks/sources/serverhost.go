package sources

import (
	"temper/checks"
	"temper/checks/sources/handlers"
)

var serverHost = code(checks.Rule{
	Name:     "server-host",
	Severity: checks.Warning,
	Source:   "https://portswigger.net/web-security/host-header",
	Doc: `the handlers of a server refuse a strange Host with 400

The Host header is the client's word. A service that believes it builds links to an
attacker's site, fills caches with them, and is reached from a victim's browser by a
name that was rebound to its address.

Put a handler around all others that compares r.Host with the names that the service
has, and answers http.StatusBadRequest to the rest, or http.StatusMisdirectedRequest;
not r.URL.Host, which is empty in a server's requests, and not X-Forwarded-Host, which anybody can send. Patterns of a mux
with a host are no such list. Health endpoints stay outside of it, because a kubelet
asks by the address of the pod: answer those before, by their path.

Servers whose address is a constant of the machine itself, gRPC, and those that only
have endpoints of health, metrics and profiles are left alone.`,
	Good: `func onlyFor(hosts map[string]bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hosts[r.Host] {
			http.Error(w, "unknown host", http.StatusBadRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}`,
	Bad: `http.ListenAndServe(":8080", mux)`,
}, func(p *pass) {
	const fix = "put a handler in front that answers 400 where r.Host is none of the service's names"
	for _, s := range p.others(p.ResultOf[served].(*servedSet).all) {
		switch s.Host.Level {
		case handlers.Missing:
			p.report(s.at, fix, "no handler of %s looks at r.Host", s.made)
		case handlers.Wrong:
			p.report(s.at, fix, "%s: %s", s.made, s.Host.Why)
		case handlers.Unknown:
			p.undecided(s.at, "whether %s refuses strange hosts: %s", s.made, s.Host.Why)
		}
	}
}, served, originsOf, listeningsOf)
