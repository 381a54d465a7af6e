package sources

import (
	"time"

	"temper/checks"
)

// What a wait for the next request on a connection may be.
const leastIdle, mostIdle = 100 * time.Millisecond, time.Hour

var idleTimeout = code(checks.Rule{
	Name:     "server-idle-timeout",
	Severity: checks.Warning,
	Source:   "https://pkg.go.dev/net/http#Server",
	Doc: `every HTTP server has an IdleTimeout, or a ReadTimeout that stands in for it

A connection that has been answered stays open for the next request. Without a
bound a client keeps as many of them as it likes without sending another byte,
and each holds a goroutine, its buffers and a file descriptor.

Write &http.Server{IdleTimeout: 2 * time.Minute, ...}: longer than what the
proxies in front keep a connection for, or they use one that is being closed.
From a tenth of a second to an hour is taken for a choice.`,
	Good: headerTimeout.Good,
	Bad:  `srv := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 5 * time.Second}`,
}, func(p *pass) {
	p.servers("IdleTimeout", "2 * time.Minute", (*server).idleLack)
}, servers)

func (srv *server) idleLack() string { return srv.lacks("IdleTimeout", leastIdle, mostIdle) }
