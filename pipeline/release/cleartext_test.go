package release

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
)

// A zone stands in for a name server, and answers the next time with what comes next.
type zone map[string][][]netip.Addr

func (n zone) lookup(_ context.Context, _, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	all := n[host]
	if len(all) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(all) > 1 {
		n[host] = all[1:]
	}
	return all[0], nil
}

func addresses(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

// dialled brings every connection to one server, and writes down where it was to go.
type dialled struct {
	to    string
	where []string
}

func (d *dialled) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	d.where = append(d.where, address)
	return new(net.Dialer).DialContext(ctx, kind, d.to)
}

func TestPlainHTTPStaysInPrivateNetworks(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	defer server.Close()
	served := zone{
		"private.example": {addresses("10.1.2.3")},
		"unique.example":  {addresses("fd00::7")},
		"link.example":    {addresses("fe80::7%eth0", "169.254.7.7")},
		"public.example":  {addresses("203.0.113.7")},
		"mapped.example":  {addresses("::ffff:203.0.113.7")},
		"six.example":     {addresses("2001:db8::7")},
		"both.example":    {addresses("10.1.2.3", "203.0.113.7")},
		"shared.example":  {addresses("100.64.0.7")},
		"away.example":    {addresses("10.1.2.3"), addresses("203.0.113.7")},
		"proxy.internal":  {addresses("192.168.0.9")},
		"proxy.example":   {addresses("203.0.113.9")},
	}
	for _, tc := range []struct {
		host, proxy string
		dials       string
		says        string
	}{
		{"private.example:5000", "", "10.1.2.3:5000", ""},
		{"unique.example", "", "[fd00::7]:80", ""},
		{"link.example", "", "[fe80::7%eth0]:80", ""},
		{"127.0.0.1:5000", "", "127.0.0.1:5000", ""},
		{"10.1.2.3:5000", "", "10.1.2.3:5000", ""},
		{"203.0.113.7:5000", "", "", "203.0.113.7 is a public address"},
		{"public.example", "", "", "public.example is at 203.0.113.7, a public address"},
		{"mapped.example", "", "", "a public address"},
		{"six.example", "", "", "six.example is at 2001:db8::7, a public address"},
		{"both.example", "", "", "both.example is at 203.0.113.7"},
		{"shared.example", "", "", "shared.example is at 100.64.0.7"},
		{"away.example:5000", "", "10.1.2.3:5000", ""},
		{"away.example:5000", "", "", "away.example is at 203.0.113.7"},
		{"nobody.example", "", "", "no such host"},

		{"private.example:5000", "http://proxy.internal:3128", "192.168.0.9:3128", ""},
		{"private.example:5000", "http://127.0.0.1:3128", "127.0.0.1:3128", ""},
		{"private.example:5000", "socks5://proxy.example", "", "through the proxy proxy.example: "},
		{"private.example:5000", "http://proxy.example:3128", "", "through the proxy proxy.example:3128: "},
		{"public.example", "http://proxy.internal:3128", "", "public.example is at 203.0.113.7"},
		{"nobody.example", "http://proxy.internal:3128", "", "NO_PROXY=nobody.example"},
	} {
		to := &dialled{to: server.Listener.Addr().String()}
		through := func(*http.Request) (*url.URL, error) {
			if tc.proxy == "" {
				return nil, nil
			}
			return url.Parse(tc.proxy)
		}
		c := newCleartext(through, served.lookup, to.dial)
		answer, err := (&http.Client{Transport: c}).Get("http://" + tc.host + "/v2/")
		if err == nil {
			answer.Body.Close()
		}
		c.CloseIdleConnections()
		if got := strings.Join(to.where, " "); got != tc.dials {
			t.Errorf("%s by way of %q dials %q, want %q (%v)", tc.host, tc.proxy, got, tc.dials, err)
		}
		if tc.says == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s by way of %q: error %v, want %q", tc.host, tc.proxy, err, tc.says)
		}
	}
}

