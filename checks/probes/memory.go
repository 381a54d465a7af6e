package probes

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"temper/checks"
)

var memory = &checks.Check[*Running]{
	Rule: checks.Rule{
		Name:     "probe-memory",
		Severity: checks.Error,
		Source:   "https://go.dev/doc/gc-guide#Memory_limit",
		Doc: `the service stays within its memory limit under load

GOMEMLIMIT, which the probe sets to 90 % of the limit, makes Go collect harder; it
does not help a program that holds too much. The load is eight clients that ask and
send for two seconds, and a hundred connections whose headers grow up to the 1 MiB
that net/http allows each unless it is told otherwise.

Bound what requests can make a process hold: bodies (http.MaxBytesReader), headers
(http.Server.MaxHeaderBytes), caches and queues. Declare the limit in temper.yaml,
as the manifest has it: probe: {memory: 128MiB}.`,
	},
	Run: func(r *Running, p *checks.Pass) error {
		l := r.Load
		switch {
		case l.Memory.Over && l.Memory.Enforced:
			p.Reportf("memory", "the kernel ended it at its limit of %d MiB", l.Memory.Limit>>20)
		case l.Memory.Over:
			p.Reportf("memory", "it took more than its limit of %d MiB", l.Memory.Limit>>20)
		case l.Died:
			p.Reportf("load", "%s under load", l.End)
		}
		return nil
	},
}

// A Load is what a service came to under it.
type Load struct {
	Memory Memory
	// Died tells that it ended by itself, and End how.
	Died bool
	End  End
}

// loadFor is how long the load lasts; the tests have less time.
var loadFor = 2 * time.Second

const (
	loadClients = 8
	loadHeaders = 100     // connections
	headerSize  = 1 << 20 // bytes for each, http.DefaultMaxHeaderBytes
)

// load asks and sends from many sides at once, and goes on until every header
// has grown as far as the service lets it.
func (a *asker) load(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, loadFor+patience)
	defer cancel()
	var all, grown sync.WaitGroup
	defer all.Wait()
	if a.GRPC {
		for range loadClients {
			all.Go(func() { a.calls(ctx) })
		}
	} else {
		for range loadHeaders {
			grown.Add(1)
			all.Go(func() { a.growing(ctx, grown.Done) })
		}
		client := a.client(ctx)
		defer client.CloseIdleConnections()
		for range loadClients {
			all.Go(func() { a.requests(ctx, client) })
		}
	}
	select {
	case <-a.Done():
	case <-time.After(loadFor):
		grown.Wait()
	}
	cancel()
}

// client is one that speaks HTTP/1.1 to the service and follows no redirect.
func (a *asker) client(ctx context.Context) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:         func(context.Context, string, string) (net.Conn, error) { return a.connect(ctx, a.Port) },
			MaxIdleConnsPerHost: loadClients,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// requests asks for each path and sends to each, again and again.
func (a *asker) requests(ctx context.Context, client *http.Client) {
	paths := a.Paths
	if len(paths) == 0 {
		paths = append([]string{"/"}, a.Health...)
	}
	sent := fmt.Sprintf(`{"a":%q}`, strings.Repeat("a", 4<<10))
	for ctx.Err() == nil {
		for _, path := range paths {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				req, err := http.NewRequestWithContext(ctx, method, "http://service"+path, strings.NewReader(sent))
				if err != nil {
					return
				}
				req.Host = a.Host
				req.Header.Set("Content-Type", "application/json")
				resp, err := client.Do(req)
				if err != nil {
					continue
				}
				io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
				resp.Body.Close()
			}
		}
	}
}

// growing sends a header that has no end, says so, and holds on.
func (a *asker) growing(ctx context.Context, grown func()) {
	said := sync.OnceFunc(grown)
	defer said()
	conn, err := a.connect(ctx, a.Port)
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n", a.Host)
	line := "X-Long: " + strings.Repeat("a", 8<<10) + "\r\n"
	for sent := 0; sent+len(line) < headerSize; sent += len(line) {
		if _, err := io.WriteString(conn, line); err != nil {
			return
		}
	}
	said()
	io.Copy(io.Discard, conn)
}
