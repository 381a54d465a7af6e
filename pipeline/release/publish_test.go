package release

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"temper/checks"
	"temper/pipeline/evidence"
)

// The gate is a type: what has no report that approves it, or lacks what Open
// asks for, is refused before the registry hears of it.
func TestPublishRefuses(t *testing.T) {
	other := anImage(t, 99)
	for _, tc := range []struct {
		name string
		want Reason
		with func(p *product)
	}{
		{"no report", Refused, func(p *product) { p.report = nil }},
		{"the report of another image", Refused, func(p *product) { p.report = other.report }},
		{"a report without a digest", Refused, func(p *product) { p.report.Subject.Digest = "" }},
		{"a report of one platform", Refused, func(p *product) { p.report.Subject.Digest = p.images[0].String() }},
		{"a report by no rule", Refused, func(p *product) { p.report.Rules = nil }},
		{"a report with an error", Refused, func(p *product) {
			p.report.Findings = []checks.Finding{{Rule: "static", Severity: checks.Error, Message: "it is dynamic"}}
		}},
		{"a report with an error among warnings", Refused, func(p *product) {
			p.report.Findings = []checks.Finding{{Rule: "nonroot", Severity: checks.Warning}, {Rule: "static", Severity: checks.Error}}
		}},
		{"a report with an error that a baseline holds", Refused, func(p *product) {
			p.report.Findings = []checks.Finding{{Rule: "static", Severity: checks.Error, Baseline: true}}
		}},
		{"a report with an error beside a waived one", Refused, func(p *product) {
			p.report.Findings = []checks.Finding{waived("static"), {Rule: "nonroot", Severity: checks.Error}}
		}},
		{"a waiver without a reason", Refused, func(p *product) {
			f := waived("static")
			f.Waived.Reason = ""
			p.report.Findings = []checks.Finding{f}
		}},
		{"a waiver without an end", Refused, func(p *product) {
			f := waived("static")
			f.Waived.Expires = ""
			p.report.Findings = []checks.Finding{f}
		}},
		{"no statements", Incomplete, func(p *product) { p.statements = nil }},
		{"no SBOM", Incomplete, func(p *product) { p.statements = p.without(evidence.SPDX, p.digest) }},
		{"no SBOM of the first platform", Incomplete, func(p *product) { p.statements = p.without(evidence.SPDX, p.images[0]) }},
		{"no SBOM of the last platform", Incomplete, func(p *product) { p.statements = p.without(evidence.SPDX, p.images[1]) }},
		{"no provenance", Incomplete, func(p *product) { p.statements = p.without(evidence.Provenance, p.digest) }},
		{"no stated report", Incomplete, func(p *product) { p.statements = p.without(evidence.TestResult, p.digest) }},
		{"a stated report that fails", Incomplete, func(p *product) {
			failing := *p.report
			failing.Findings = []checks.Finding{{Rule: "static", Severity: checks.Error}}
			p.statements = append(p.without(evidence.TestResult, p.digest), reported(t, &failing))
		}},
		{"nil among the statements", Refused, func(p *product) { p.statements = append(p.statements, nil) }},
		{"a statement about something else too", Refused, func(p *product) {
			p.statements = append(p.statements, provenance(t, "https://example.com", p.digest, other.digest))
		}},
		{"a statement about nothing", Refused, func(p *product) {
			p.statements = append(p.statements, provenance(t, "https://example.com"))
		}},
		{"a statement that says it is a signature", Refused, func(p *product) {
			p.statements = append(p.statements, state(t, signPredicate, struct{}{}, p.digest))
		}},
		{"a statement too large to be read back", Refused, func(p *product) {
			p.statements = append(p.statements, state(t, "https://example.com/large", strings.Repeat("x", maxEnvelope), p.digest))
		}},
		{"an index that holds a blob", Refused, func(p *product) {
			blob := static.NewLayer([]byte("not an image"), "text/plain")
			*p = stated(t, mutate.AppendManifests(p.artifact.(v1.ImageIndex), mutate.IndexAddendum{Add: blob}))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := serve(t, true)
			p := anIndex(t, 1)
			tc.with(&p)
			_, err := Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, newKey(t), []string{"v1"}, h.options())
			var no *Refusal
			if !errors.As(err, &no) || no.Reason != tc.want {
				t.Errorf("err is %v, want %s", err, tc.want)
			}
			if diff := cmp.Diff([]request(nil), h.requests(), asRequests); diff != "" {
				t.Errorf("what the registry was asked (-want +got):\n%s", diff)
			}
		})
	}
}

