package page

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"temper/checks"
)

var known = []checks.Rule{
	{Name: "only-executable", Severity: checks.Error, Source: "https://example.com/only?a=b&c", Doc: "the service's binary is the only executable in any layer\n\nWhy it matters,\nin two lines.\n\nHow to comply."},
	{Name: "low-port", Severity: checks.Warning, Source: "https://example.com/ports", Doc: "the image exposes no port below 1024\n\nWhy."},
	{Name: "user", Severity: checks.Error, Doc: "the image runs as a numeric user other than 0"},
	{Name: "static", Severity: checks.Error, Doc: "the binary is static"},
}

const digest = "sha256:8f3c1a52d4d09e1c9c1f0e5b7a6d3f2e1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e"

// image is one that tells everything.
func image(platform string) Platform {
	p := Platform{
		Name: platform, Digest: digest, User: "65532:65532", Workdir: "/srv", Command: []string{"/usr/local/bin/orders", "--config", "/etc/app.yaml"}, Ports: []string{"8080/tcp"},
		Layers: []Layer{{}, {Files: []File{{Path: "/usr/local/bin/orders", Size: 9_400_000}}}, {Files: []File{
			{Path: "/srv/templates/index.html", Size: 212_000}, {Path: "/srv/static/app.css", Size: 480_000}, {Path: "/srv/static/logo.svg", Size: 95_000}, {Path: "/srv/static/robots.txt", Size: 68},
		}}},
		Binary: &Binary{
			Path: "/usr/local/bin/orders", Size: 9_400_000, Go: "go1.26.8",
			Modules: []Module{
				{Kind: Own, Path: "example.com/shop", Bytes: 320_000, Packages: []Part{{"example.com/shop/cmd/orders", 120_000}, {"example.com/shop/store", 200_000}}},
				{Kind: Library, Path: "standard library and runtime", Version: "go1.26.8", Bytes: 2_700_000},
				{Path: "google.golang.org/grpc", Version: "v1.82.1", Bytes: 800_000},
				{Path: "example.com/forked", Version: "v1.2.3", Replaced: "./fork", Bytes: 90_000},
				{Path: "example.com/tables", Version: "v0.1.0"},
				{Kind: Nameless, Path: "of no module", Bytes: 9_000},
			},
			Parts: []Part{{"function table", 2_900_000}, {"types, strings and embedded files", 2_300_000}, {"variables", 281_000}},
		},
	}
	for i := range 400 {
		p.Layers[0].Files = append(p.Layers[0].Files, File{Path: fmt.Sprintf("/usr/share/zoneinfo/Zone%03d", i), Size: int64(200 + 3*i)})
	}
	p.Layers[0].Files = append(p.Layers[0].Files, File{Path: "/etc/old.yaml", Size: 150_000, Hidden: true})
	for i := range p.Binary.Modules[1:2] {
		m := &p.Binary.Modules[1+i]
		for j, pkg := range []string{"runtime", "net/http", "crypto/tls", "reflect", "encoding/json", "fmt", "net", "time"} {
			m.Packages = append(m.Packages, Part{pkg, int64(500_000 / (j + 1))})
		}
	}
	return p
}

// report judges by all rules but static.
func report(service string, findings ...checks.Finding) *checks.Report {
	if findings == nil {
		findings = []checks.Finding{}
	}
	return &checks.Report{Subject: checks.Subject{Name: service, Digest: digest}, Rules: []string{"low-port", "only-executable", "user"}, Findings: findings}
}

func broken3() []checks.Finding {
	return []checks.Finding{
		{Rule: "low-port", Severity: checks.Warning, Place: "config.ExposedPorts", Message: "80/tcp is below 1024", Platform: "linux/amd64"},
		{Rule: "low-port", Severity: checks.Warning, Place: "config.ExposedPorts", Message: "80/tcp is below 1024", Platform: "linux/arm64"},
		{Rule: "only-executable", Severity: checks.Error, Place: "layer 2: /srv/migrate.sh", Message: "it is a script (mode 0755)", Fix: "leave it out, or make it a service of its own",
			Waived: &checks.Waived{Reason: "the migration runs it", Expires: "2027-03-01"}},
		{Rule: "user", Severity: checks.Error, Place: "config.User", Message: `the user "root" is 0`, Fix: "name a numeric user", Imports: []string{"main", "expvar"}},
	}
}

// shop has a service of each kind.
func shop() *Page {
	images := []Platform{image("linux/amd64"), image("linux/arm64")}
	bad := report("orders", broken3()...)
	bad.Notices = []checks.Notice{{Kind: checks.WaiverExpired, Rule: "user", Message: "the waiver expired on 2026-03-01: it was urgent"}}
	base := report("stock", checks.Finding{Rule: "user", Severity: checks.Error, Place: "config.User", Message: "the user is not a number", Baseline: true})
	return &Page{Version: "v1.2.3", Rules: known, Services: []Service{
		{Report: bad, Platforms: images, Provenance: &Provenance{
			Source: "https://github.com/acme/shop", Commit: "5c1f0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e", Dirty: true, Go: "go1.26.8", Chosen: "temper.yaml",
			Base: "builtin", BaseDigest: digest, Builder: "urn:temper:builder:local", Modules: 4,
		}},
		{Report: base, Platforms: []Platform{image("linux/amd64")}},
		{Report: report("web"), Platforms: images, Provenance: &Provenance{Claimed: "On the word of a statement that nobody has signed.", Source: "https://github.com/acme/shop", Go: "go1.26.8"}},
	}}
}

func write(t testing.TB, p *Page) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, p); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// crowd is as large as a page gets: services with two platforms each, that have
// many modules and files.
func crowd(services, modules, files int) *Page {
	p := &Page{Version: "v1.2.3", Rules: known}
	for s := range services {
		one := Service{Report: report(fmt.Sprintf("service-%02d", s), broken3()[:s%2]...), Provenance: &Provenance{Source: "https://github.com/acme/shop", Modules: modules}}
		for _, platform := range []string{"linux/amd64", "linux/arm64"} {
			img := image(platform)
			for i := range files {
				img.Layers[2].Files = append(img.Layers[2].Files, File{Path: fmt.Sprintf("/srv/assets/%s/%04d.json", strings.Repeat("long-", i%9), i), Size: int64(i*i%70_000 + 1)})
			}
			for i := range modules {
				m := Module{Path: fmt.Sprintf("github.com/organisation-%d/module-%d", i%40, i), Version: fmt.Sprintf("v1.%d.0", i), Bytes: int64(900_000 / (i + 1))}
				for j := range 6 {
					m.Packages = append(m.Packages, Part{fmt.Sprintf("%s/package-%d", m.Path, j), m.Bytes / 6})
				}
				img.Binary.Modules = append(img.Binary.Modules, m)
			}
			one.Platforms = append(one.Platforms, img)
		}
		p.Services = append(p.Services, one)
	}
	return p
}
