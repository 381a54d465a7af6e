package sources

import (
	"time"

	"temper/checks"
)

// What a wait for a request's header may be: below the least no client far away gets
// through, and above the most a handful of machines hold a server's every connection.
const leastHeader, mostHeader = 100 * time.Millisecond, 10 * time.Minute

var headerTimeout = code(checks.Rule{
	Name:     "server-header-timeout",
	Severity: checks.Error,
	Source:   "https://pkg.go.dev/net/http#Server",
	Doc: `every HTTP server has a ReadHeaderTimeout, or a ReadTimeout that stands in for it

A client that sends its header one byte at a time holds a connection, a
goroutine and a file descriptor for as long as it likes (Slowloris), and a few
thousand of them hold the service. http.ListenAndServe and its like have no
timeout at all. net/http takes ReadTimeout where ReadHeaderTimeout is zero, so
one of them is enough; ReadTimeout is not deprecated, whatever is said of it, but
it bounds the body as well, which a service that takes large uploads may not want.

Write &http.Server{ReadHeaderTimeout: 5 * time.Second, ...}. From a tenth of a
second to ten minutes is taken for a choice, and anything else for a mistake.
What comes from configuration is not looked at: temper probe asks the service.`,
	Good: `srv := &http.Server{
	Addr:              ":8080",
	Handler:           mux,
	ReadHeaderTimeout: 5 * time.Second,
	IdleTimeout:       2 * time.Minute,
}
return srv.ListenAndServe()`,
	Bad: `return http.ListenAndServe(":8080", mux)`,
}, func(p *pass) {
	p.servers("ReadHeaderTimeout", "5 * time.Second", (*server).headerLack)
}, servers)

func (srv *server) headerLack() string {
	return srv.lacks("ReadHeaderTimeout", leastHeader, mostHeader)
}
