package policy

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks"
	"temper/pipeline/evidence"
	"temper/pipeline/release"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func hash(digit string) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: strings.Repeat(digit, 64)}
}

// origin is where an honest release comes from.
func origin() *evidence.Origin {
	return &evidence.Origin{
		BuildType: evidence.BuildType,
		Builder:   evidence.LocalBuilder,
		Service:   "orders",
		Source:    evidence.Source{URI: "https://github.com/acme/shop", Commit: strings.Repeat("a", 40)},
		Go:        "go1.26.8",
		Base:      evidence.Base{Name: "builtin", Digest: hash("b")},
		Finished:  now.Add(-48 * time.Hour),
	}
}

func TestAgainst(t *testing.T) {
	source := func(text string) Source {
		s, err := parseSource(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	base := func(text string) Base {
		b, err := parseBase(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	signed := Base{Repository: "gcr.io/distroless/static", Signer: evidence.Signer{Identity: "a@acme.com", Issuer: "https://acme.com"}}
	for _, tc := range []struct {
		name   string
		policy Policy
		change func(*evidence.Origin)
		want   string
	}{
		{"nothing is asked", Policy{}, func(o *evidence.Origin) { *o = evidence.Origin{} }, ""},
		{"all is as asked", Policy{
			Services: []string{"web", "orders"}, Builders: []string{evidence.LocalBuilder},
			Sources: []Source{source("https://github.com/acme/other"), source("https://github.com/acme/shop")},
			Bases:   []Base{base("builtin")}, MaxAge: 48 * time.Hour,
		}, nil, ""},
		{"another service", Policy{Services: []string{"web", "cart"}}, nil, `it is the service "orders", and the policy wants web or cart`},
		{"no service", Policy{Services: []string{"web"}}, func(o *evidence.Origin) { o.Service = "" }, `it is the service "", and the policy wants web`},
		{"another builder", Policy{Builders: []string{"https://acme.com/builder"}}, nil, `it was built by "urn:temper:builder:local", and the policy wants https://acme.com/builder`},

		{"a source by ssh", Policy{Sources: []Source{source("https://GitHub.com/acme/shop.git")}}, func(o *evidence.Origin) { o.Source.URI = "ssh://github.com/acme/shop" }, ""},
		{"a longer source", Policy{Sources: []Source{source("https://github.com/acme/shop")}}, func(o *evidence.Origin) { o.Source.URI = "https://github.com/acme/shop-evil" }, `its source is "https://github.com/acme/shop-evil", and the policy wants https://github.com/acme/shop`},
		{"a source below", Policy{Sources: []Source{source("https://github.com/acme/shop")}}, func(o *evidence.Origin) { o.Source.URI = "https://github.com/acme/shop/evil" }, `its source is "https://github.com/acme/shop/evil", and the policy wants https://github.com/acme/shop`},
		{"a source elsewhere", Policy{Sources: []Source{source("https://github.com/acme/shop")}}, func(o *evidence.Origin) { o.Source.URI = "https://evil.com/github.com/acme/shop" }, `its source is "https://evil.com/github.com/acme/shop", and the policy wants https://github.com/acme/shop`},
		{"paths have case", Policy{Sources: []Source{source("https://github.com/acme/shop")}}, func(o *evidence.Origin) { o.Source.URI = "https://github.com/Acme/shop" }, `its source is "https://github.com/Acme/shop", and the policy wants https://github.com/acme/shop`},
		{"a source that anybody may answer for", Policy{Sources: []Source{source("https://github.com/acme/shop")}}, func(o *evidence.Origin) { o.Source.URI = "http://github.com/acme/shop" }, `its source is "http://github.com/acme/shop", and the policy wants https://github.com/acme/shop`},
		{"the same, as asked", Policy{Sources: []Source{source("http://git.internal/shop")}}, func(o *evidence.Origin) { o.Source.URI = "http://git.internal/shop.git" }, ""},
		{"an element that reads like two", Policy{Sources: []Source{source("https://github.com/acme/shop")}}, func(o *evidence.Origin) { o.Source.URI = "https://github.com/acme%2fshop" }, `its source is "https://github.com/acme%2fshop", and the policy wants https://github.com/acme/shop`},
		{"another port", Policy{Sources: []Source{source("https://github.com/acme/shop")}}, func(o *evidence.Origin) { o.Source.URI = "https://github.com:8443/acme/shop" }, `its source is "https://github.com:8443/acme/shop", and the policy wants https://github.com/acme/shop`},
		{"no source", Policy{Sources: []Source{source("https://github.com/acme/shop")}}, func(o *evidence.Origin) { o.Source = evidence.Source{} }, `its source is "", and the policy wants https://github.com/acme/shop; its provenance names no commit`},
		{"changes", Policy{Sources: []Source{source("https://github.com/acme/shop")}}, func(o *evidence.Origin) { o.Source.Dirty = true }, `its source had changes that were not committed`},
		{"changes that may be", Policy{Sources: []Source{source("https://github.com/acme/shop")}, Uncommitted: true}, func(o *evidence.Origin) { o.Source.Dirty = true }, ""},

		{"a base by digest", Policy{Bases: []Base{base("builtin"), base("sha256:" + hash("c").Hex)}}, func(o *evidence.Origin) { o.Base = evidence.Base{Name: "mirror/x", Digest: hash("c")} }, ""},
		{"a base that calls itself so", Policy{Bases: []Base{base("builtin")}}, func(o *evidence.Origin) { o.Base.Name = "builtin/x:1" }, "it stands on builtin/x:1 sha256:" + hash("b").Hex + ", and the policy wants builtin"},
		{"another digest", Policy{Bases: []Base{base("gcr.io/x@sha256:" + hash("c").Hex)}}, nil, "it stands on builtin sha256:" + hash("b").Hex + ", and the policy wants sha256:" + hash("c").Hex},
		{"a signed base", Policy{Bases: []Base{signed}}, func(o *evidence.Origin) {
			o.Base.Name, o.Signed = "gcr.io/distroless/static:nonroot@sha256:"+hash("c").Hex, signed.Signer
		}, ""},
		{"signed by another", Policy{Bases: []Base{signed}}, func(o *evidence.Origin) {
			o.Base.Name, o.Signed = "gcr.io/distroless/static:nonroot", evidence.Signer{Identity: "b@acme.com", Issuer: "https://acme.com"}
		}, "it stands on gcr.io/distroless/static:nonroot sha256:" + hash("b").Hex + " signed by b@acme.com (https://acme.com), and the policy wants gcr.io/distroless/static signed by a@acme.com (https://acme.com)"},
		{"signed, of another repository", Policy{Bases: []Base{signed}}, func(o *evidence.Origin) {
			o.Base.Name, o.Signed = "gcr.io/distroless/static-evil:nonroot", signed.Signer
		}, "it stands on gcr.io/distroless/static-evil:nonroot sha256:" + hash("b").Hex + " signed by a@acme.com (https://acme.com), and the policy wants gcr.io/distroless/static signed by a@acme.com (https://acme.com)"},
		{"nobody looked who signed", Policy{Bases: []Base{signed}}, func(o *evidence.Origin) { o.Base = evidence.Base{Name: "gcr.io/distroless/static:nonroot"} }, "it stands on gcr.io/distroless/static:nonroot, and the policy wants gcr.io/distroless/static signed by a@acme.com (https://acme.com)"},

		{"old", Policy{MaxAge: 47 * time.Hour}, nil, "its build ended at 2026-11-23T12:00:00Z, 2 days ago, and the policy wants at most 47h0m0s"},
		{"without a time", Policy{MaxAge: time.Hour}, func(o *evidence.Origin) { o.Finished = time.Time{} }, "its provenance does not say when it was built"},
		{"clocks drift", Policy{MaxAge: time.Hour}, func(o *evidence.Origin) { o.Finished = now.Add(time.Minute) }, ""},
		{"yet to come", Policy{MaxAge: time.Hour}, func(o *evidence.Origin) { o.Finished = now.Add(time.Hour) }, "its build ended at 2026-11-25T13:00:00Z, which is yet to come"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := origin()
			if tc.change != nil {
				tc.change(o)
			}
			if diff := cmp.Diff(tc.want, strings.Join(tc.policy.against(o, now), "; ")); diff != "" {
				t.Errorf("against (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChecked(t *testing.T) {
	waived := func(rule, expires string) checks.Finding {
		return checks.Finding{Rule: rule, Severity: checks.Error, Waived: &checks.Waived{Reason: "known", Expires: expires}}
	}
	report := func(findings ...checks.Finding) *checks.Report {
		return &checks.Report{Subject: checks.Subject{Name: "orders"}, Rules: []string{"entrypoint", "low-port", "shell"}, Findings: findings}
	}
	for _, tc := range []struct {
		name   string
		policy Policy
		report *checks.Report
		want   string
	}{
		{"nothing is asked", Policy{}, report(waived("shell", "2027-01-01")), ""},
		{"the rules looked", Policy{Rules: []string{"entrypoint", "shell"}}, report(), ""},
		{"a rule did not look", Policy{Rules: []string{"entrypoint", "probe-host", "probe-root"}}, report(), "no report says that these rules looked at it: probe-host, probe-root"},
		{"warnings", Policy{}, report(checks.Finding{Rule: "low-port", Severity: checks.Warning}), ""},
		{"warnings that a baseline holds, strictly", Policy{Strict: true}, report(checks.Finding{Rule: "low-port", Severity: checks.Warning, Baseline: true}), "its report has warnings (1), and the policy is strict"},
		{"warnings, strictly", Policy{Strict: true}, report(checks.Finding{Rule: "low-port", Severity: checks.Warning}), "its report has warnings (1), and the policy is strict"},
		{"expired", Policy{}, report(waived("shell", "2026-11-24")), "the waiver of shell for orders expired: it was until 2026-11-24"},
		{"to the end of the day", Policy{}, report(waived("shell", "2026-11-25")), ""},
		{"none is accepted", Policy{Waivers: []Waiver{}}, report(waived("shell", "2027-01-01")), "shell is waived for orders (known), which the policy does not accept"},
		{"accepted", Policy{Waivers: []Waiver{{Rule: "shell", Subject: "orders"}}}, report(waived("shell", "2027-01-01")), ""},
		{"accepted for all", Policy{Waivers: []Waiver{{Rule: "shell"}}}, report(waived("shell", "2027-01-01")), ""},
		{"accepted for another", Policy{Waivers: []Waiver{{Rule: "shell", Subject: "web"}}}, report(waived("shell", "2027-01-01")), "shell is waived for orders (known), which the policy does not accept"},
		{"another is accepted", Policy{Waivers: []Waiver{{Rule: "entrypoint"}}}, report(waived("shell", "2027-01-01")), "shell is waived for orders (known), which the policy does not accept"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, strings.Join(tc.policy.checked(tc.report, now), "; ")); diff != "" {
				t.Errorf("checked (-want +got):\n%s", diff)
			}
		})
	}
}

// An image that was released twice has two reports of one signer, and who signs
// test results as they come has signed that one of them failed.
func TestJudgeTakesNoReportThatFailed(t *testing.T) {
	broken := checks.Finding{Rule: "shell", Severity: checks.Error, Place: "layer 1: /bin/sh", Message: "sh is a shell"}
	state := func(rules []string, findings ...checks.Finding) *evidence.Statement {
		s, err := evidence.StateReport(&checks.Report{Subject: checks.Subject{Name: "orders", Digest: hash("a").String()}, Rules: rules, Findings: findings})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	lying := state([]string{"entrypoint", "shell"}, broken)
	lying.Predicate = bytes.Replace(lying.Predicate, []byte("FAILED"), []byte("PASSED"), 1)
	others := &evidence.Statement{Subject: lying.Subject, PredicateType: evidence.TestResult, Predicate: []byte(`{"result": "PASSED", "passedTests": ["TestOrders"]}`)}
	for _, tc := range []struct {
		name    string
		reports []*evidence.Statement
		rules   []string
		took    int
		want    string
	}{
		{"the one that passed", []*evidence.Statement{state([]string{"entrypoint", "shell"}), state([]string{"entrypoint", "shell"}, broken)}, []string{"shell"}, 0, ""},
		{"in either order", []*evidence.Statement{state([]string{"entrypoint", "shell"}, broken), state([]string{"entrypoint", "shell"})}, nil, 1, ""},
		{"the rules are those of the other", []*evidence.Statement{state([]string{"entrypoint"}), state([]string{"entrypoint", "shell"}, broken)}, []string{"shell"}, 0, "no report says that these rules looked at it: shell"},
		{"the other says that it passed", []*evidence.Statement{state([]string{"entrypoint"}), lying}, []string{"shell"}, 0, "no report says that these rules looked at it: shell"},
		{"the other is of other tests", []*evidence.Statement{state([]string{"shell"}), others}, []string{"shell"}, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := &Policy{Rules: tc.rules}
			_, report, err := p.judge("orders", &release.Release{Statements: tc.reports}, now)
			if tc.want == "" {
				if err != nil || report != tc.reports[tc.took] {
					t.Errorf("judge: %v, and not the report that passed", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("judge: %v, want %q", err, tc.want)
			}
		})
	}
}
