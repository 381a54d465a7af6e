package manifest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/pipeline/service"
)

var update = flag.Bool("update", false, "write what For returns into testdata/*.yaml")

const image = "ghcr.io/acme/shop/orders@sha256:0000000000000000000000000000000000000000000000000000000000000001"

func orders(change func(*service.Service)) *service.Service {
	s := &service.Service{Name: "orders", User: "65532:65532", Ports: []int{8080}, Probe: service.Unpromised(8080)}
	s.Probe.Health = []string{"/healthz", "/readyz"}
	if change != nil {
		change(s)
	}
	return s
}

func TestFor(t *testing.T) {
	for name, tc := range map[string]struct {
		svc  *service.Service
		opts Options
	}{
		"http": {orders(nil), Options{Image: image}},
		"grpc": {orders(func(s *service.Service) {
			s.Ports, s.Probe.GRPC, s.Probe.Port, s.Probe.Health = []int{8080, 9090}, true, 9090, []string{"shop.Orders"}
		}), Options{Image: image, Namespace: "shop", Memory: 500 << 20, CPU: 250, Replicas: 3}},
		"low-port": {orders(func(s *service.Service) { s.Ports, s.Probe.Port, s.User = []int{80}, 80, "20001:20002" }), Options{Image: image}},
		"no-port": {orders(func(s *service.Service) {
			s.Ports, s.Probe = nil, service.Unpromised()
			s.Probe.Stop = 1500 * time.Millisecond
		}), Options{Image: image}},
		"no-health":   {orders(func(s *service.Service) { s.Probe.Health = nil }), Options{Image: image}},
		"other-names": {orders(func(s *service.Service) { s.Name, s.Probe.Health = "orders_v2.api", []string{"/a b\"c"} }), Options{Image: image}},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := For(tc.svc, tc.opts)
			if err != nil {
				t.Fatal(err)
			}
			got := Joined(append(files, Kustomization(files)))
			file := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("For (-want +got):\n%s", diff)
			}
		})
	}
}

func TestForRefuses(t *testing.T) {
	for _, tc := range []struct {
		svc  *service.Service
		opts Options
		want string
	}{
		{orders(nil), Options{}, `service orders: "" is no image by its digest`},
		{orders(nil), Options{Image: "ghcr.io/acme/shop/orders:v1"}, "is no image by its digest"},
		{orders(func(s *service.Service) { s.Name = "0rders" }), Options{Image: image}, `"0rders" is no name for a Service`},
		{orders(func(s *service.Service) { s.Name = strings.Repeat("o", 64) }), Options{Image: image}, "at most 63"},
		{orders(nil), Options{Image: image, Namespace: "Shop"}, `"Shop" is no namespace`},
		{orders(nil), Options{Image: image, Memory: 1 << 20}, "below 16 MiB"},
		{orders(nil), Options{Image: image, Replicas: -1}, "-1 replicas"},
		{orders(nil), Options{Image: image, CPU: -1}, "-1 thousandths"},
		{orders(func(s *service.Service) { s.User = "nobody" }), Options{Image: image}, `user "nobody"`},
	} {
		if _, err := For(tc.svc, tc.opts); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("For: %v, want an error that says %s", err, tc.want)
		}
	}
}

// Whatever the limit, it is a fifth to three tenths above the request.
func TestLimitIsAboveTheRequest(t *testing.T) {
	for limit := int64(16); limit < 5000; limit++ {
		v, err := valuesOf(orders(nil), Options{Image: image, Memory: limit << 20})
		if err != nil {
			t.Fatal(err)
		}
		if over := float64(v.Limit)/float64(v.Request) - 1; v.Limit != limit || over < 0.2 || over > 0.3 {
			t.Errorf("limit %d, request %d: %.0f %% above", v.Limit, v.Request, 100*over)
		}
	}
}
