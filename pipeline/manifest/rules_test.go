package manifest_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"temper/checks"
	"temper/checks/workloads"
	"temper/pipeline/manifest"
	"temper/pipeline/service"
)

// What is written passes every rule about manifests, warnings too: for the
// services of the examples, and for services of all shapes.
func TestForPassesTheRules(t *testing.T) {
	services := examples(t)
	for _, ports := range [][]int{nil, {8080}, {80}, {443, 8080}, {1024, 9090, 65535}} {
		for _, health := range [][]string{nil, {"/healthz"}, {"/healthz", "/readyz"}} {
			for _, grpc := range []bool{false, true} {
				s := &service.Service{Name: "orders", User: service.DefaultUser, Ports: ports, Probe: service.Unpromised(ports...)}
				if len(ports) > 1 && health != nil {
					s.Probe.Port = ports[1]
				}
				s.Probe.Health, s.Probe.GRPC = health, grpc
				services = append(services, s)
			}
		}
	}
	digest := fmt.Sprintf("%064x", 1)
	for _, svc := range services {
		for _, opts := range []manifest.Options{
			{}, {Namespace: "shop", Memory: 16 << 20, CPU: 1, Replicas: 1}, {Memory: 17<<20 + 1, CPU: 2500}, {Memory: 100 << 30, Replicas: 50},
		} {
			opts.Image = "ghcr.io/acme/shop/" + svc.Name + ":v1@sha256:" + digest
			files, err := manifest.For(svc, opts)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range findings(t, files) {
				t.Errorf("%s, ports %v, %+v: %s %s: %s", svc.Name, svc.Ports, opts, f.Rule, f.Where(), f.Message)
			}
		}
	}
}

// The test above would see a finding.
func TestForIsJudged(t *testing.T) {
	files, err := manifest.For(examples(t)[0], manifest.Options{Image: "ghcr.io/acme/shop/api@sha256:" + fmt.Sprintf("%064x", 1)})
	if err != nil {
		t.Fatal(err)
	}
	if got := findings(t, files[:2]); len(got) == 0 {
		t.Error("nothing is found where the network policy and the disruption budget are missing")
	}
}

// LeastID is that of the rule.
func TestLeastID(t *testing.T) {
	for id, want := range map[int]int{manifest.LeastID: 0, manifest.LeastID - 1: 1} {
		s := &service.Service{Name: "orders", User: fmt.Sprintf("%d:%d", id, manifest.LeastID), Probe: service.Unpromised()}
		files, err := manifest.For(s, manifest.Options{Image: "ghcr.io/acme/shop/orders@sha256:" + fmt.Sprintf("%064x", 1)})
		if err != nil {
			t.Fatal(err)
		}
		rules := map[string]bool{}
		for _, f := range findings(t, files) {
			rules[f.Rule] = true
		}
		if len(rules) != want || want == 1 && !rules["pod-user-id"] {
			t.Errorf("user %d breaks %v, want %d rules", id, rules, want)
		}
	}
}

func findings(t *testing.T, files []manifest.File) (all []checks.Finding) {
	t.Helper()
	var set workloads.Set
	if n, err := set.Read("manifests.yaml", manifest.Joined(files)); err != nil || n != len(files) {
		t.Fatalf("%d objects, %v, want %d", n, err, len(files))
	}
	reports, err := set.Check(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range reports {
		all = append(all, r.Findings...)
	}
	return all
}

func examples(t *testing.T) []*service.Service {
	t.Helper()
	repo, err := service.Load(context.Background(), filepath.Join("..", "..", "examples"))
	if err != nil {
		t.Fatal(err)
	}
	return repo.Services
}
