package sigstore

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/extension"
	"github.com/google/trillian/log"
	"github.com/google/trillian/monitoring"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/server"
	"github.com/google/trillian/server/admin"
	"github.com/google/trillian/server/interceptor"
	"github.com/google/trillian/storage/memory"
	"github.com/google/trillian/util/clock"
	"github.com/google/trillian/util/election2"
	"google.golang.org/grpc"
	"k8s.io/klog/v2"
)

// serveTrillian keeps logs in memory, as long as the test takes: Trillian's own
// commands want a database, because the one that answers and the one that sequences
// share it.
func serveTrillian(t *testing.T) *net.TCPAddr {
	t.Helper()
	klog.LogToStderr(false) // it has much to tell
	klog.SetOutput(io.Discard)
	trees := memory.NewTreeStorage()
	registry := extension.Registry{
		AdminStorage:    memory.NewAdminStorage(trees),
		LogStorage:      memory.NewLogStorage(trees, monitoring.InertMetricFactory{}),
		ElectionFactory: election2.NoopFactory{},
		QuotaManager:    quota.Noop(),
		MetricFactory:   monitoring.InertMetricFactory{},
	}
	grpcServer := grpc.NewServer(grpc.UnaryInterceptor(interceptor.ErrorWrapper))
	trillian.RegisterTrillianAdminServer(grpcServer, admin.New(registry, nil))
	trillian.RegisterTrillianLogServer(grpcServer, server.NewTrillianLogRPCServer(registry, clock.System))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sequencer := log.NewOperationManager(log.OperationInfo{
		Registry: registry, BatchSize: 50, NumWorkers: 1, RunInterval: 50 * time.Millisecond, TimeSource: clock.System,
	}, log.NewSequencerManager(registry, 0))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { sequencer.OperationLoop(ctx) })
	running.Go(func() { grpcServer.Serve(listener) })
	t.Cleanup(func() {
		cancel()
		grpcServer.Stop()
		running.Wait()
	})
	return listener.Addr().(*net.TCPAddr)
}
