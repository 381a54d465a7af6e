package release

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"

	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// network carries requests to wherever they lead, with the proxy of the
// environment; those in plain HTTP only to this machine and into private networks.
type network struct{}

func (network) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" {
		return inTheClear().RoundTrip(r)
	}
	return remote.DefaultTransport.RoundTrip(r)
}

// inTheClear is one for the process, so that connections are used again.
var inTheClear = sync.OnceValue(func() *cleartext {
	return newCleartext(http.ProxyFromEnvironment, net.DefaultResolver.LookupNetIP, new(net.Dialer).DialContext)
})

// A cleartext transport carries plain HTTP. Where a name leads is looked at when it is
// dialled, and what was looked at is what is dialled: another answer of the name
// server's a moment later changes nothing.
type cleartext struct {
	*http.Transport
	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

func newCleartext(proxy func(*http.Request) (*url.URL, error),
	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error),
	dial func(ctx context.Context, network, address string) (net.Conn, error)) *cleartext {
	c := &cleartext{http.DefaultTransport.(*http.Transport).Clone(), lookup, dial}
	// As go-containerregistry has it: all requests go to one host or two.
	c.MaxIdleConnsPerHost = 50
	c.Proxy, c.DialContext = proxy, c.reach
	return c
}

// RoundTrip sends a request. Where it goes through a proxy, that one is dialled and
// dials the rest of the way: so the host itself is looked up too, and one of which
// nobody here knows where it is might be anywhere.
func (c *cleartext) RoundTrip(r *http.Request) (*http.Response, error) {
	through, err := c.Proxy(r)
	if err == nil && through != nil {
		_, err = c.private(r.Context(), r.URL.Hostname())
		var public *publicError
		if err != nil && !errors.As(err, &public) {
			err = fmt.Errorf("plain HTTP through the proxy %s to a host that cannot be seen to be private: %w; if the registry is in a network of your own: NO_PROXY=%s",
				through.Host, err, r.URL.Hostname())
		}
	}
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	answer, err := c.Transport.RoundTrip(r)
	var public *publicError
	if through != nil && errors.As(err, &public) {
		return nil, fmt.Errorf("plain HTTP through the proxy %s: %w", through.Host, err)
	}
	return answer, err
}

// reach dials the first of a host's addresses that answers.
func (c *cleartext) reach(ctx context.Context, kind, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addresses, err := c.private(ctx, host)
	if err != nil {
		return nil, err
	}
	var first error
	for _, one := range addresses {
		conn, err := c.dial(ctx, kind, net.JoinHostPort(one.String(), port))
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// private returns the addresses of a host, if none of them is public.
func (c *cleartext) private(ctx context.Context, host string) ([]netip.Addr, error) {
	addresses, err := c.lookup(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	if len(addresses) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	for _, one := range addresses {
		if public(one) {
			return nil, &publicError{host, one}
		}
	}
	return addresses, nil
}

// public tells whether packets to an address may leave one's own networks.
func public(a netip.Addr) bool {
	a = a.Unmap()
	return !a.IsLoopback() && !a.IsPrivate() && !a.IsLinkLocalUnicast() && !a.IsUnspecified()
}

// A publicError means that a host would have been spoken to in plain HTTP which is
// not in a private network.
type publicError struct {
	host string
	at   netip.Addr
}

func (e *publicError) Error() string {
	at := e.host + " is a public address"
	if e.host != e.at.String() {
		at = fmt.Sprintf("%s is at %s, a public address", e.host, e.at)
	}
	return at + ", and plain HTTP is for this machine and private networks only, for anybody on the way could read the password and change the image; give it a certificate, and leave out --insecure for it"
}

// CheckInsecure says what is wrong with a HOST or HOST:PORT of
// [Options.Insecure]: it is none, or an address that is public. Where a name leads
// shows when it is dialled.
func CheckInsecure(host string) error {
	u, err := url.Parse("http://" + host)
	if err != nil || u.Host != host || u.Hostname() == "" {
		return fmt.Errorf("%q is no host; write it as the reference has it, such as registry.internal:5000", host)
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && public(a) {
		return &publicError{u.Hostname(), a}
	}
	return nil
}
