package probes

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http2"

	"temper/checks"
)

var slowHeader = &checks.Check[*Running]{
	Rule: checks.Rule{
		Name:     "probe-slow-header",
		Severity: checks.Error,
		Source:   "https://en.wikipedia.org/wiki/Slowloris_(cyber_attack)",
		Doc: `a client that sends its header a byte at a time is cut off in the promised time

Such a client holds a connection for as long as it likes, and a few thousand of
them hold all. The zero values of http.Server's timeouts wait for ever.

Set ReadHeaderTimeout (or ReadTimeout, which it falls back to), for gRPC
grpc.ConnectionTimeout, and declare it in temper.yaml: probe: {header: 5s}.`,
	},
	Run: func(r *Running, p *checks.Pass) error {
		switch {
		case r.Slow.Refused:
			p.Reportf("slow header", "the service takes no connection")
		case !r.Slow.Over:
			p.Reportf("slow header", "the connection is still open after the %v that are promised", r.Header)
		}
		return nil
	},
}

var idle = &checks.Check[*Running]{
	Rule: checks.Rule{
		Name:     "probe-idle",
		Severity: checks.Error,
		Source:   "https://pkg.go.dev/net/http#Server",
		Doc: `a connection on which nothing comes any more is closed in the promised time

Each holds memory and a file, and clients that went away without a word never
close theirs.

Set IdleTimeout (it falls back to ReadTimeout), longer than what the proxy in front
keeps idle connections for; for gRPC keepalive.ServerParameters.MaxConnectionIdle.
Declare it in temper.yaml: probe: {idle: 90s}. The probe waits for that long.`,
	},
	Run: func(r *Running, p *checks.Pass) error {
		switch {
		case r.Idle.Refused:
			p.Reportf("idle connection", "the service gives no answer, after which a connection could be idle")
		case !r.Idle.Over:
			p.Reportf("idle connection", "it is still open after the %v that are promised", r.Declaration.Idle)
		}
		return nil
	},
}

// A Wait is for the end of a connection.
type Wait struct {
	// Refused tells that there was none, and Over that the server ended it in
	// time.
	Refused, Over bool
}

// slow begins a header and goes on with it for as long as the server listens.
// For gRPC it does so with the preface, and never comes to its end.
func (a *asker) slow(ctx context.Context) Wait {
	ctx, cancel := context.WithTimeout(ctx, a.Header+late)
	defer cancel()
	conn, err := a.connect(ctx, a.Port)
	if err != nil {
		return Wait{Refused: true}
	}
	defer conn.Close()
	interval := max(min(a.Header/8, time.Second), 20*time.Millisecond)
	begin, rest := "GET / HTTP/1.1\r\nHost: "+a.Host+"\r\nX-Slow: ", strings.Repeat("a", 1<<10)
	if a.GRPC {
		begin, rest = http2.ClientPreface[:1], http2.ClientPreface[1:]
		interval = max((a.Header+late)/time.Duration(len(rest)-1), interval)
	}
	io.WriteString(conn, begin)
	go func() {
		for _, b := range []byte(rest[:len(rest)-1]) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(interval):
			}
			if _, err := conn.Write([]byte{b}); err != nil {
				return
			}
		}
	}()
	io.Copy(io.Discard, conn) // until the server has had enough, or we have
	return Wait{Over: ctx.Err() == nil}
}

// idle asks once and then not again.
func (a *asker) idle(ctx context.Context) Wait {
	var conn net.Conn
	var until func() bool
	var err error
	for range tries {
		if conn, until, err = a.answered(ctx); err == nil {
			break
		}
	}
	if err != nil {
		return Wait{Refused: true}
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, a.Declaration.Idle+late)
	defer cancel()
	context.AfterFunc(ctx, func() { conn.Close() })
	return Wait{Over: until() && ctx.Err() == nil}
}

// answered returns a connection on which one question has been answered, and
// what waits for the server to end it.
func (a *asker) answered(ctx context.Context) (net.Conn, func() bool, error) {
	setup, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := a.Dial(setup, a.Port)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(setup, func() { conn.Close() })
	until := func() bool { return drained(conn) }
	if a.GRPC {
		framer := http2.NewFramer(conn, conn)
		if _, err = io.WriteString(conn, http2.ClientPreface); err == nil {
			err = framer.WriteSettings()
		}
		until = func() bool { return goaway(framer) }
	} else {
		path := "/"
		if all := append(append([]string{}, a.Declaration.Health...), a.Paths...); len(all) > 0 {
			path = all[0]
		}
		io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: "+a.Host+"\r\n\r\n")
		resp, wrong := http.ReadResponse(bufio.NewReader(conn), nil)
		if err = wrong; err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
	stop()
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, until, nil
}

// drained reads to the end that the server makes.
func drained(conn net.Conn) bool {
	io.Copy(io.Discard, conn)
	return true
}

// goaway reads until the server ends the connection or asks the client to. It
// answers pings: the client is idle and not dead.
func goaway(framer *http2.Framer) bool {
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return true
		}
		switch f := frame.(type) {
		case *http2.GoAwayFrame:
			return true
		case *http2.SettingsFrame:
			if !f.IsAck() {
				framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				framer.WritePing(true, f.Data)
			}
		}
	}
}
