// Package guard judges requests before a handler sees them and hardens the
// answers.
//
// [Hosts] refuses a request for a name that is not ours, [Headers] tells the
// browser what it must not do with an answer. Both are plain middleware.
package guard

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Hosts is the set of names that the service answers to. Its zero value
// answers to none.
//
// The Host header is the client's word. A service that believes it builds
// links to an attacker's site, fills caches with them, and can be reached
// from a victim's browser by a name that was rebound to its address.
// https://portswigger.net/web-security/host-header
type Hosts struct{ names map[string]bool }

// ParseHosts reads host names separated by commas. A name with a port is
// allowed with that port alone, a name without one with any. IPv6 addresses
// stand in brackets, as in a URL. There are no wildcards: an entry that may
// have been meant as a pattern or a URL is an error, and so is an empty one.
func ParseHosts(list string) (Hosts, error) {
	names := map[string]bool{}
	for entry := range strings.SplitSeq(list, ",") {
		name := strings.ToLower(strings.TrimSpace(entry))
		if name == "" || strings.ContainsAny(name, "/*@? ") {
			return Hosts{}, fmt.Errorf("%q is not a host name", entry)
		}
		names[name] = true
	}
	return Hosts{names}, nil
}

// Allows reports whether hostport, as it stands in [http.Request.Host], is
// in the set.
func (h Hosts) Allows(hostport string) bool {
	hostport = strings.ToLower(hostport)
	if h.names[hostport] {
		return true
	}
	// Cut a port off and nothing else: what is left must be an entry letter
	// for letter, brackets included.
	colon := strings.LastIndexByte(hostport, ':')
	if colon < 0 {
		return false
	}
	name, port := hostport[:colon], hostport[colon+1:]
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false
	}
	// An entry with a port is whole already: "a:1" must not let "a:1:2" in.
	if strings.Contains(name, ":") && !strings.HasSuffix(name, "]") {
		return false
	}
	return h.names[name]
}

// Handler passes on the requests for an allowed host and answers the others
// with 400. It reads r.Host, which is also right for a request line with a
// whole URL in it, and no X-Forwarded-Host, which anybody can send.
func (h Hosts) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.Allows(r.Host) {
			http.Error(w, "unknown host", http.StatusBadRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Headers sets the headers of an API whose answers are for programs: if a
// browser shows one all the same, it may not run, load, frame or keep it.
// https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#security-headers
func Headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
