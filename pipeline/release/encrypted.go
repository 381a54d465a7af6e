package release

import (
	"net"
	"net/http"
	"slices"
)

// encrypted speaks plain HTTP to this machine and to the hosts that were named,
// and to no other. go-containerregistry falls back to it for any private address,
// where whoever stands in between would be told passwords; and a registry may send
// to another host for its tokens.
type encrypted struct {
	http.RoundTripper
	insecure []string
}

func (e encrypted) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" && !loopback(r.URL.Hostname()) && !slices.Contains(e.insecure, r.URL.Host) {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, &unencryptedError{r.URL.Host}
	}
	return e.RoundTripper.RoundTrip(r)
}

// An unencryptedError means that a host would have been spoken to in plain HTTP.
type unencryptedError struct{ host string }

func (e *unencryptedError) Error() string {
	return "if it speaks plain HTTP only, and is in a network of your own: --insecure " + e.host
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
