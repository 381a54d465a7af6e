// Command worker watches a JSON document on another server and writes each
// new state of it to stdout, one a line.
//
// It shows a client that gives an unknown server neither time nor memory
// without end (package upstream), a buffer whose size follows from GOMEMLIMIT
// (package buffer), retries that do not gang up on a server in trouble
// (poll.go), and how a process without an API of its own still tells the
// kubelet how it is (health.go).
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/temper/worker/buffer"
	"example.com/temper/worker/upstream"
)

func main() {
	health := flag.String("health", ":8081", "address on which the kubelet asks for health")
	interval := flag.Duration("interval", 30*time.Second, "time between two looks at the upstream")
	flag.Parse()
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil)) // stdout is for documents alone

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Getenv("UPSTREAM"), *health, *interval, os.Stdout, log); err != nil {
		log.Error("stopped", "err", err)
		os.Exit(1)
	}
	log.Info("stopped")
}

func run(ctx context.Context, source, health string, interval time.Duration, out io.Writer, log *slog.Logger) error {
	if interval < time.Second {
		return fmt.Errorf("an interval of %v would be an attack", interval)
	}
	// GOMEMLIMIT as the runtime understood it. (Go does not read the limit of
	// the container, and aborts at start if GOMEMLIMIT is malformed.)
	limit := debug.SetMemoryLimit(-1)
	size := bufferSize(limit)
	log.Info("memory", "limit", limit, "limited", limit != math.MaxInt64, "buffer", size)

	// Reading a document takes a few times its length for a moment, so one
	// may not be as large as the whole buffer.
	client, err := upstream.New(source, size/8)
	if err != nil {
		return fmt.Errorf("reading UPSTREAM: %w", err)
	}
	ln, err := net.Listen("tcp", health)
	if err != nil {
		return err
	}

	state := newState(max(interval, maxDelay) + upstream.Timeout)
	docs := buffer.New(size)
	// The first of these that fails ends the others by ctx. Writing ends
	// when polling has closed docs and everything in it is written.
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return serveHealth(ctx, ln, state, log) })
	g.Go(func() error { return write(out, docs) })
	g.Go(func() error {
		defer docs.Close()
		poll(ctx, client.Fetch, interval, docs, state, log)
		return nil
	})
	return g.Wait()
}

// bufferSize is how many bytes of documents may wait: a quarter of the limit,
// which leaves half for what the collector has not freed yet and a quarter
// for all the rest.
func bufferSize(limit int64) int64 {
	const least, unlimited = 1 << 20, 16 << 20
	if limit == math.MaxInt64 { // the runtime's word for no limit
		return unlimited
	}
	return max(limit/4, least)
}

// write writes documents until docs is closed and empty. It is on its own so
// that a reader who pauses does not stop the polling.
func write(out io.Writer, docs *buffer.Buffer) error {
	for {
		doc, ok := docs.Next()
		if !ok {
			return nil
		}
		if _, err := fmt.Fprintf(out, "%s\n", doc); err != nil {
			return fmt.Errorf("writing a document: %w", err)
		}
	}
}
