package engine

import (
	"context"
	"strings"
	"testing"
)

// Manifests are written by a step that sees the sources and the layout, both
// read-only, and no cache of any service.
func TestManifests(t *testing.T) {
	ctx := context.Background()
	p, e := pipeline(t, Options{})
	layout := p.client.Directory()
	for _, m := range []Manifest{
		{Repository: "ghcr.io/acme/shop"},
		{Repository: "ghcr.io/acme/orders", Bare: true, Memory: "256MiB", CPU: "250m", Replicas: 3, Namespace: "shop"},
	} {
		dir, err := p.Manifests(ctx, layout, "orders", m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dir.ID(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.golden(t, "manifests"); strings.Contains(got, "cacheVolume(name: \"temper:") {
		t.Error("writing manifests mounts a service's cache")
	}
	if _, err := p.Manifests(ctx, layout, "orders", Manifest{}); err == nil || !strings.Contains(err.Error(), "ghcr.io/acme/shop") {
		t.Errorf("manifests without a repository give %v", err)
	}
	e.exit, e.stderr = 1, "no such service\n"
	if _, err := p.Manifests(ctx, layout, "orders", Manifest{Repository: "ghcr.io/acme/shop"}); err == nil || err.Error() != "no such service" {
		t.Errorf("manifests of what is not there give %v", err)
	}
}
