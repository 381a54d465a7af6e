package engine

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"dagger.io/dagger"
)

// On a real engine: what lies in the volume of one service, platform and lane
// is seen by no other, and a lane whose cache is poisoned spoils no other's
// build.
func TestLiveIsolation(t *testing.T) {
	needEngine(t)
	ctx := t.Context()
	dir, command := filepath.Join(someSources(t), "good"), compiled(t, "linux")
	client, err := dagger.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	// A repository of its own: an engine keeps volumes between tests.
	nonce := rand.Text()
	in := func(lane string) *Pipeline {
		return New(client, client.Host().Directory(dir), Options{
			Temper: client.Host().File(command), Repository: "isolation-" + nonce, Lane: lane, Platforms: []string{"linux/amd64"},
		})
	}
	run := func(volume, script string) string {
		t.Helper()
		// Locked, as the builds have them: to an engine the way of sharing is part
		// of what a volume is.
		out, err := client.Container().From(DefaultToolchain).
			WithMountedCache("/volume", client.CacheVolume(volume), dagger.ContainerWithMountedCacheOpts{Sharing: dagger.CacheSharingModeLocked}).
			WithEnvVariable("NOW", rand.Text()).
			WithExec([]string{"sh", "-c", script}).
			Stdout(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}

	pull := in("pull-request")
	list, err := pull.Services(ctx)
	if err != nil {
		t.Fatal(err)
	}
	good := list[0]
	layout, err := pull.Layout(ctx, "good")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := layout.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	own := pull.Volume(&good, "linux/amd64")
	poison := `find /volume -type f -exec sh -c 'for f; do chmod u+w "$f"; echo ` + nonce + ` >"$f"; done' _ {} + ; find /volume -type f | wc -l`
	if n := strings.TrimSpace(run(own, poison)); n == "0" {
		t.Fatalf("the build left nothing in its volume %s", own)
	}
	look := "grep -rl " + nonce + " /volume || true"
	if run(own, look) == "" {
		t.Fatal("the marker is not in the volume that it was put into")
	}
	release := in("release")
	other := good
	other.Name = "other"
	newer := good
	newer.Go = "go1.26.9"
	elsewhere := in("pull-request")
	elsewhere.opts.Repository += "-fork"
	for what, volume := range map[string]string{
		"another service":    pull.Volume(&other, "linux/amd64"),
		"another platform":   pull.Volume(&good, "linux/arm64"),
		"another Go":         pull.Volume(&newer, "linux/amd64"),
		"another repository": elsewhere.Volume(&good, "linux/amd64"),
		"the release lane":   release.Volume(&good, "linux/amd64"),
		"no lane":            in("").Volume(&good, "linux/amd64"),
	} {
		if seen := run(volume, look); seen != "" {
			t.Errorf("%s sees what was put into the volume of a service: %s", what, seen)
		}
	}

	digest := func(p *Pipeline) string {
		t.Helper()
		layout, err := p.Layout(context.WithoutCancel(ctx), "good")
		if err != nil {
			t.Fatal(err)
		}
		digests, err := p.Digests(ctx, layout)
		if err != nil {
			t.Fatal(err)
		}
		return digests["good"]
	}
	here := command
	if runtime.GOOS != "linux" {
		here = compiled(t, runtime.GOOS)
	}
	want := onLaptop(t, here, dir, "good", "--platform", "linux/amd64")
	if got := digest(release); got != want {
		t.Errorf("beside a poisoned lane the release has digest %s, on this machine %s", got, want)
	}
}
