package release

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
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
	if r.URL.Scheme == "http" {
		if err := e.mayRead(r.URL); err != nil {
			if r.Body != nil {
				r.Body.Close()
			}
			return nil, err
		}
	}
	return e.RoundTripper.RoundTrip(r)
}

// mayRead says why a host may not be spoken to in the clear.
func (e encrypted) mayRead(where *url.URL) error {
	switch {
	case loopback(where.Hostname()):
		return nil
	case slices.Contains(e.insecure, where.Host):
		return CheckInsecure(where.Host)
	case CheckInsecure(where.Host) != nil: // naming it would not help
		return fmt.Errorf("it would be plain HTTP: %w", CheckInsecure(where.Host))
	}
	return &unencryptedError{where.Host}
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

// inClear is what an error says of plain HTTP that was not spoken, nil if it does
// not: a registry is asked encrypted too, and both errors are told.
func inClear(err error) error {
	var hidden *unencryptedError
	var public *publicError
	switch {
	case errors.As(err, &hidden):
		return hidden
	case errors.As(err, &public):
		return public
	}
	return nil
}