// Wrong parameters are errors, and the registry does not hear of them either.
func TestPublishParameters(t *testing.T) {
	p, signer := anImage(t, 1), newKey(t)
	for _, tc := range []struct {
		name   string
		signer *Signer
		format Format
		tag    string
	}{
		{"no signer", nil, Both, "v1"},
		{"an empty signer", &Signer{}, Both, "v1"},
		{"a format that nobody knows", signer, "cosign", "v1"},
		{"an empty tag", signer, Both, ""},
		{"a tag with a slash", signer, Both, "v1/v2"},
		{"a tag with a digest", signer, Both, "v1@" + p.digest.String()},
		{"the tag of a list of referrers", signer, Both, referrersTag(p.digest)},
		{"the tag of a legacy signature", signer, Both, referrersTag(p.digest) + ".sig"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := serve(t, true)
			opts := h.options()
			opts.Format = tc.format
			_, err := Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, tc.signer, []string{tc.tag}, opts)
			if no := (*Refusal)(nil); err == nil || errors.As(err, &no) {
				t.Errorf("err is %v, want one that is no refusal", err)
			}
			if got := writes(h.requests()); len(got) > 0 {
				t.Errorf("it wrote %v", got)
			}
		})
	}
}

// A warning is advice.
func TestPublishWithWarnings(t *testing.T) {
	h, p := serve(t, true), anImage(t, 1)
	p.report.Findings = []checks.Finding{{Rule: "nonroot", Severity: checks.Warning, Message: "no group"}}
	p.statements = append(p.without(evidence.TestResult, p.digest), reported(t, p.report))
	p.publish(t, h, newKey(t), h.options(), "v1")
}

func waived(rule string) checks.Finding {
	return checks.Finding{Rule: rule, Severity: checks.Error, Waived: &checks.Waived{Reason: "until the base drops it", Expires: "2027-03-01"}}
}

// What is waived is let through, and what is signed says so.
func TestPublishWithWaivers(t *testing.T) {
	h, p := serve(t, true), anImage(t, 1)
	p.report.Findings = []checks.Finding{waived("static")}
	p.statements = append(p.without(evidence.TestResult, p.digest), reported(t, p.report))
	p.publish(t, h, newKey(t), h.options(), "v1")
}

// The tags are the last that is written, and between them and everything else
// lies the reading back of all that makes a release.
func TestPublishTagsLast(t *testing.T) {
	for _, kind := range kinds {
		for _, format := range []Format{Both, Bundle, Legacy} {
			t.Run(kind.name+", "+string(format), func(t *testing.T) {
				h, p := serve(t, kind.referrers), anIndex(t, 1)
				opts := h.options()
				opts.Format = format
				p.publish(t, h, newKey(t), opts, "v1", "latest")

				all := h.requests()
				first := slices.Index(all, request{http.MethodPut, "manifests/v1"})
				if first < 0 {
					t.Fatal("the tag was not written")
				}
				want := []request{{http.MethodPut, "manifests/v1"}, {http.MethodPut, "manifests/latest"}}
				if diff := cmp.Diff(want, writes(all[first:]), asRequests); diff != "" {
					t.Errorf("written since the first tag (-want +got):\n%s", diff)
				}
				before := all[:first]
				for i, r := range slices.Backward(before) {
					if r.writes() {
						before = before[i+1:]
						break
					}
				}
				for _, digest := range append([]v1.Hash{p.digest}, p.images...) {
					paths := []string{"manifests/" + digest.String()}
					if format.has(Bundle) {
						paths = append(paths, "referrers/"+digest.String())
					}
					if format.has(Legacy) {
						paths = append(paths, "manifests/"+referrersTag(digest)+".sig", "manifests/"+referrersTag(digest)+".att")
					}
					for _, path := range paths {
						if !slices.Contains(before, request{http.MethodGet, path}) {
							t.Errorf("%s was not read back between the last write and the tag", path)
						}
					}
				}
			})
		}
	}
}

// Publish believes what it reads back and not what it wrote.
func TestPublishReadsBack(t *testing.T) {
	p := anIndex(t, 1)
	for _, path := range []string{
		"manifests/" + p.digest.String(),
		"manifests/" + p.images[1].String(),
		"manifests/" + referrersTag(p.images[0]) + ".sig",
		"manifests/" + referrersTag(p.digest) + ".att",
		"referrers/" + p.images[0].String(),
	} {
		for _, answer := range []string{"other bytes", "nothing"} {
			if strings.HasPrefix(path, "referrers/") && answer == "nothing" {
				continue // it means that the registry has no such API
			}
			t.Run(path+" is "+answer, func(t *testing.T) {
				h := serve(t, true)
				h.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
					if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/"+path) {
						return false
					}
					if answer == "nothing" {
						http.NotFound(w, r)
					} else {
						w.Header().Set("Content-Type", string(types.OCIImageIndex))
						w.Write([]byte(`{"schemaVersion":2,"manifests":[]}`))
					}
					return true
				})
				_, err := Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, newKey(t), []string{"v1"}, h.options())
				if err == nil {
					t.Error("it is published")
				}
				if no := (*Refusal)(nil); errors.As(err, &no) {
					t.Errorf("err is the refusal %v, which promises that nothing was pushed", no)
				}
				if slices.Contains(h.requests(), request{http.MethodPut, "manifests/v1"}) {
					t.Error("the tag was moved")
				}
			})
		}
	}
}

