package engine

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"dagger.io/dagger"
)

// With everything given, nothing is pulled and nobody but the service of
// modules is asked for any; no step that compiles is bound to it.
func TestAirGap(t *testing.T) {
	ctx := context.Background()
	p, e := pipeline(t, Options{})
	host := p.client.Host()
	service := host.Service([]dagger.PortForward{{Frontend: 8081, Backend: 40000}})
	access, err := Access{HTTPProxy: "http://proxy.example.com:3128", NoProxy: "localhost"}.WithGoProxyService(ctx, service)
	if err != nil {
		t.Fatal(err)
	}
	p = New(p.client, p.source, Options{
		Toolchain: p.client.Container().Import(host.File("toolchain.tar")), Temper: host.File("temper"),
		BaseTarball: host.File("base.tar"), Access: access,
	})
	layout, err := p.Layout(ctx, "orders")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := layout.ID(ctx); err != nil {
		t.Fatal(err)
	}
	got := e.golden(t, "airgap")
	if strings.Contains(got, " from(") {
		t.Error("an image is pulled")
	}
	if !strings.Contains(got, `"--base","/base"`) {
		t.Error("the base that was given is not built upon")
	}
	for _, step := range strings.Split(got, "\n\n") {
		fetches := strings.Contains(step, `"/usr/local/bin/temper","fetch"`)
		if strings.Contains(step, "withServiceBinding(alias: \"goproxy\"") != fetches || strings.Contains(step, `"http://goproxy:8081"`) != fetches {
			t.Errorf("a step that fetches=%v and the service of modules:\n%s", fetches, step)
		}
		if fetches && !strings.Contains(step, `name: "NO_PROXY", value: "localhost,goproxy"`) {
			t.Errorf("the service of modules is asked for through a proxy:\n%s", step)
		}
	}
}

// A service of modules has the port that it says or, where nobody asked it, 80.
func TestGoProxyService(t *testing.T) {
	ctx := context.Background()
	p, e := pipeline(t, Options{})
	service := p.client.Host().Service([]dagger.PortForward{{Frontend: 8081, Backend: 40000}})
	said, err := Access{GoProxy: "https://goproxy:8443/go"}.WithGoProxyService(ctx, service)
	if err != nil || said.GoProxy != "https://goproxy:8443/go" || said.GoProxyService == nil {
		t.Errorf("a GOPROXY that is said becomes %q, %v", said.GoProxy, err)
	}
	p.opts.Access = Access{GoProxyService: service}
	mods, err := p.modules()
	if err != nil {
		t.Fatal(err)
	}
	id, err := mods.ID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if step := e.ids[string(id)]; !strings.Contains(step, `withEnvVariable(name: "GOPROXY", value: "http://goproxy")`) {
		t.Errorf("modules are fetched by\n%s", step)
	}
}

// A registry that runs on the engine is not asked for through a proxy, which
// would know nothing of it.
func TestRegistryPastProxy(t *testing.T) {
	ctx := context.Background()
	p, e := pipeline(t, Options{Access: Access{HTTPProxy: "http://proxy.example.com:3128"}})
	registry, err := p.RegistryService()
	if err != nil {
		t.Fatal(err)
	}
	key := Key{Private: p.client.SetSecret("key", "key")}
	if _, err := p.Release(ctx, p.client.Directory(), "registry:5000/shop", Publishing{Key: key, Registry: registry}); err != nil {
		t.Fatal(err)
	}
	public := p.client.Directory().WithNewFile("cosign.pub", "key").File("cosign.pub")
	if _, err := p.Verify(ctx, []string{"registry:5000/shop"}, Trust{Key: public}, registry); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{`"release"`, `"verify"`} {
		if !slices.ContainsFunc(e.log, func(step string) bool {
			return strings.Contains(step, verb) && strings.Contains(step, `name: "NO_PROXY", value: "registry"`)
		}) {
			t.Errorf("the step of %s goes through the proxy:\n%s", verb, strings.Join(e.log, "\n"))
		}
	}
}

// Logins have no place where an engine shows them, and the refusal does not
// repeat them.
func TestNoLoginInAddresses(t *testing.T) {
	for _, access := range []Access{
		{GoProxy: "https://robot:hush@proxy.example.com"},
		{GoProxy: "https://proxy.example.com,https://hush@other.example.com|direct"},
		{GoProxy: "https://robot:hu%sh@proxy.example.com/"},
		{HTTPProxy: "http://robot:hush@proxy.example.com:3128"},
		{HTTPProxy: "robot:hush@proxy.example.com:3128"},
	} {
		p, e := pipeline(t, Options{Access: access})
		_, err := p.Services(context.Background())
		if err == nil || !strings.Contains(err.Error(), "login") || strings.Contains(err.Error(), "hu") {
			t.Errorf("%+v gives %v", access, err)
		}
		if len(e.log) > 0 {
			t.Errorf("%+v: the engine was asked before it was refused", access)
		}
	}
	for _, access := range []Access{
		{GoProxy: "https://proxy.example.com/@v/,direct"}, {GoProxy: "off"}, {HTTPProxy: "http://proxy.example.com:3128/a@b"}, {},
	} {
		if err := access.check(); err != nil {
			t.Errorf("%+v: %v", access, err)
		}
	}
}

// A toolchain that is for another user runs as root: only root can write to
// caches and read what is mounted.
func TestToolchainRunsAsRoot(t *testing.T) {
	ctx := context.Background()
	p, e := pipeline(t, Options{})
	p.opts.Toolchain = p.client.Container().From("registry.example.com/go")
	if _, err := p.Services(ctx); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, step := range append(e.log, slices.Collect(maps.Values(e.ids))...) {
		if !strings.Contains(step, "withExec") {
			continue
		}
		seen++
		if !strings.Contains(step, "withUser(name: \"0\")") {
			t.Errorf("a step runs as another user:\n%s", step)
		}
	}
	if seen == 0 {
		t.Error("no step was seen")
	}
}
