// Command api is an HTTP JSON API for orders, written the way Temper's rules
// want a service to be.
//
// It shows a server whose every wait has an end (server.go), requests that
// are judged before a handler sees them (package guard), bodies that are
// bounded and decoded strictly (package orders), and a stop that loses no
// request. TLS ends in front of it, at an ingress or a mesh.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/temper/api/guard"
	"example.com/temper/api/orders"
)

// maxOrders bounds the memory of the store: an order takes at most about
// 5 KiB, so that a full store stays far below the 125Mi of deploy.yaml.
const maxOrders = 5_000

func main() {
	listen := flag.String("listen", ":8080", "address to listen on")
	drain := flag.Duration("drain", 5*time.Second, "how long to go on serving after a stop was asked for")
	flag.Parse()
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, *listen, *drain, log); err != nil {
		log.Error("stopped", "err", err)
		os.Exit(1)
	}
	log.Info("stopped")
}

func run(ctx context.Context, listen string, drain time.Duration, log *slog.Logger) error {
	// An image that was deployed without its host names answers nobody but
	// its own machine, which is noticed at once and hurts nobody.
	hosts, err := guard.ParseHosts(cmp.Or(os.Getenv("ALLOWED_HOSTS"), "localhost,127.0.0.1"))
	if err != nil {
		return fmt.Errorf("reading ALLOWED_HOSTS: %w", err)
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	var ready atomic.Bool
	srv := newServer(routes(hosts, orders.NewStore(maxOrders), log), &ready, log)
	return serve(ctx, srv, ln, &ready, drain, log)
}

// routes is the application behind its guards. The headers are outside the
// Host check, so that a refusal carries them too.
func routes(hosts guard.Hosts, store *orders.Store, log *slog.Logger) http.Handler {
	return logged(log, guard.Headers(hosts.Handler(orders.Handler(store, log))))
}