// What one address does not answer the next may.
func TestPlainHTTPTriesEveryAddress(t *testing.T) {
	var where []string
	c := newCleartext(func(*http.Request) (*url.URL, error) { return nil, nil },
		zone{"two.example": {addresses("10.0.0.1", "10.0.0.2")}}.lookup,
		func(_ context.Context, _, address string) (net.Conn, error) {
			where = append(where, address)
			return nil, errors.New("nobody answers at " + address)
		})
	_, err := c.RoundTrip(httptest.NewRequest(http.MethodGet, "http://two.example/v2/", nil))
	if got := strings.Join(where, " "); got != "10.0.0.1:80 10.0.0.2:80" {
		t.Errorf("it dials %q", got)
	}
	if err == nil || !strings.Contains(err.Error(), "10.0.0.1:80") {
		t.Errorf("error %v, want the first", err)
	}
}

func TestCheckInsecure(t *testing.T) {
	for _, host := range []string{"registry.internal", "registry.internal:5000", "127.0.0.1:5000", "[::1]:5000", "[fd00::7]:5000", "192.168.1.2", "10.0.0.1:80"} {
		if err := CheckInsecure(host); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for host, want := range map[string]string{
		"203.0.113.7:5000":      "public address",
		"[2001:db8::7]:5000":    "public address",
		"[::ffff:8.8.8.8]:5000": "public address",
		"http://registry:5000":  "is no host",
		"registry:5000/shop":    "is no host",
		"me@registry":           "is no host",
		"":                      "is no host",
	} {
		if err := CheckInsecure(host); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", host, err, want)
		}
	}
}

// Who names a public address is told so, whatever is done at it.
func TestPlainHTTPToAPublicAddress(t *testing.T) {
	const host = "203.0.113.7:5000"
	repo, err := name.NewRepository(host + "/shop")
	if err != nil {
		t.Fatal(err)
	}
	between := &anywhere{to: "http://127.0.0.1:1"}
	opts := Options{Transport: between, Insecure: []string{host}, Keychain: passwords{}}
	_, err = Open(context.Background(), repo.Tag("v1"), newKey(t).Verifier(), Policy{}, opts)
	if err == nil || !strings.Contains(err.Error(), "203.0.113.7 is a public address") {
		t.Errorf("it is named: error %v", err)
	}
	if len(between.told) > 0 {
		t.Error("it is spoken to")
	}
	services := Services{Authority: "http://" + host, Timestamps: []string{"https://stamps.example"}}
	if err := services.known([]string{host}); err == nil || !strings.Contains(err.Error(), "203.0.113.7 is a public address") {
		t.Errorf("a service there: error %v", err)
	}
	// One that leads to it, as a registry does for its tokens.
	_, err = encrypted{between, []string{"registry.internal"}}.RoundTrip(httptest.NewRequest(http.MethodGet, "http://203.0.113.7/token", nil))
	if err == nil || !strings.Contains(err.Error(), "public address") {
		t.Errorf("it is led to: error %v", err)
	}
}

// untold is a registry that speaks no TLS.
type untold struct{ http.RoundTripper }

func (u untold) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" {
		return nil, errors.New("server gave HTTP response to HTTPS client")
	}
	return u.RoundTripper.RoundTrip(r)
}

// A name that was allowed and leads out is an error which says where to.
func TestOpenOfAPublicNameInTheClear(t *testing.T) {
	const host = "registry.example:5000"
	repo, err := name.NewRepository(host + "/shop")
	if err != nil {
		t.Fatal(err)
	}
	to := &dialled{to: "127.0.0.1:1"}
	c := newCleartext(func(*http.Request) (*url.URL, error) { return nil, nil }, zone{"registry.example": {addresses("203.0.113.7")}}.lookup, to.dial)
	opts := Options{Transport: untold{c}, Insecure: []string{host}, Keychain: passwords{}}
	_, err = Open(context.Background(), repo.Tag("v1"), newKey(t).Verifier(), Policy{}, opts)
	const want = "greeting registry.example:5000: GET registry.example:5000/v2/: server gave HTTP response to HTTPS client"
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "; registry.example is at 203.0.113.7, a public address") {
		t.Errorf("error %v", err)
	}
	if len(to.where) > 0 {
		t.Errorf("it dials %v", to.where)
	}
}
