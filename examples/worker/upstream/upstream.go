// Package upstream fetches a JSON document from a server that is not ours,
// and trusts it no further than it must.
//
// What [Client.Fetch] reads is bounded in time and in size, comes from the
// host that was configured, and is never fetched with less protection than
// was configured.
package upstream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Timeout is for one [Client.Fetch]: redirects, body and all.
const Timeout = 30 * time.Second

const maxRedirects = 3

// Client fetches one document again and again. It is not safe for concurrent
// use.
type Client struct {
	url  string
	max  int64
	http *http.Client
	etag string            // of the last document
	sum  [sha256.Size]byte // of the last document, for servers without ETags
}

// New returns a client for the document at source, which may have up to max
// bytes. The scheme must be https; http is for a loopback address.
func New(source string, max int64) (*Client, error) {
	u, err := url.Parse(source)
	if err != nil {
		return nil, err
	}
	switch {
	case u.Hostname() == "":
		return nil, fmt.Errorf("%q has no host", source)
	case u.User != nil:
		return nil, errors.New("a URL with a password ends in logs")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
	default:
		return nil, fmt.Errorf("%s is not https", u.Redacted())
	}
	return &Client{
		url: source,
		max: max,
		http: &http.Client{
			Timeout:       Timeout,
			CheckRedirect: checkRedirect,
			// Not http.DefaultTransport, which every package of the program
			// may change, and which waits for a header as long as it takes.
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
				TLSHandshakeTimeout:    5 * time.Second,
				ResponseHeaderTimeout:  10 * time.Second,
				IdleConnTimeout:        90 * time.Second,
				MaxIdleConns:           2,
				MaxResponseHeaderBytes: 64 << 10, // the default is 10 MB
				ForceAttemptHTTP2:      true,     // or an own DialContext turns it off
			},
		},
	}, nil
}

// Fetch returns the document on one line, or nil if it has not changed since
// the last call that returned one.
func (c *Client) Fetch(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if c.etag != "" {
		req.Header.Set("If-None-Match", c.etag)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified:
		return nil, nil
	default:
		return nil, fmt.Errorf("the upstream answered %s", resp.Status)
	}

	// One byte more than allowed tells too much from just enough. The bound
	// holds for what comes out of the transport's decompression, so that a
	// few kilobytes of gzip cannot become gigabytes here.
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.max+1))
	if err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	if int64(len(body)) > c.max {
		return nil, fmt.Errorf("the document has more than %d bytes", c.max)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, body); err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	c.etag = resp.Header.Get("ETag")
	sum := sha256.Sum256(line.Bytes())
	if sum == c.sum {
		return nil, nil
	}
	c.sum = sum
	return bytes.Clone(line.Bytes()), nil // without the buffer's spare room
}

// checkRedirect keeps to the server and the protection that were configured.
// Go's own rule follows ten redirects to anywhere: into the cluster, to a
// cloud's metadata, or to the same host without TLS.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first, last := via[0].URL, via[len(via)-1].URL
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case !strings.EqualFold(req.URL.Host, first.Host):
		return fmt.Errorf("a redirect from %s to another host, %s", first.Host, req.URL.Host)
	case last.Scheme == "https" && req.URL.Scheme != "https":
		return fmt.Errorf("a redirect from https to %s", req.URL.Scheme)
	}
	return nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
