package engine

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLayout(t *testing.T) {
	p, e := pipeline(t, Options{Repository: "shop", Access: Access{GoProxy: "https://proxy.example.com"}, Source: "https://example.com/shop@" + strings.Repeat("a", 40)})
	layout, err := p.Layout(context.Background(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := layout.ID(context.Background()); err != nil {
		t.Fatal(err)
	}
	got := e.golden(t, "layout")
	// The rules that matter, whatever the golden says.
	for _, volume := range []string{"temper:shop:orders:linux-amd64:go1.26.8", "temper:shop:orders:linux-arm64:go1.26.8"} {
		if !strings.Contains(got, volume) {
			t.Errorf("no cache volume is named %s", volume)
		}
	}
	if strings.Contains(got, "shop:stock") {
		t.Error("building orders mounts a cache volume of stock")
	}
}

// Where each service has modules of its own nobody looks at the code to know what goes
// into it; where two share one, or it cannot be told, the code is asked.
func TestServicesApart(t *testing.T) {
	ctx := context.Background()
	apart := strings.NewReplacer(`"inputs": ["cmd/orders", "internal"]`, `"modules": ["lib", "orders"]`, `"inputs": ["."]`, `"modules": ["stock"]`).Replace(twoServices)
	for _, tc := range []struct {
		name, services string
		asked          bool
	}{
		{"their own", apart, false},
		{"one below the other", strings.Replace(apart, `["stock"]`, `["lib/stock"]`, 1), true},
		{"the same", strings.Replace(apart, `["stock"]`, `["lib", "stock"]`, 1), true},
		{"the whole repository", strings.Replace(apart, `["stock"]`, `["."]`, 1), true},
		{"a name beside", strings.Replace(apart, `["stock"]`, `["library"]`, 1), false},
		{"no modules", twoServices, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, e := pipeline(t, Options{})
			e.services = tc.services
			if _, err := p.Layout(ctx, "orders"); err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, id := range e.ids {
				all = append(all, id)
			}
			asked := strings.Join(append(all, e.log...), "\n\n")
			if got := strings.Contains(asked, `"--inputs"`); got != tc.asked {
				t.Errorf("the code is asked: %v, want %v", got, tc.asked)
			}
			if narrowed := strings.Contains(asked, `"temper.yaml","lib","orders","*[Ll]`); !tc.asked && !narrowed {
				t.Error("the build of orders sees other sources than those of its modules and the licences")
			}
			if strings.Contains(asked, `"temper.yaml","stock"`) {
				t.Error("the build of orders sees the sources of stock")
			}
		})
	}
	p, e := pipeline(t, Options{})
	e.services, e.outline = apart, 1
	if _, err := p.Layout(ctx, "orders"); err != nil {
		t.Fatal(err)
	}
	if asked := strings.Join(e.log, "\n"); !strings.Contains(asked, `"--inputs"`) {
		t.Error("where temper.yaml alone does not tell, the code is not asked")
	}
}

func TestReleaseKeepsSecretsOutOfArguments(t *testing.T) {
	p, e := pipeline(t, Options{})
	const plain = "do not show me"
	key := Key{p.client.SetSecret("key", plain), p.client.SetSecret("key-password", plain)}
	registry, err := p.RegistryService()
	if err != nil {
		t.Fatal(err)
	}
	registry.Username, registry.Password = "robot", p.client.SetSecret("password", plain)
	refs, err := p.Release(context.Background(), p.client.Directory(), "registry:5000/shop", Publishing{Key: key, Tags: []string{"v1"}, Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"reg/orders@sha256:1", "reg/stock@sha256:2"}, refs); diff != "" {
		t.Errorf("released (-want +got):\n%s", diff)
	}
	got := e.golden(t, "release")
	for _, line := range strings.Split(got, "\n") {
		if strings.Contains(line, plain) && !strings.HasPrefix(strings.TrimSpace(line), "setSecret(") {
			t.Errorf("a secret is in plain sight: %s", line)
		}
	}
	if !strings.Contains(got, "TEMPER_ASKED_AT") {
		t.Error("the step can be answered from a cache")
	}
}

// Finished images are checked and released by the waivers that are given; the
// other tests give none.
func TestWaivers(t *testing.T) {
	ctx := context.Background()
	p, e := pipeline(t, Options{})
	p.opts.Waivers = p.client.Directory().WithNewFile("temper.yaml", "waive: []").File("temper.yaml")
	if _, err := p.Check(ctx, p.client.Directory()); err != nil {
		t.Fatal(err)
	}
	key := Key{Private: p.client.SetSecret("key", "key")}
	if _, err := p.Release(ctx, p.client.Directory(), "reg/shop", Publishing{Key: key}); err != nil {
		t.Fatal(err)
	}
	got := e.golden(t, "waivers")
	for _, verb := range []string{"check", "release"} {
		if !regexp.MustCompile(`"` + verb + `",[^\]]*"--waivers","/waivers/temper.yaml"`).MatchString(got) {
			t.Errorf("%s is not told of the waivers", verb)
		}
	}
}

func TestVerify(t *testing.T) {
	p, e := pipeline(t, Options{})
	key := p.client.Directory().WithNewFile("cosign.pub", "key").File("cosign.pub")
	if _, err := p.Verify(context.Background(), []string{"reg/orders:v1"}, Trust{Key: key}, Registry{}); err != nil {
		t.Fatal(err)
	}
	policy := p.client.Directory().WithNewFile(PolicyName, "signers: [{key: cosign.pub}]").WithNewFile("cosign.pub", "key")
	if _, err := p.Verify(context.Background(), []string{"reg/orders:v1"}, Trust{Policy: policy, Recheck: true}, Registry{}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Verify(context.Background(), []string{"reg/orders:v1"}, Trust{Key: key, Annotations: []string{"approved=yes", "by=qa"}}, Registry{}); err != nil {
		t.Fatal(err)
	}
	if got := e.golden(t, "verify"); !strings.Contains(got, "TEMPER_ASKED_AT") {
		t.Error("the step can be answered from a cache")
	}
}

// All services are built side by side, each on its own volumes; what is wrong
// with several is told together.
func TestLayouts(t *testing.T) {
	ctx := context.Background()
	p, e := pipeline(t, Options{})
	built, err := p.Layouts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(built) != 2 || built[0].Name != "orders" || built[1].Name != "stock" {
		t.Errorf("Layouts = %v", built)
	}
	e.exit, e.stderr = 3, "1 error\n"
	var no *NoError
	if _, err := p.Layouts(ctx); !errors.As(err, &no) || err.Error() != "1 error" {
		t.Errorf("broken rules give %v, want a NoError with the findings", err)
	}
	if _, err := p.Layouts(ctx, "orders", "order", "stocks"); errors.As(err, &no) || err == nil ||
		!strings.Contains(err.Error(), "1 error") || !strings.Contains(err.Error(), `"order"`) || !strings.Contains(err.Error(), `"stocks"`) {
		t.Errorf("broken rules and wrong names give %v, want all of it", err)
	}
}

// What a layout is made into: each is a step of temper's that sees the layout
// read-only, and no cache of any service.
func TestOutputs(t *testing.T) {
	ctx := context.Background()
	p, e := pipeline(t, Options{})
	layout := p.client.Directory()
	if _, err := p.Binary(ctx, layout, "linux/arm64"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.SBOM(ctx, layout, "cyclonedx", "linux/amd64"); err != nil {
		t.Fatal(err)
	}
	for _, format := range []Format{JSON, SARIF, HTML, Text} {
		file, err := p.ReportFile(ctx, layout, format)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.ID(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.golden(t, "outputs"); strings.Contains(got, "cacheVolume(name: \"temper:") {
		t.Error("looking at a layout mounts a service's cache")
	}
	if _, err := p.ReportFile(ctx, layout, "pdf"); err == nil || !strings.Contains(err.Error(), "json, sarif, html and text") {
		t.Errorf("an unknown format gives %v", err)
	}
	e.exit, e.stderr = 3, "orders: 1 error\n"
	for _, format := range []Format{JSON, SARIF, HTML, Text} {
		if _, err := p.ReportFile(ctx, layout, format); err != nil {
			t.Errorf("the %s report of an image that breaks a rule: %v", format, err)
		}
	}
	e.exit, e.stderr = 1, "no such layout\n"
	if _, err := p.ReportFile(ctx, layout, Text); err == nil || err.Error() != "no such layout" {
		t.Errorf("a report of what cannot be read gives %v", err)
	}
}

// A failing rule shows the findings, a compile error the compiler's words, and
// neither an exit code nor a stack.
func TestFailingWell(t *testing.T) {
	ctx := context.Background()
	p, e := pipeline(t, Options{})
	e.exit, e.stderr = 3, "orders: 1 error\n"
	_, err := p.Layout(ctx, "orders")
	var no *NoError
	if !errors.As(err, &no) || err.Error() != "orders: 1 error" {
		t.Errorf("a broken rule gives %v, want a NoError with the findings", err)
	}
	if _, err := p.LayoutAnyway(ctx, "orders"); err != nil {
		t.Errorf("LayoutAnyway of an image that breaks a rule: %v", err)
	}
	e.exit, e.stderr = 1, "./main.go:3:1: undefined: x\n"
	if _, err := p.LayoutAnyway(ctx, "orders"); errors.As(err, &no) || err == nil || err.Error() != "./main.go:3:1: undefined: x" {
		t.Errorf("a compile error gives %v", err)
	}
	if _, err := p.Layout(ctx, "order"); err == nil || !strings.Contains(err.Error(), "orders, stock") {
		t.Errorf("a wrong name gives %v, want it to list the right ones", err)
	}
	if _, err := p.Release(ctx, p.client.Directory(), "reg/shop", Publishing{}); err == nil || !strings.Contains(err.Error(), "temper keygen") {
		t.Errorf("a release without a key gives %v", err)
	}
	if _, err := New(p.client, p.source, Options{}).Layout(ctx, "orders"); err == nil {
		t.Error("a pipeline without temper builds")
	}
}

// Credentials reach the step that fetches modules, as mounts, and no other.
func TestAccess(t *testing.T) {
	ctx := context.Background()
	p, e := pipeline(t, Options{})
	const plain = "machine git.example.com password"
	p.opts.Access = Access{
		GoPrivate: "git.example.com/team, *.corp.example.com, git.example.com/other",
		NetRC:     p.client.SetSecret("netrc", plain),
		SSH:       p.client.Host().UnixSocket("/agent"),
		HTTPProxy: "http://proxy.example.com:3128",
		NoProxy:   "localhost",
	}
	layout, err := p.Layout(ctx, "orders")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := layout.ID(ctx); err != nil {
		t.Fatal(err)
	}
	got := e.golden(t, "access")
	for _, step := range strings.Split(got, "\n\n") {
		fetches := strings.Contains(step, `"/usr/local/bin/temper","fetch"`)
		compiles := strings.Contains(step, "./pipeline/cmd/temper") // temper itself, through a proxy that may want a login
		for _, secret := range []string{"withMountedSecret", "withUnixSocket", "GIT_CONFIG_KEY_0"} {
			if has := fetches || compiles && secret == "withMountedSecret"; strings.Contains(step, secret) != has {
				t.Errorf("a step that fetches=%v has %s:\n%s", fetches, secret, step)
			}
		}
		if strings.Contains(step, "GIT_CONFIG_KEY_1") {
			t.Errorf("a host is named that no pattern writes out, or one twice:\n%s", step)
		}
		for _, line := range strings.Split(step, "\n") {
			if strings.Contains(line, plain) && !strings.HasPrefix(strings.TrimSpace(line), "setSecret(") {
				t.Errorf("a secret is in plain sight: %s", line)
			}
		}
	}
}

// No two services share a cache volume, nor do two platforms, Go releases or
// repositories of one.
func TestVolume(t *testing.T) {
	p, _ := pipeline(t, Options{})
	named, _ := pipeline(t, Options{Repository: "shop"})
	lane, _ := pipeline(t, Options{Lane: "release"})
	a := &Service{Name: "a", Module: "example.com/one", Go: "go1.26.8"}
	seen := make(map[string]bool)
	for _, volume := range []string{
		p.Volume(a, "linux/amd64"),
		p.Volume(a, "linux/arm64"),
		p.Volume(&Service{Name: "b", Module: a.Module, Go: a.Go}, "linux/amd64"),
		p.Volume(&Service{Name: "a", Module: "example.com/two", Go: a.Go}, "linux/amd64"),
		p.Volume(&Service{Name: "a", Module: a.Module, Go: "go1.26.9"}, "linux/amd64"),
		named.Volume(a, "linux/amd64"),
		lane.Volume(a, "linux/amd64"),
		p.Volume(&Service{Name: "a", Module: a.Module, Go: a.Go + ":lane:release"}, "linux/amd64"),
	} {
		if seen[volume] {
			t.Errorf("two have the volume %s", volume)
		}
		seen[volume] = true
	}
}
