// Command web is a small web site, written the way Temper's rules want a
// service to be.
//
// It shows an image with assets (templates and static files, read and checked
// at start), pages under a Content-Security-Policy without exceptions, a form
// that is bounded and cannot be sent from elsewhere, and the use of the
// image's time zones: all in package site. The server (server.go, the same
// file as in api) and package guard are explained in api as well.
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

	"example.com/temper/web/guard"
	"example.com/temper/web/site"
)

func main() {
	listen := flag.String("listen", ":8080", "address to listen on")
	assets := flag.String("assets", "/srv/web", "folder of templates and static files")
	drain := flag.Duration("drain", 5*time.Second, "how long to go on serving after a stop was asked for")
	flag.Parse()
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, *listen, *assets, *drain, log); err != nil {
		log.Error("stopped", "err", err)
		os.Exit(1)
	}
	log.Info("stopped")
}

func run(ctx context.Context, listen, assets string, drain time.Duration, log *slog.Logger) error {
	hosts, err := guard.ParseHosts(cmp.Or(os.Getenv("ALLOWED_HOSTS"), "localhost,127.0.0.1"))
	if err != nil {
		return fmt.Errorf("reading ALLOWED_HOSTS: %w", err)
	}
	s, err := openSite(assets, log)
	if err != nil {
		return fmt.Errorf("opening the site: %w", err)
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	var ready atomic.Bool
	return serve(ctx, newServer(routes(hosts, s, log), &ready, log), ln, &ready, drain, log)
}

// openSite reads the site below dir. A Root, unlike os.DirFS, follows no
// symbolic link out of it.
func openSite(dir string, log *slog.Logger) (*site.Site, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// There is no mail server in this example. The log learns that a message
	// came, never what it says or who wrote it.
	return site.Open(root.FS(), log, func(_ context.Context, m site.Message) error {
		log.Info("message received", "bytes", len(m.Text))
		return nil
	})
}

// routes is the site behind its guards. The headers are outside, so that a
// refusal carries them too.
func routes(hosts guard.Hosts, s *site.Site, log *slog.Logger) http.Handler {
	// Refuses what another site's page makes a visitor's browser send.
	var origins http.CrossOriginProtection
	return logged(log, guard.Headers(hosts.Handler(origins.Handler(s.Handler()))))
}
