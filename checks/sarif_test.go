package checks

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is written into testdata")

// reports are of all kinds: what counts, what is advice, waived and known, and
// notices.
func reports(t *testing.T) []*Report {
	t.Helper()
	now := moment(t, "2027-01-01T00:00:00Z")
	waived, err := Waive(odd(t), []Waiver{{Rule: "even", Subject: "n", Reason: "it was born odd", Expires: "2027-03-01"}, {Rule: "prime", Subject: "n", Reason: "r", Expires: "2026-03-01"}}, now)
	if err != nil {
		t.Fatal(err)
	}
	old := odd(t)
	old.Subject = Subject{Name: "old"}
	known := NewBaseline(old, &Report{Subject: old.Subject, Findings: []Finding{{Rule: "small", Place: "elsewhere", Message: "it was large"}}})
	fresh := odd(t)
	fresh.Subject = Subject{Name: "localhost:5000/a b/n@sha256:" + strings.Repeat("0a", 32)}
	return []*Report{waived, known.Mark(old), fresh}
}

func describedRules() []Rule {
	described := even.Rule
	described.Doc = "the number is even\n\nWhy not: an odd_number is <odd>.\n\nBuild with \"-tags *even*\", all [two] of them."
	described.Source = "https://example.com/even?a=b&c"
	return []Rule{described, small.Rule}
}

func inTree(s Subject) Origin {
	if s.Name == "n" {
		return Origin{File: "services/my shop/temper.yaml", Line: 7, Root: "services/my shop"}
	}
	return Origin{}
}

// The file is held against the schema of SARIF by tools/sarif, which is a module
// of its own.
func TestWriteSARIF(t *testing.T) {
	var got bytes.Buffer
	if err := WriteSARIF(&got, "v1.2.3", describedRules(), reports(t), inTree); err != nil {
		t.Fatal(err)
	}
	const file = "testdata/report.sarif"
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("SARIF (-want +got):\n%s", diff)
	}
	if err := WriteSARIF(&got, "v1.2.3", nil, reports(t), inTree); err == nil {
		t.Error("a finding of a rule that nothing describes: no error")
	}
}

// Code scanning keeps an alert as long as its fingerprint and file stay.
func TestFingerprintsStay(t *testing.T) {
	digest := func(hex string) string { return "sha256:" + strings.Repeat(hex, 32) }
	a := found("r@"+digest("0a"), "layer 1: /bin/sh", "layer 1: /bin/ash")
	b := found("r@"+digest("0b"), "layer 4: /bin/sh", "layer 3: /bin/ash")
	print := func(r *Report, place string) string {
		for _, f := range r.Findings {
			if strings.HasSuffix(f.Place, place) {
				return r.fingerprint(f)
			}
		}
		t.Fatalf("nothing was found at %s", place)
		return ""
	}
	if print(a, "/sh") != print(b, "/sh") {
		t.Error("the fingerprint changes with the layer or the digest")
	}
	if print(a, "/sh") == print(a, "/ash") {
		t.Error("two findings have one fingerprint")
	}
	if got, want := artifact(a.Subject, ""), "r@sha256"; got != want || got != artifact(b.Subject, "") {
		t.Errorf("the image is called %s, want %s", got, want)
	}
}

func TestWriteGitHub(t *testing.T) {
	var got bytes.Buffer
	for _, r := range reports(t) {
		if err := WriteGitHub(&got, r, inTree); err != nil {
			t.Fatal(err)
		}
	}
	sly := &Report{Subject: Subject{Name: "n"}, Rules: []string{"even"}, Findings: []Finding{
		{Rule: "even", Severity: Error, Place: "/a\r\n::error::b", Message: "100%, 7:8"},
	}}
	if err := WriteGitHub(&got, sly, func(Subject) Origin { return Origin{File: "a,b:c%/temper.yaml"} }); err != nil {
		t.Fatal(err)
	}
	own := &Report{Subject: Subject{Name: "n"}, Rules: []string{"even"}, Findings: []Finding{
		{Rule: "even", Severity: Error, Place: "sub/go.mod", File: "sub/go.mod", Line: 5, Column: 2, Message: "13 is odd"},
	}}
	if err := WriteGitHub(&got, own, inTree); err != nil {
		t.Fatal(err)
	}
	want := `::notice title=even,file=services/my shop/temper.yaml,line=7::n (linux/amd64, linux/arm64): number: 13 is odd%0Awaived until 2027-03-01: it was born odd%0Afix: add 1
::warning title=small,file=services/my shop/temper.yaml,line=7::n (linux/amd64, linux/arm64): number: 13 is large
::warning title=prime,file=services/my shop/temper.yaml,line=7::n: the waiver expired on 2026-03-01 and matches nothing; remove it
::notice title=even::old (linux/amd64, linux/arm64): number: 13 is odd%0Ain the baseline%0Afix: add 1
::notice title=small::old (linux/amd64, linux/arm64): number: 13 is large%0Ain the baseline
::warning title=small::old: elsewhere: in the baseline, and gone: it was large
::error title=even::localhost:5000/a b/n@sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a (linux/amd64, linux/arm64): number: 13 is odd%0Afix: add 1
::warning title=small::localhost:5000/a b/n@sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a (linux/amd64, linux/arm64): number: 13 is large
::error title=even,file=a%2Cb%3Ac%25/temper.yaml,line=1::n: /a%0D%0A::error::b: 100%25, 7:8
::error title=even,file=services/my shop/sub/go.mod,line=5,col=2::n: sub/go.mod:5:2: 13 is odd
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
}