// It is the evidence too that is read back: what is lost after Publish saw it
// under the tag of attestations is noticed before the tag is moved.
func TestPublishReadsBackEvidence(t *testing.T) {
	h, p := serve(t, true), anImage(t, 1)
	looks := 0
	h.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, attestationSuffix) {
			return false
		}
		looks++
		if looks <= 2 { // before writing, and after
			return false
		}
		http.NotFound(w, r)
		return true
	})
	_, err := Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, newKey(t), []string{"v1"}, h.options())
	if err == nil || slices.Contains(h.requests(), request{http.MethodPut, "manifests/v1"}) {
		t.Errorf("it is published, or the tag is moved all the same: err is %v", err)
	}
}

// What is ours and there already is not written twice.
func TestPublishTwice(t *testing.T) {
	for _, kind := range kinds {
		for _, format := range []Format{Both, Bundle, Legacy} {
			t.Run(kind.name+", "+string(format), func(t *testing.T) {
				h, p, signer := serve(t, kind.referrers), anIndex(t, 1), newKey(t)
				opts := h.options()
				opts.Format = format
				p.publish(t, h, signer, opts, "v1")
				h.requests()
				p.publish(t, h, signer, opts, "v1")
				if got := writes(h.requests()); len(got) > 0 {
					t.Errorf("publishing again wrote %v", got)
				}
			})
		}
	}
}

// The same digest built from another commit gains a second provenance, and
// nothing else is written.
func TestPublishAddsWhatIsNew(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			h, p, signer := serve(t, kind.referrers), anImage(t, 1), newKey(t)
			p.publish(t, h, signer, h.options(), "v1")
			first := h.attached(t, signer, p.digest)
			p.statements = append(p.statements, provenance(t, "https://example.com/fork", p.digest))
			p.publish(t, h, signer, h.options(), "v1")
			second := h.attached(t, signer, p.digest)
			want := counts{first.Referrers + 1, first.Signatures, first.Attestations + 1}
			if diff := cmp.Diff(want, second); diff != "" {
				t.Errorf("what is attached (-want +got):\n%s", diff)
			}
			r, err := Open(context.Background(), h.repo(t).Tag("v1"), signer.Verifier(), Policy{Format: Both}, h.options())
			if err != nil {
				t.Fatal(err)
			}
			types := []string{evidence.TestResult, evidence.Provenance, evidence.Provenance, evidence.SPDX}
			if diff := cmp.Diff(types, predicateTypes(r.Statements)); diff != "" {
				t.Errorf("statements (-want +got):\n%s", diff)
			}
		})
	}
}

// Counts are how many things are attached to a manifest.
type counts struct{ Referrers, Signatures, Attestations int }

