package evidence

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	spdxjson "github.com/spdx/tools-golang/json"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
	"github.com/spdx/tools-golang/spdxlib"
	"github.com/spdx/tools-golang/utils"

	"temper/checks"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// hash is a digest that says who it is.
func hash(digit string) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: strings.Repeat(digit, 64)}
}

// built are the images of one service for two platforms, as a build that took
// one module from a fork and one from the vendor folder leaves them.
func built() (Base, Known, []Image) {
	info := &debug.BuildInfo{
		GoVersion: "go1.26.8",
		Path:      "example.com/shop/cmd/orders",
		Main:      debug.Module{Path: "example.com/shop", Version: "(devel)"},
		Deps: []*debug.Module{
			{Path: "example.com/vendored", Version: "v1.2.3"},
			{Path: "example.com/original", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/fork", Version: "v1.0.1", Sum: "h1:fork="}},
			{Path: "example.com/lib", Version: "v0.0.0", Replace: &debug.Module{Path: "../lib", Version: "(devel)"}},
			{Path: "example.com/mine", Version: "v0.0.0", Replace: &debug.Module{Path: "/home/me/mine"}},
			{Path: "github.com/a/b+c", Version: "v0.0.0-20260102030405-0123456789ab+incompatible", Sum: "h1:odd="},
		},
	}
	image := func(platform, digit string) Image {
		binary := File{Path: "/usr/local/bin/orders", Digest: hash(digit), SHA1: strings.Repeat(digit, 40)}
		return Image{
			Platform: platform, Digest: hash(digit),
			Executables: []Executable{{File: binary, Go: info}},
			Files:       []File{{Path: "/srv/page.html", Digest: hash("c"), SHA1: strings.Repeat("c", 40)}, binary},
			BaseFiles:   []File{{Path: "/etc/passwd", Digest: hash("d"), SHA1: strings.Repeat("d", 40)}},
			Packages: []Package{
				{Name: "debian", Version: "13", System: true},
				{Name: "libc6", Version: "2.41-12", URL: "pkg:deb/debian/libc6@2.41-12?arch=" + strings.TrimPrefix(platform, "linux/") + "&distro=debian-13", Origin: "glibc"},
				{Name: "tzdata", Version: "2025c", URL: "pkg:generic/tzdata@2025c", License: "CC0-1.0"},
				{Name: "example.com/roots", Version: "v1.0.0", URL: "pkg:golang/example.com/roots@v1.0.0"},
			},
		}
	}
	known := Known{
		Sums: ParseGoSum([]byte("example.com/vendored v1.2.3 h1:vendored=\nexample.com/vendored v1.2.3/go.mod h1:mod=\nbroken line\n")),
		Licenses: map[string]string{
			"example.com/shop (devel)": "Apache-2.0", "example.com/vendored v1.2.3": "MIT", "example.com/lib": "BSD-3-Clause AND MIT",
			"stdlib 1.26.8": "BSD-3-Clause", "example.com/original v1.0.0": "ISC",
		},
	}
	return Base{Name: "builtin", Digest: hash("b")}, known, []Image{image("linux/amd64", "1"), image("linux/arm64", "2")}
}

// golden compares what is said with what was said before.
func golden(t *testing.T, name string, v any) []byte {
	t.Helper()
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
	return got
}

func TestSBOM(t *testing.T) {
	base, known, images := built()
	doc, err := SBOM("orders", hash("0"), base, known, images...)
	if err != nil {
		t.Fatal(err)
	}
	raw := golden(t, "sbom", doc)

	// Who reads SPDX reads this, and finds every relationship's ends.
	read, err := spdxjson.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("SPDX's own reader: %v", err)
	}
	if err := spdxlib.ValidateDocument(read); err != nil {
		t.Errorf("SPDX's own validation: %v", err)
	}
	// And comes to the same verification codes.
	codes := 0
	for _, p := range doc.Packages {
		if !p.FilesAnalyzed {
			continue
		}
		codes++
		var files []*spdx.File
		for _, r := range doc.Relationships {
			for _, f := range doc.Files {
				if r.RefA.ElementRefID == p.PackageSPDXIdentifier && r.Relationship == "CONTAINS" && r.RefB.ElementRefID == f.FileSPDXIdentifier {
					files = append(files, f)
				}
			}
		}
		want, err := utils.GetVerificationCode(files, "")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&want, p.PackageVerificationCode); diff != "" {
			t.Errorf("verification code of %s (-want +got):\n%s", p.PackageSPDXIdentifier, diff)
		}
	}
	if codes != 3 {
		t.Errorf("%d packages have a verification code, want the base and two images", codes)
	}
}

