package evidence

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Origin reads what ProvenanceOf writes.
func TestOrigin(t *testing.T) {
	_, _, images := built()
	b := build(noon)
	b.Signed = Signer{Identity: "a@acme.com", Issuer: "https://acme.com"}
	s, err := State(Provenance, ProvenanceOf(b, images...), "orders", images[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := s.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Parse(raw); err != nil {
		t.Fatal(err)
	}
	got, err := s.Origin()
	if err != nil {
		t.Fatal(err)
	}
	want := &Origin{
		BuildType: BuildType, Builder: LocalBuilder, Version: "devel", Service: "orders", Source: b.Source,
		Parameters: map[string]any{"service": "orders", "platforms": []any{"linux/amd64", "linux/arm64"}},
		Go:         b.Go, Toolchain: "dirHash:" + b.Toolchain,
		Base: b.Base, Signed: b.Signed, Finished: noon.Add(time.Minute),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Origin (-want +got):\n%s", diff)
	}
	if want, got := "git+https://example.com/shop@"+strings.Repeat("c", 40)+" (with changes that were not committed)", got.Source.String(); got != want {
		t.Errorf("the source is %q, want %q", got, want)
	}
}

// What a provenance does not say is empty, and what is none is an error.
func TestOriginOfLittle(t *testing.T) {
	s, err := State(Provenance, map[string]any{}, "orders", hash("1"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Origin(); err != nil || !reflect.DeepEqual(got, &Origin{}) {
		t.Errorf("Origin: %+v, %v", got, err)
	}
	s.PredicateType = SPDX
	if got, err := s.Origin(); err == nil {
		t.Errorf("Origin of an SBOM: %+v", got)
	}
}

func TestRepeatable(t *testing.T) {
	const whole = `{"buildDefinition": {"buildType": "urn:temper:build-type:go-image:v1", "externalParameters": {}, "resolvedDependencies": [
		{"name": "source", "digest": {"gitCommit": "0123456789012345678901234567890123456789"}},
		{"name": "base", "uri": "builtin", "digest": {"sha256": "0123456789012345678901234567890123456789012345678901234567890123"}},
		{"name": "go", "uri": "pkg:golang/toolchain@1.26.8"},
		{"name": "source", "uri": "pkg:golang/source"}]}, "runDetails": {"builder": {"id": ""}}}`
	const changes = "it was built from changes that are in no commit"
	for _, test := range []struct{ old, new, want string }{
		{"", "", ""},
		{`"source", "digest"`, `"source", "annotations": {"dirty": false}, "digest"`, ""},
		{`"source", "digest"`, `"source", "annotations": {"dirty": true}, "digest"`, changes},
		{`"source", "digest"`, `"source", "annotations": {"dirty": "false"}, "digest"`, changes},
		{`"source", "digest"`, `"source", "annotations": {"dirty": null}, "digest"`, changes},
		{"go-image:v1", "go-image:v2", `its build type is "urn:temper:build-type:go-image:v2"`},
		{"urn:temper:build-type:go-image:v1", "", `its build type is ""`},
		{`"gitCommit": "0123`, `"gitCommit": "--`, "which is no full hash"},
		{`"gitCommit"`, `"sha1"`, "it names no commit"},
		{`"sha256": "0`, `"sha256": "x`, `its base "builtin" has no digest`},
		{`"sha256"`, `"sha512"`, `its base "builtin" has no digest`},
		{"toolchain@1.26.8", "toolchain", "it names no Go release"},
	} {
		s := &Statement{PredicateType: Provenance, Predicate: json.RawMessage(strings.Replace(whole, test.old, test.new, 1))}
		o, err := s.Origin()
		if err != nil {
			t.Fatal(err)
		}
		err = o.Repeatable()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s for %s: error %v, want %q", test.new, test.old, err, test.want)
		}
	}
}
