package probes

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"temper/checks"
)

var body = &checks.Check[*Running]{
	Rule: checks.Rule{
		Name:     "probe-body",
		Severity: checks.Error,
		Source:   "https://pkg.go.dev/net/http#MaxBytesReader",
		Doc: `a body of 64 MiB is refused before it has come whole

What a handler reads without a bound is memory or a disk that strangers fill, and a
chunked body does not even say how long it will be.

Wrap r.Body in http.MaxBytesReader before anything reads it, forms included; gRPC
has a limit of 4 MiB unless somebody raised it. The probe sends JSON, a form and a
file to each of the paths that temper.yaml declares: probe: {paths}.`,
	},
	Run: func(r *Running, p *checks.Pass) error {
		for _, b := range r.Bodies {
			switch {
			case b.Killed != nil:
				p.Reportf(b.Asked, "it did not survive a body of %d MiB: %s", maxSent>>20, b.Killed)
			case b.Taken:
				p.Reportf(b.Asked, "it takes a body of %d MiB", maxSent>>20)
			case b.Stuck:
				p.Reportf(b.Asked, "it neither takes nor refuses a body of %d MiB", maxSent>>20)
			}
		}
		return nil
	},
}

const boundary = "; boundary=b"

// maxSent is what is sent as a body: far more than the buffers of two sockets.
const maxSent = 64 << 20

// A Body is what became of one that was too large.
type Body struct {
	// Asked is where it was sent, and as what.
	Asked string
	// Taken tells that it was read to its end, Stuck that it was still being
	// sent when patience ended.
	Taken, Stuck bool
	// Killed is how the service ended by it; nil if it did not.
	Killed *End
}

// bodies sends what is too large to each path, as each type that handlers read.
// It ends with the service.
func (a *asker) bodies(ctx context.Context) []Body {
	paths := a.Paths
	if len(paths) == 0 && !a.GRPC {
		paths = a.Health
	}
	var all []Body
	for _, path := range paths {
		send := []func(context.Context, string) Body{
			sending(a, "application/json", `{"a":"`),
			sending(a, "application/x-www-form-urlencoded", "a="),
			sending(a, "multipart/form-data"+boundary, "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a\"\r\n\r\n"),
		}
		if a.GRPC {
			send = []func(context.Context, string) Body{a.message}
		}
		for _, one := range send {
			sent := one(ctx, path)
			if a.dies(ctx) {
				end := a.End()
				sent.Killed = &end
				return append(all, sent)
			}
			all = append(all, sent)
		}
	}
	return all
}

// sending sends a chunked body over HTTP/1.1 that begins like one of its type.
func sending(a *asker, kind, begin string) func(context.Context, string) Body {
	return func(ctx context.Context, path string) Body {
		b := Body{Asked: fmt.Sprintf("POST %s as %s", path, strings.TrimSuffix(kind, boundary))}
		ctx, cancel := context.WithTimeout(ctx, 2*patience)
		defer cancel()
		conn, err := a.connect(ctx, a.Port)
		if err != nil {
			return b
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n",
			path, a.Host, kind, len(begin), begin)
		const size = 64 << 10
		chunk := append(fmt.Appendf(nil, "%x\r\n", size), append(bytes.Repeat([]byte("a"), size), "\r\n"...)...)
		for sent := 0; sent < maxSent; sent += size {
			if _, err := conn.Write(chunk); err != nil {
				b.Stuck = ctx.Err() != nil
				return b // cut off
			}
		}
		b.Taken = true
		return b
	}
}

// message sends a gRPC message that says to be as long as it is.
func (a *asker) message(ctx context.Context, method string) Body {
	b := Body{Asked: method}
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	zeros := &counted{left: maxSent}
	a.call(ctx, method, io.MultiReader(bytes.NewReader(prefix(maxSent)), zeros))
	b.Taken, b.Stuck = zeros.left == 0, ctx.Err() != nil
	return b
}

// counted is zeros, as many as are left.
type counted struct{ left int }

func (c *counted) Read(b []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n := min(len(b), c.left)
	clear(b[:n])
	c.left -= n
	return n, nil
}
