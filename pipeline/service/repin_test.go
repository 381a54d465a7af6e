package service

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

const (
	pinned = "cgr.dev/chainguard/static:latest@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	newer  = "cgr.dev/chainguard/static:latest@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestRepin(t *testing.T) {
	google := &Signer{Identity: "keyless@example.com", Issuer: "https://accounts.google.com"}
	for _, tc := range []struct {
		name, in string
		signer   *Signer
		// want is in, with PINNED replaced, or part of the error.
		want, err string
	}{
		{name: "text", in: "# ours\nbase: PINNED # pinned\n\nservices: [{name: a}]\n"},
		{name: "single quotes", in: "base: 'PINNED'\n"},
		{name: "double quotes", in: "services:\n- name: a\n\"base\" : \"PINNED\" # x\n"},
		{name: "no end of line", in: "go: 1.26.8\nbase: PINNED"},
		{name: "line ends of DOS", in: "go: 1.26.8\r\nbase:   PINNED\r\nplatforms: [linux/amd64]\r\n"},
		{name: "a map", in: "base:\n    # who signs\n    identity: a@example.com\n    image: PINNED\n    issuer: https://a.example\n"},
		{name: "a map on one line", in: "base: { image: PINNED , key: base.pub }\n"},
		{name: "the same text elsewhere", in: "# base: PINNED\nrelease: {tags: [PINNED]}\nbase: PINNED\n# PINNED\n", want: "# base: PINNED\nrelease: {tags: [PINNED]}\nbase: " + newer + "\n# PINNED\n"},
		{name: "characters of several bytes", in: "{\"ü\u20ac\": 1, base: PINNED}\n"},
		{name: "a whole document in braces", in: "{base: PINNED, services: [{name: a}]}"},
		{name: "an anchor", in: "base: &b PINNED\n"},
		{name: "the next line", in: "base:\n  PINNED\n"},
		{name: "a signer", in: "base: distroless # Google's\n", signer: google,
			want: "base: {image: " + newer + ", identity: keyless@example.com, issuer: https://accounts.google.com} # Google's\n"},
		{name: "a signer, for what was in quotes", in: "base: \"distroless\"\n", signer: google,
			want: "base: {image: " + newer + ", identity: keyless@example.com, issuer: https://accounts.google.com}\n"},

		{name: "no base", in: "go: 1.26.8\n", err: "temper.yaml has no base; write base: " + newer},
		{name: "nothing", in: "", err: "temper.yaml has no base"},
		{name: "no image", in: "base: {key: a}\n", err: "temper.yaml has no image in its base"},
		{name: "an alias", in: "created: &b PINNED\nbase: *b\n", err: "temper.yaml:2:7: the base does not stand here in one piece; write it by hand: " + newer},
		{name: "an anchor that is used", in: "base: &b PINNED\nrelease: {tags: [*b]}\n", err: "temper.yaml:1:7: the base cannot be changed without changing more"},
		{name: "a block", in: "base: >-\n  PINNED\n", err: "temper.yaml:1:7: the base does not stand here in one piece"},
		{name: "escapes", in: "base: \"\\x63gr.dev/chainguard/static@sha256:aa\"\n", err: "in one piece"},
		{name: "two pieces", in: "base: \"cgr.dev/a\n  b\"\n", err: "in one piece"},
		{name: "a signer for a map", in: "base: {image: distroless}\n", signer: google, err: "temper.yaml:1:7: base is a map already; write it by hand"},
		{name: "no YAML", in: "base: [\n", err: "temper.yaml:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := strings.ReplaceAll(tc.in, "PINNED", pinned)
			got, err := Repin([]byte(in), newer, tc.signer)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("err is %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(in, pinned, newer)
			if tc.want != "" {
				want = strings.ReplaceAll(tc.want, "PINNED", pinned)
			}
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("temper.yaml (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzRepin holds any configuration against what Repin promises: what it writes
// has the base, and is the same but for one stretch.
func FuzzRepin(f *testing.F) {
	cases, err := filepath.Glob("testdata/base-*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range cases {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, entry := range archive.Files {
			if entry.Name == ConfigName {
				f.Add(entry.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Repin(data, newer, nil)
		if err != nil {
			return
		}
		r := &Repository{}
		r.decode(got) // what else is wrong with it is as it was
		if r.Base != newer && !strings.Contains(string(got), newer) {
			t.Errorf("the base of %q is %q", got, r.Base)
		}
		if again, err := Repin(got, newer, nil); err != nil || string(again) != string(got) {
			t.Errorf("once more: %q, %v", again, err)
		}
	})
}