// Both formats name the same modules, and are held against the binaries alike.
func TestDescribes(t *testing.T) {
	base, known, images := built()
	spdxDoc, err := SBOM("orders", hash("0"), base, known, images...)
	if err != nil {
		t.Fatal(err)
	}
	cdxDoc, err := CycloneDXBOM("orders", hash("0"), base, known, images...)
	if err != nil {
		t.Fatal(err)
	}
	for predicateType, doc := range map[string]any{SPDX: spdxDoc, CycloneDX: cdxDoc} {
		t.Run(predicateType, func(t *testing.T) {
			s, err := State(predicateType, doc, "orders", hash("0"))
			if err != nil {
				t.Fatal(err)
			}
			modules, err := s.Modules()
			if err != nil {
				t.Fatal(err)
			}
			want := []string{
				"example.com/shop (devel)", "example.com/vendored v1.2.3", "example.com/fork v1.0.1",
				"example.com/lib", "example.com/mine",
				"github.com/a/b+c v0.0.0-20260102030405-0123456789ab+incompatible",
			}
			if diff := cmp.Diff(want, modules); diff != "" {
				t.Errorf("modules in the SBOM (-want +got):\n%s", diff)
			}
			if err := s.Describes(images...); err != nil {
				t.Errorf("the SBOM does not describe its images: %v", err)
			}
			info := *images[0].Executables[0].Go
			other := Image{Executables: []Executable{{Go: &info}}}
			info.Deps = append([]*debug.Module{{Path: "example.com/hidden", Version: "v1.0.0"}}, info.Deps...)
			if err := s.Describes(other); err == nil || !strings.Contains(err.Error(), "does not name the module example.com/hidden v1.0.0") {
				t.Errorf("the SBOM of another binary: %v", err)
			}
			info.Deps = info.Deps[2:]
			if err := s.Describes(other); err == nil || !strings.Contains(err.Error(), "names the module example.com/vendored v1.2.3, which is not") {
				t.Errorf("an SBOM that says too much: %v", err)
			}
		})
	}
	s, err := State(Provenance, struct{}{}, "orders", hash("0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Describes(images...); err == nil || !strings.Contains(err.Error(), "want "+SPDX) {
		t.Errorf("a provenance as an SBOM: %v", err)
	}
}

// The SBOM of one platform names no other, one of nothing is none, and two that
// say different things have different names.
func TestSBOMOfOne(t *testing.T) {
	base, known, images := built()
	one, err := SBOM("orders", images[0].Digest, base, known, images[0])
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := json.Marshal(one); err != nil || bytes.Contains(raw, []byte(images[1].Digest.Hex)) {
		t.Errorf("the SBOM of one image names the other: %v", err)
	}
	if _, err := SBOM("orders", hash("0"), base, known); err == nil {
		t.Error("an SBOM of no image is made")
	}
	less, err := SBOM("orders", images[0].Digest, base, Known{Sums: known.Sums}, images[0])
	if err != nil {
		t.Fatal(err)
	}
	if less.DocumentNamespace == one.DocumentNamespace {
		t.Errorf("two documents are named %s", one.DocumentNamespace)
	}
	// Without a base everything is the image's own.
	alone, err := SBOM("orders", images[0].Digest, Base{}, Known{}, images[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range alone.Relationships {
		if r.Relationship == "CONTAINS" && r.RefA.ElementRefID != alone.Packages[0].PackageSPDXIdentifier {
			t.Errorf("%s contains %s", r.RefA.ElementRefID, r.RefB.ElementRefID)
		}
	}
}

// What nobody could read is said to be missing.
func TestUnread(t *testing.T) {
	base, known, images := built()
	images[0].Unread = []string{"/var/lib/rpm/rpmdb.sqlite"}
	doc, err := SBOM("orders", hash("0"), base, known, images...)
	if err != nil {
		t.Fatal(err)
	}
	if want := "not complete: nobody could read the packages in /var/lib/rpm/rpmdb.sqlite"; doc.DocumentComment != want {
		t.Errorf("the document says %q, want %q", doc.DocumentComment, want)
	}
	bom, err := CycloneDXBOM("orders", hash("0"), base, known, images...)
	if err != nil {
		t.Fatal(err)
	}
	if bom.Compositions == nil || (*bom.Compositions)[0].Aggregate != cdx.CompositionAggregateIncomplete {
		t.Errorf("the compositions are %v, want an incomplete one", bom.Compositions)
	}
}

// Parts that a stranger has made so that their identifiers begin alike are
// still two.
func TestIdentifiersDiffer(t *testing.T) {
	b := &bill{known: make(map[[32]byte]*part), ids: make(map[string]bool)}
	one := part{kind: module, name: "example.com/one", version: "v1.0.0"}
	sum := one.sum256()
	b.ids[one.idOf(sum[:6])] = true // of another
	if got := b.add(one); got.id != one.idOf(sum[:]) || b.add(one) != got {
		t.Errorf("the identifier is %s", got.id)
	}
}

func TestPURL(t *testing.T) {
	for want, got := range map[string]string{
		"pkg:golang/github.com/a/b%2Bc@v1.0.0%2Bincompatible":    Module{Path: "github.com/a/b+c", Version: "v1.0.0+incompatible"}.purl(),
		"pkg:golang/example.com/shop":                            Module{Path: "example.com/shop", Version: "(devel)"}.purl(),
		"pkg:golang/odd%20%22path%22%0A%3Fa%3Db%23c":             Module{Path: "odd \"path\"\n?a=b#c"}.purl(),
		"pkg:deb/debian/a@1:2~3-4%2Bb?arch=amd64&upstream=b%401": PURL("deb", "debian/a", "1:2~3-4+b", [2]string{"arch", "amd64"}, [2]string{"distro", ""}, [2]string{"upstream", "b@1"}),
	} {
		if got != want {
			t.Errorf("purl is %s, want %s", got, want)
		}
	}
}

func TestCycloneDX(t *testing.T) {
	base, known, images := built()
	doc, err := CycloneDXBOM("orders", hash("0"), base, known, images...)
	if err != nil {
		t.Fatal(err)
	}
	raw := golden(t, "cyclonedx", doc)
	var read cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(raw), cdx.BOMFileFormatJSON).Decode(&read); err != nil {
		t.Fatalf("CycloneDX's own reader: %v", err)
	}
	refs := map[string]bool{read.Metadata.Component.BOMRef: true}
	for _, c := range *read.Components {
		if refs[c.BOMRef] {
			t.Errorf("two components are %s", c.BOMRef)
		}
		refs[c.BOMRef] = true
	}
	for _, d := range *read.Dependencies {
		for _, ref := range append(*d.Dependencies, d.Ref) {
			if !refs[ref] {
				t.Errorf("%s is in the graph and is no component", ref)
			}
		}
	}
}

func build(started time.Time) Build {
	base, known, _ := built()
	return Build{
		Parameters: map[string]any{"service": "orders", "platforms": []string{"linux/amd64", "linux/arm64"}},
		Source:     Source{URI: "https://example.com/shop", Commit: strings.Repeat("c", 40), Dirty: true},
		Go:         "go1.26.8", Chosen: "go.mod", Toolchain: "h1:dG9vbGNoYWlu",
		Base: base, Sums: known.Sums, Version: "devel",
		Started: started, Finished: started.Add(time.Minute),
	}
}

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func TestProvenance(t *testing.T) {
	_, _, images := built()
	golden(t, "provenance", ProvenanceOf(build(noon), images...))

	// What is not known is not claimed.
	unknown := build(noon)
	unknown.Source = Source{}
	for _, d := range ProvenanceOf(unknown, images...).BuildDefinition.ResolvedDependencies {
		if d.Name == "source" {
			t.Errorf("a build of unknown source claims %+v", d)
		}
	}
}

func TestSameBuild(t *testing.T) {
	_, _, images := built()
	state := func(change func(*Build), about ...v1.Hash) *Statement {
		b := build(noon)
		change(&b)
		s, err := State(Provenance, ProvenanceOf(b, images...), "orders", about...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := state(func(*Build) {}, hash("0"))
	for _, test := range []struct {
		name  string
		other *Statement
		want  bool
	}{
		{"at another time", state(func(b *Build) { b.Started, b.Finished = noon.Add(time.Hour), noon.Add(2*time.Hour) }, hash("0")), true},
		{"of another commit", state(func(b *Build) { b.Source.Commit = strings.Repeat("d", 40) }, hash("0")), false},
		{"of a clean tree", state(func(b *Build) { b.Source.Dirty = false }, hash("0")), false},
		{"with another Go", state(func(b *Build) { b.Go = "go1.26.9" }, hash("0")), false},
		{"about another image", state(func(*Build) {}, hash("9")), false},
	} {
		got, err := SameBuild(first, test.other)
		if err != nil {
			t.Fatal(err)
		}
		if got != test.want {
			t.Errorf("%s: SameBuild = %v, want %v", test.name, got, test.want)
		}
	}
}

func TestReportOutcomes(t *testing.T) {
	find := func(rule string, s checks.Severity) checks.Finding {
		return checks.Finding{Rule: rule, Severity: s, Place: "here", Message: "bad"}
	}
	for _, test := range []struct {
		name     string
		findings []checks.Finding
		want     testResult
	}{
		{"clean", nil, testResult{Result: "PASSED", PassedTests: []string{"a", "b"}, WarnedTests: []string{}, FailedTests: []string{}}},
		{"a warning", []checks.Finding{find("a", checks.Warning)},
			testResult{Result: "WARNED", PassedTests: []string{"b"}, WarnedTests: []string{"a"}, FailedTests: []string{}}},
		{"both", []checks.Finding{find("a", checks.Warning), find("b", checks.Error)},
			testResult{Result: "FAILED", PassedTests: []string{}, WarnedTests: []string{"a"}, FailedTests: []string{"b"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &checks.Report{Subject: checks.Subject{Name: "orders", Digest: hash("0").String()}, Rules: []string{"a", "b"}, Findings: test.findings}
			s, err := StateReport(r)
			if err != nil {
				t.Fatal(err)
			}
			var got testResult
			if err := s.decode(TestResult, &got); err != nil {
				t.Fatal(err)
			}
			got.Report, got.Configuration = nil, nil
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("test result (-want +got):\n%s", diff)
			}
			back, err := s.Report()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(r, back); diff != "" {
				t.Errorf("report read back (-want +got):\n%s", diff)
			}
			if !s.About(hash("0")) {
				t.Error("the statement is not about the report's subject")
			}
		})
	}
	if _, err := StateReport(&checks.Report{Subject: checks.Subject{Digest: "none"}}); err == nil {
		t.Error("a report about nothing is stated")
	}
}
