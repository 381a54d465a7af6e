//go:build unix

package probes

import (
	"bytes"
	"context"
	_ "expvar" // on http.DefaultServeMux, as pprof is
	"fmt"
	"io"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	methods "google.golang.org/grpc/reflection"
)

// A service is what a case looks at: this test's own binary, started again. It
// does all well, but for what its words say.
type service []string

func (s service) is(word string) bool { return slices.Contains(s, word) }

// limit is how long the service waits; the cases promise a little more.
const limit = 800 * time.Millisecond

// run is the service's main. Its port goes to stdout, and what it writes to dir.
func (s service) run(dir string) int {
	switch {
	case s.is("exits"):
		fmt.Fprintln(os.Stderr, "no configuration")
		return 1
	case s.is("job"):
		return 0
	case s.is("needs-files"):
		if os.Getenv("WRITABLE") == "" {
			return 1
		}
		fallthrough
	case s.is("writes"):
		os.WriteFile(filepath.Join(dir, "state"), nil, 0o600)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	switch {
	case s.is("deaf"):
		ctx = context.Background()
	case s.is("dies"):
		signal.Reset(syscall.SIGTERM)
	}
	if s.is("worker") || s.is("closed") {
		if <-ctx.Done(); s.is("fails") {
			return 4
		}
		return 0
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(ln.Addr().(*net.TCPAddr).Port)
	if s.is("grpc") {
		return s.grpc(ctx, ln)
	}
	return s.http(ctx, ln)
}

func (s service) http(ctx context.Context, ln net.Listener) int {
	srv := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: limit, IdleTimeout: limit, MaxHeaderBytes: 8 << 10,
	}
	if s.is("slow") {
		srv.ReadHeaderTimeout = 0
	}
	if s.is("idle") {
		srv.IdleTimeout = time.Hour
	}
	if s.is("long-headers") {
		srv.MaxHeaderBytes = 0
	}
	go srv.Serve(ln)
	<-ctx.Done()
	if s.is("drops") {
		srv.Close()
		return 0
	}
	if err := srv.Shutdown(context.Background()); err != nil || s.is("fails") {
		return 4
	}
	return 0
}

var kept struct {
	sync.Mutex
	all [][]byte
}

// keep keeps something for each request, up to more than the service may have.
func keep() {
	kept.Lock()
	defer kept.Unlock()
	if len(kept.all) < 4 {
		kept.all = append(kept.all, bytes.Repeat([]byte{1}, 40<<20))
	}
}

func (s service) handler() http.Handler {
	health := func(w http.ResponseWriter, r *http.Request) {
		if s.is("sick") {
			http.Error(w, "the database is down", http.StatusServiceUnavailable)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/orders", func(w http.ResponseWriter, r *http.Request) {
		if s.is("mirror") {
			fmt.Fprintf(w, "<a href=//%s/>", r.Header.Get("X-Forwarded-Host"))
		}
		var body io.Reader = http.MaxBytesReader(w, r.Body, 64<<10)
		if s.is("greedy") {
			body = r.Body
		}
		if s.is("keeps") {
			keep()
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			http.Error(w, "too much", http.StatusRequestEntityTooLarge)
		}
	})
	mux.HandleFunc("/go", func(w http.ResponseWriter, r *http.Request) {
		to := r.FormValue("next")
		switch {
		case s.is("follows"):
		case s.is("follows-slashes") && strings.HasPrefix(to, "/"):
		default:
			to = "/"
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	})
	if s.is("health-only") {
		mux = http.NewServeMux()
	}
	if s.is("insides") {
		mux.Handle("/debug/", http.DefaultServeMux)
	}
	if s.is("page") {
		mux.HandleFunc("/{$}", func(http.ResponseWriter, *http.Request) {})
	}
	if s.is("guarded-health") {
		mux.HandleFunc("/healthz", health)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" && !s.is("guarded-health") {
			health(w, r)
			return
		}
		if s.is("fragile") && r.Host == "stranger.invalid" {
			os.Exit(5)
		}
		if !s.is("naked") {
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		}
		if s.is("framed") {
			w.Header().Set("Content-Security-Policy", "frame-ancestors *")
		}
		known := r.Host == "localhost" || s.is("guarded-health") && strings.HasPrefix(r.Host, "127.0.0.1:")
		if !known && !s.is("any-host") && !s.is("health-only") || s.is("no-host") {
			http.Error(w, "unknown host", http.StatusBadRequest)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s service) grpc(ctx context.Context, ln net.Listener) int {
	opts := []grpc.ServerOption{
		grpc.ConnectionTimeout(limit), grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: limit}),
	}
	if s.is("slow") {
		opts[0] = grpc.ConnectionTimeout(time.Hour)
	}
	if s.is("idle") {
		opts = opts[:1]
	}
	if s.is("greedy") {
		opts = append(opts, grpc.MaxRecvMsgSize(1<<30))
	}
	srv := grpc.NewServer(opts...)
	check := health.NewServer()
	grpc_health_v1.RegisterHealthServer(srv, check)
	if !s.is("sick") {
		check.SetServingStatus("shop.Orders", grpc_health_v1.HealthCheckResponse_SERVING)
	}
	if s.is("reflects") {
		methods.Register(srv)
	}
	go srv.Serve(ln)
	<-ctx.Done()
	if s.is("drops") {
		srv.Stop()
	} else {
		srv.GracefulStop()
	}
	return 0
}