func (h *host) attached(t testing.TB, signer *Signer, about v1.Hash) counts {
	t.Helper()
	r, err := h.options().reader(context.Background(), h.repo(t))
	if err != nil {
		t.Fatal(err)
	}
	_, refs, _, err := r.bundles(context.Background(), about, signer.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	_, signatures, attestations, err := r.legacy(context.Background(), about, signer.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	return counts{len(refs), len(signatures.layers), len(attestations.layers)}
}

// Two releasers of the same image each find their own.
func TestPublishBesideOthers(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			h, p, ours, theirs := serve(t, kind.referrers), anIndex(t, 1), newKey(t), newKey(t)
			p.publish(t, h, theirs, h.options(), "theirs")
			p.publish(t, h, ours, h.options(), "ours")
			for _, signer := range []*Signer{ours, theirs} {
				if _, err := Open(context.Background(), h.repo(t).Tag("ours"), signer.Verifier(), Policy{Format: Both}, h.options()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Another releaser who read a shared tag before we wrote it and writes it
// after us takes our entries away, or also those of others that we saw. Publish
// notices, and in the end all are there.
func TestPublishNoticesThatItWasOverwritten(t *testing.T) {
	p := anImage(t, 1)
	for _, suffix := range []string{"", signatureSuffix, attestationSuffix} {
		path := "manifests/" + referrersTag(p.digest) + suffix
		for _, by := range []string{"what stood there", "nothing"} {
			t.Run(fmt.Sprintf("%q by %s", suffix, by), func(t *testing.T) {
				h, ours, theirs := serve(t, false), newKey(t), newKey(t)
				p.publish(t, h, theirs, h.options())
				old := h.get(t, path)
				overwritten := false
				h.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
					if overwritten || r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, "/"+path) {
						return false
					}
					overwritten = true
					h.inner.ServeHTTP(w, r)
					if by == "nothing" {
						h.remove(t, path)
					} else {
						h.put(t, path, old)
					}
					return true
				})
				p.publish(t, h, ours, h.options(), "v1")
				if !overwritten {
					t.Fatal("nothing was written under the tag")
				}
				for _, signer := range []*Signer{ours, theirs} {
					if _, err := Open(context.Background(), h.refTo(t, ":v1"), signer.Verifier(), Policy{Format: Both}, h.options()); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// What we saw to be there, and another releaser then overwrote, is written once
// more and not twice: it is ours, and among what was seen of others.
func TestPublishWritesOnceWhatWasOverwritten(t *testing.T) {
	p := anImage(t, 1)
	for _, suffix := range []string{"", signatureSuffix, attestationSuffix} {
		t.Run(suffix, func(t *testing.T) {
			h, ours, theirs := serve(t, false), newKey(t), newKey(t)
			path := "manifests/" + referrersTag(p.digest) + suffix
			p.publish(t, h, theirs, h.options())
			old := h.get(t, path)
			written, looks := false, 0
			h.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/"+path) {
					return false
				}
				switch r.Method {
				case http.MethodPut:
					written = true
				case http.MethodGet:
					if written {
						looks++
					}
					if looks == 2 && string(h.get(t, path).body) != string(old.body) { // the look before the tags are moved
						h.put(t, path, old)
					}
				}
				return false
			})
			p.publish(t, h, ours, h.options(), "v1")
			if looks < 3 {
				t.Fatalf("it looked %d times", looks)
			}
			h.answer(nil)
			if diff := cmp.Diff(counts{8, 2, 6}, h.attached(t, ours, p.digest)); diff != "" {
				t.Errorf("what is attached (-want +got):\n%s", diff)
			}
		})
	}
}

// A registry may be slow to list what it has. Publish then writes again, and
// what it writes is the same and not a second signature.
func TestPublishWhereTheListLags(t *testing.T) {
	h, p, signer := serve(t, true), anImage(t, 1), newKey(t)
	asked := 0
	h.answer(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/referrers/"+p.digest.String()) {
			return false
		}
		asked++
		if asked > 6 { // before writing, once for each of four bundles, and after
			return false
		}
		w.Header().Set("Content-Type", string(types.OCIImageIndex))
		w.Write([]byte(`{"schemaVersion":2,"manifests":[]}`))
		return true
	})
	p.publish(t, h, signer, h.options(), "v1")
	if asked <= 6 {
		t.Fatalf("the list was asked for %d times", asked)
	}
	h.answer(nil)
	if diff := cmp.Diff(counts{4, 1, 3}, h.attached(t, signer, p.digest)); diff != "" {
		t.Errorf("what is attached (-want +got):\n%s", diff)
	}
}

// What stands under a legacy tag and cannot be read may be somebody's.
func TestPublishOverwritesNothingItCannotRead(t *testing.T) {
	for _, suffix := range []string{signatureSuffix, attestationSuffix} {
		t.Run(suffix, func(t *testing.T) {
			h, p := serve(t, true), anImage(t, 1)
			path := "manifests/" + referrersTag(p.digest) + suffix
			h.put(t, path, content{"text/plain", []byte("not a manifest")})
			_, err := Publish(context.Background(), h.repo(t), p.report, p.artifact, p.statements, newKey(t), []string{"v1"}, h.options())
			if err == nil {
				t.Error("it is published")
			}
			if diff := cmp.Diff("not a manifest", string(h.get(t, path).body)); diff != "" {
				t.Errorf("what stands under the tag (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPublishInsecure(t *testing.T) {
	o := Options{Insecure: []string{"registry.example.com:5000"}}
	for host, want := range map[string]string{
		"registry.example.com:5000": "http",
		"registry.example.com":      "https",
		"127.0.0.1:5000":            "http",
	} {
		repo, err := name.NewRepository(host + "/orders")
		if err != nil {
			t.Fatal(err)
		}
		repo, err = o.named(repo)
		if err != nil {
			t.Fatal(err)
		}
		if got := repo.Scheme(); got != want {
			t.Errorf("%s is spoken to over %s, want %s", host, got, want)
		}
	}
}
