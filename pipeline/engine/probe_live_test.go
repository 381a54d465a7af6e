package engine

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"dagger.io/dagger"
)

const workers = `
-- go.mod --
module example.com/workers

go 1.26
-- temper.yaml --
go: 1.26.8
platforms: [linux/amd64, linux/arm64]
services:
  - {name: heeds, package: ./heeds, probe: {stop: 5s}}
  - {name: ignores, package: ./ignores, probe: {stop: 1s}}
-- heeds/main.go --
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
}
-- ignores/main.go --
package main

import (
	"os/signal"
	"syscall"
	"time"
)

func main() {
	signal.Ignore(syscall.SIGTERM)
	time.Sleep(24 * time.Hour)
}
`

// On a real engine: a service that keeps its promises passes, one that breaks them
// does not, and what was seen is in the report that a release signs.
func TestLiveProbe(t *testing.T) {
	needEngine(t)
	ctx := t.Context()
	dir, command := t.TempDir(), compiled(t, "linux")
	layDown(t, dir, workers)
	client, err := dagger.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	p := New(client, client.Host().Directory(dir), Options{Temper: client.Host().File(command), Repository: "probe-test"})
	built, err := p.Layouts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	heeds, ignores := built[0].Layout, built[1].Layout
	report, err := p.Probe(ctx, heeds)
	if err != nil {
		t.Fatalf("a service that keeps its promises: %v", err)
	}
	if !strings.Contains(report, `"probe-stop"`) {
		t.Errorf("the report is %s", report)
	}
	var no *NoError
	if err := p.ProbeAll(ctx); !errors.As(err, &no) || !strings.Contains(err.Error(), "probe-stop") || strings.Contains(err.Error(), "heeds") {
		t.Errorf("ProbeAll = %v, want the finding about the one service that ignores SIGTERM", err)
	}
	page, err := p.ProbeFile(ctx, ignores, Text)
	if !errors.As(err, &no) {
		t.Fatalf("ProbeFile = %v, want a NoError beside the file", err)
	}
	if text, err := page.Contents(ctx); err != nil || !strings.Contains(text, "probe-stop") {
		t.Errorf("its text is %q, %v", text, err)
	}

	registry, err := p.RegistryService()
	if err != nil {
		t.Fatal(err)
	}
	if registry.Service, err = registry.Service.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer registry.Service.Stop(ctx)
	keys, err := p.Keygen(nil)
	if err != nil {
		t.Fatal(err)
	}
	private, err := keys.File("cosign.key").Contents(ctx)
	if err != nil {
		t.Fatal(err)
	}
	public, err := keys.File("cosign.pub").Contents(ctx)
	if err != nil {
		t.Fatal(err)
	}
	how := Publishing{Key: Key{Private: client.SetSecret("probe-test-key", private)}, Registry: registry, Probe: true}
	refs, err := p.Release(ctx, heeds, "registry:5000/probed", how)
	if err != nil {
		t.Fatal(err)
	}
	trust := Trust{Key: client.Directory().WithNewFile("cosign.pub", public).File("cosign.pub")}
	answer, err := p.Verify(ctx, refs, trust, registry)
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Answers []struct{ Release struct{ Probes int } }
	}
	if err := json.Unmarshal([]byte(answer), &said); err != nil || len(said.Answers) != 1 || said.Answers[0].Release.Probes == 0 {
		t.Errorf("what is signed knows of no probes: %s, %v", answer, err)
	}
	if _, err := p.Release(ctx, ignores, "registry:5000/probed", how); !errors.As(err, &no) || !strings.Contains(err.Error(), "probe-stop") {
		t.Errorf("a release of what breaks a promise: %v, want a NoError", err)
	}
}
